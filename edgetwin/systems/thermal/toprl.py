"""TOP-RL: tabular multi-agent Q-learning, the manager that the published work compares with.

Every program is an agent, all share one table; an action is a core; the reward is 80 degC minus the
temperature, or minus a penalty while the agent's target is missed. One agent acts per epoch, the
one whose action promises most, or a random one with probability epsilon. Constants (epsilon 0.1,
gamma 0.8, rate 0.05, penalty 200) are recollection; the penalty is swept. What a state is made of
is our choice: the core, the program's slack, need and L2 rate, and what others need.
"""

from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.scenario import Scenario
from edgetwin.systems.thermal.chip import Array, Chip, Whole
from edgetwin.systems.thermal.choice import best_move, free_cores, gains
from edgetwin.systems.thermal.features import need_share, others_need
from edgetwin.systems.thermal.managers import EPOCH_S
from edgetwin.systems.thermal.rollout import Rollout
from edgetwin.systems.thermal.view import Orders, View
from hw_models.board import Board
from hw_models.board_schema import Governor

SLACKS: Final = np.array([0.98, 1.2])
NEEDS: Final = np.array([0.4, 0.6, 0.8, 1.0])
L2D_PER_KINSN: Final = np.array([5.0, 25.0])
OTHERS: Final = np.array([1e-6, 0.7])
COMFORT_C: Final = 80.0
PENALTIES: Final = (50.0, 200.0, 800.0)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Learning:
    """Constants of Q-learning; epsilon falls to 0 over the last third of the episodes."""

    epsilon: float = 0.1
    gamma: float = 0.8
    rate: float = 0.05
    episodes: int = 12


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """r tables q (r, states, cores), learned with penalties (r,) from seeds (r,).

    rewards (episodes, r): mean reward of an agent and epoch, by which convergence is judged.
    """

    q: Array
    penalties: Array
    seeds: Whole
    rewards: Array

    @property
    def drift(self) -> Array:
        """Change of the mean reward between the last two quarters, as a share of its range."""
        quarter = max(1, len(self.rewards) // 4)
        last = self.rewards[-quarter:].mean(axis=0)
        before = self.rewards[-2 * quarter : -quarter].mean(axis=0)
        span = np.ptp(self.rewards, axis=0)
        return np.asarray(np.abs(last - before) / np.maximum(span, 1e-9))


def states_of(view: View, chip: Chip) -> Whole:
    """The state of every agent as one number, (n, k)."""
    ratio = np.where(view.target > 0.0, view.rate / np.maximum(view.target, 1.0), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        l2d = np.where(view.rate > 0.0, 1e3 * view.l2d_per_s / view.rate, 0.0)
    others = others_need(view, chip)
    found = np.clip(view.unit, 0, len(chip.cores) - 1)
    for values, edges in (
        (ratio, SLACKS),
        (need_share(view, chip), NEEDS),
        (l2d, L2D_PER_KINSN),
        (others[:, :, 0], OTHERS),
        (others[:, :, 1], OTHERS),
    ):
        found = found * (len(edges) + 1) + np.searchsorted(edges, values, side="right")
    return np.asarray(found)


def state_count(cores: int) -> int:
    """How many states there are."""
    edges = (SLACKS, NEEDS, L2D_PER_KINSN, OTHERS, OTHERS)
    return int(cores * np.prod([len(e) + 1 for e in edges]))


@final
class TopRl:
    """Greedy on learned tables; board i goes by table i modulo their number."""

    governor: Governor = "qos-dvfs"
    on_npu = False

    def __init__(self, q: Array, least_gain: float = 1.0) -> None:
        self.period_s = EPOCH_S
        self.q, self.least_gain = q, least_gain

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Learn the clusters."""
        self._chip = chip

    def ratings(self, view: View) -> Array:
        """The worth of every core for every agent, (n, k, cores)."""
        table = np.arange(len(view.t_s)) % len(self.q)
        return np.asarray(self.q[table[:, None], states_of(view, self._chip)])

    def decide(self, view: View) -> Orders:
        """The move that promises most."""
        return Orders(moves=best_move(self.ratings(view), view, least_gain=self.least_gain))


@final
class _Learner:
    """Learns while it acts; board i adds to table i modulo their number."""

    governor: Governor = "qos-dvfs"
    on_npu = False

    def __init__(self, q: Array, penalties: Array, learning: Learning, seed: int) -> None:
        self.period_s = EPOCH_S
        self.q, self.penalties, self.learning = q, penalties, learning
        self._rng = np.random.default_rng(seed)

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        self._chip = chip
        self._table = np.arange(boards) % len(self.q)
        self._last: tuple[Whole, Whole, Whole] | None = None
        self.earned = np.zeros((2, len(self.q)))

    def decide(self, view: View) -> Orders:
        state = states_of(view, self._chip)
        free = free_cores(view, len(self._chip.cores))
        if self._last is not None:
            self._learn(view, state, free)
        q = self.q[self._table[:, None], state]
        moves = best_move(q, view, least_gain=0.0, settle_s=0.0)
        explores = self._rng.random(len(moves)) < self.learning.epsilon
        random = np.where(np.isfinite(gains(q, view)), self._rng.random(q.shape), 0.0)
        tried = best_move(random, view, least_gain=-np.inf, settle_s=0.0)
        moves = np.where(explores[:, None, None], tried, moves)
        action = np.clip(view.unit, 0, len(self._chip.cores) - 1)
        boards = np.flatnonzero(moves[:, 0, 0] >= 0)
        action[boards, moves[boards, 0, 0]] = moves[boards, 0, 1]
        self._last = (np.where(view.runs, view.serial, 0), state, action)
        return Orders(moves=moves)

    def _learn(self, view: View, state: Whole, free: NDArray[np.bool_]) -> None:
        """One step of Q-learning for every agent that was there; agents of an entry share it."""
        assert self._last is not None
        serial, before, action = self._last
        board, job = np.nonzero((serial > 0) & (serial == view.serial))
        table = self._table[board]
        missed = view.rate[board, job] < 0.98 * view.target[board, job]
        reward = np.where(missed, -self.penalties[table], COMFORT_C - view.temp_c[board])
        ahead = np.where(free[board, job], self.q[table, state[board, job]], -np.inf).max(axis=1)
        goal = reward + self.learning.gamma * ahead
        _, states, cores = self.q.shape
        entry = (table * states + before[board, job]) * cores + action[board, job]
        flat = self.q.reshape(-1)
        where, inverse, count = np.unique(entry, return_inverse=True, return_counts=True)
        mean = np.bincount(inverse, goal) / count
        flat[where] += (1.0 - (1.0 - self.learning.rate) ** count) * (mean - flat[where])
        self.earned[0] += np.bincount(table, reward, minlength=len(self.q))
        self.earned[1] += np.bincount(table, minlength=len(self.q))


def learn(
    board: Board,
    scenarios: list[Scenario],
    *,
    seeds: tuple[int, ...],
    penalties: tuple[float, ...] = PENALTIES,
    learning: Learning | None = None,
    limit_s: float = 1200.0,
) -> Tables:
    """A table for every pair of penalty and seed, side by side; each sees every scenario."""
    learning = learning or Learning()
    pairs = [(p, s) for p in penalties for s in seeds]
    penalty = np.array([p for p, _ in pairs])
    cores = 8
    q = np.zeros((len(pairs), state_count(cores), cores))
    rewards = []
    given = [scenario for scenario in scenarios for _ in pairs]
    for episode in range(learning.episodes):
        left = (learning.episodes - episode) / max(1.0, learning.episodes / 3)
        now = replace(learning, epsilon=learning.epsilon * min(1.0, left))
        agent = _Learner(q, penalty, now, seed=episode)
        run_seeds = [
            10_000 + 1000 * s + 50 * episode + i for i in range(len(scenarios)) for _, s in pairs
        ]
        Rollout(board, agent, given, run_seeds).run(limit_s)
        rewards.append(agent.earned[0] / np.maximum(agent.earned[1], 1.0))
    return Tables(
        q=q,
        penalties=penalty,
        seeds=np.array([s for _, s in pairs]),
        rewards=np.array(rewards),
    )
