"""edgetwin/Thermal-v0: place and migrate applications, keep targets, stay cool."""

from operator import index
from pathlib import Path
from typing import Any, ClassVar, Literal, final

import numpy as np
from gymnasium import spaces

from edgetwin.envs.board_env import BoardEnv
from edgetwin.envs.observe import fill_block, hottest_c, mark, mark_step
from edgetwin.kernel import SLOTS
from edgetwin.kernel.batch_read import QOS, REWARD_A, REWARD_B
from edgetwin.kernel.control import USERSPACE, request
from edgetwin.kernel.handle import WORDS, carray, handle, pointer
from edgetwin.kernel.loop import REACHED, advance
from edgetwin.kernel.orders import migrate
from edgetwin.kernel.state import STATE_DTYPE
from edgetwin.scenario import Scenario
from edgetwin.tasks import TASKS, Task
from hw_models.board import Board
from hw_models.compiled import inline, jit
from hw_models.lowering import BOARD_DTYPE, GOVERNORS

QOS_WEIGHT = 1.0
REFERENCE_C = 25.0
TEMP_SCALE_K = 50.0
RATE_LIMIT = 10.0
REFUSED = np.inf
PER_SLOT = 3


@final
class ThermalEnv(BoardEnv):
    """Keep a board cool while every application gets the speed it asked for.

    Motivation
        The run-time decision of arXiv 2206.05459: which application runs on which core. Clocks
        follow by the 50 ms rule of that paper (`clocks="governor"`) or are the agent's, too
        (`clocks="agent"`). Applications that arrive are put on the least loaded core first.

    Observation: Box float32, (1 + n_clusters + n_cores + slots * (3 + n_cores),)
        ==================  =============  ====================================================
        index               bounds         meaning
        ==================  =============  ====================================================
        0                   [-50, 200]     hottest zone as its sensor says, degC
        next n_clusters     [0, 1]         clock as a share of the cluster's highest
        next n_cores        [0, 1]         utilisation of each core
        then for each slot:
        +0                  [0, 10]        rate over target, 1 = just met, 0 = no application
        +1                  [0, 10]        target in 1e9 instructions per second
        +2                  [0, 10]        L2 data accesses in 1e9 per second
        +3 ... +3+n_cores   {0, 1}         the core it runs on
        ==================  =============  ====================================================

    Action
        Discrete(1 + slots * n_cores): 0 does nothing, 1 + slot * n_cores + core migrates the
        application in a slot (none there: nothing happens). With clocks="agent"
        MultiDiscrete([1 + slots * n_cores, levels of each cluster ...]).

    Reward
        -(T - 25 degC) / 50 K - the share of application time in this step below 98 % of
        target. The two terms are info["reward_temp"] and info["reward_qos"].

    Episode
        terminated when all applications of the scenario are done or the board has shut down,
        truncated at the end of the scenario (and after max_episode_steps of the registration).

    info
        t_s, temps_c by zone, power_w by rail (None: no power sensor), energy_j, freq_hz by
        domain, fan, throttled, cap_w, cap_violation (share of the step over the cap),
        qos_violation (share of application time below target), reward_temp, reward_qos,
        backend, calibration {id, grade, sampled (how the board was drawn), in_envelope}.

    Arguments
        board, scenario (names, files or objects), step_s (default 0.5 s), clocks, slots
        (applications that the agent sees; others stay where they were put), randomize
        ("posterior": each episode's board is drawn from what is known of it), render_mode.

    Fidelity
        Measured: instruction mix, cache misses and phases of the programs (deterministic
        simulation of real binaries). Modelled: CPI, power, heat, the kernel's governors.
        Ignored: operating system noise, cluster sleep states. See the board's grade.

    Versions
        v0: first.
    """

    task: ClassVar[Task] = TASKS["thermal"]
    reward_names: ClassVar[tuple[str, str]] = ("reward_temp", "reward_qos")

    def __init__(
        self,
        *,
        board: str | Path | Board | None = None,
        scenario: str | Path | Scenario | None = None,
        step_s: float | None = None,
        clocks: Literal["governor", "agent"] = "governor",
        slots: int = 8,
        randomize: Literal["posterior"] | None = None,
        backend: str = "sim",
        render_mode: str | None = None,
    ) -> None:
        if clocks not in ("governor", "agent"):
            raise ValueError(f"clocks is {clocks!r}; give 'governor' or 'agent'.")
        if not 1 <= slots <= SLOTS:
            raise ValueError(f"slots is {slots}; give 1 to {SLOTS}.")
        self.clocks = clocks
        self.slots = slots
        super().__init__(
            board=board,
            scenario=scenario,
            step_s=step_s,
            randomize=randomize,
            backend=backend,
            render_mode=render_mode,
        )

    def _build(self) -> None:
        board = self.board
        cores = [u for u in board.unit_list if u.kind in board.performance.cores]
        names = list(dict.fromkeys(u.domain for u in cores))
        if names != list(board.clocks)[: len(names)] or cores != list(
            board.unit_list[: len(cores)]
        ):
            raise ValueError(f"{board.name} must list CPU cores and their clocks first.")
        self.clusters = list(range(len(names)))
        self._levels = [len(board.clocks[d].freqs_hz.value) for d in names]
        n_cores, n_clusters = len(cores), len(names)
        self._by_governor = self.clocks == "governor"
        self._moves = 1 + self.slots * n_cores
        slot_high = [RATE_LIMIT] * PER_SLOT + [1.0] * n_cores
        body = [1.0] * (n_clusters + n_cores) + slot_high * self.slots
        self.observation_space = self._boxed([-50.0] + [0.0] * len(body), [200.0, *body])
        self.action_space = (
            spaces.Discrete(self._moves)
            if self.clocks == "governor"
            else spaces.MultiDiscrete([self._moves, *self._levels])
        )

    def _begin(self) -> None:
        self._hold()
        name = "qos-dvfs" if self.clocks == "governor" else "userspace"
        s = self.sim.state[0]
        s["governor"][self.clusters] = GOVERNORS.index(name)
        s["fixed"][self.clusters] = s["target"][self.clusters]

    def _act_and_run(self, action: Any, end_ns: int) -> float:
        event_ns = self._next_event_ns
        stop_ns = end_ns if end_ns < event_ns else event_ns
        try:
            move = index(action) if self._by_governor else self._move_and_ask(action)
        except TypeError:
            move = -1
        reward: float = run_step(self._handle, move, stop_ns)
        if event_ns <= end_ns or not reward < REFUSED:
            if reward == REFUSED:
                raise ValueError(f"action {action!r} is not in {self.action_space}.")
            self._finish_run(end_ns)  # a job ended, or something comes from outside
            if self.sim.table.rows is not self._held[2]:
                self._hold()
            reward = look_now(self._handle)
        return reward

    def _hold(self) -> None:
        """Note where the arrays are that a step needs: the table may have grown."""
        rows = self.sim.table.rows
        slots = np.array([self.slots])
        self._held = (self.sim.state, self._record, rows, self._obs, self._block, slots)
        self._handle = handle(*self._held)

    def _look(self) -> None:
        mark_step(self.sim.state)
        look_now(self._handle)

    def _move_and_ask(self, action: Any) -> int:
        """The move of an action that also asks for clocks."""
        move, *levels = self._checked(action)
        self.sim.state["fixed"][0, self.clusters] = levels
        return move


@inline
def unpacked(held: Any) -> Any:
    """State (1,), board (1,), demand table, obs, block and slots behind `ThermalEnv._handle`."""
    state = carray(pointer(held[0]), 1, STATE_DTYPE)
    board = carray(pointer(held[WORDS]), 1, BOARD_DTYPE)
    at = 2 * WORDS
    table = carray(pointer(held[at]), (held[at + 1], held[at + 2]), np.float64)
    obs = carray(pointer(held[3 * WORDS]), held[3 * WORDS + 1], np.float32)
    block = carray(pointer(held[4 * WORDS]), held[4 * WORDS + 1], np.float64)
    slots = carray(pointer(held[5 * WORDS]), 1, np.int64)[0]
    return state, board, table, obs, block, slots


@jit
def run_step(held: Any, move: int, end_ns: int) -> float:
    """Migrate, ask for clocks, run and look; the reward, NaN if end_ns was not reached.

    REFUSED for a move that does not exist; nothing has happened then.
    """
    state, board, table, obs, block, slots = unpacked(held)
    s = state[0]
    b = board[0]
    n = core_count(b)
    if move < 0 or move > slots * n:
        return REFUSED
    mark(s)
    if move > 0:
        slot = (move - 1) // n
        core = (move - 1) % n
        if s.job_serial[slot] > 0 and s.job_unit[slot] >= 0 and s.online[core]:
            migrate(state, board, slot, core)
    for d in range(b.domains):
        if s.governor[d] == USERSPACE:
            request(s, b, d, s.fixed[d])
    if advance(state, board, table, end_ns) != REACHED:
        return np.nan
    return look(s, b, n, slots, obs, block)


@jit
def look_now(held: Any) -> float:
    """`look` at the board as it is."""
    state, board, _, obs, block, slots = unpacked(held)
    return look(state[0], board[0], core_count(board[0]), slots, obs, block)


@jit
def core_count(b: Any) -> int:
    """How many units are CPU cores; they come first."""
    n = 0
    while n < b.units and b.unit_kind[n] < b.cores:
        n += 1
    return n


@jit
def look(s: Any, b: Any, n: int, slots: int, obs: Any, block: Any) -> float:
    """Fill the observation, `info` and both reward terms since the last mark; the reward."""
    fill_block(s, b, block)
    obs[:] = 0.0
    hot_c = hottest_c(s, b)
    block[REWARD_A] = -(hot_c - REFERENCE_C) / TEMP_SCALE_K
    block[REWARD_B] = -QOS_WEIGHT * block[QOS]
    obs[0] = hot_c
    k = 1
    for d in range(b.unit_domain[n - 1] + 1):
        obs[k] = b.freq_hz[d, s.level[d]] / b.freq_hz[d, b.levels[d] - 1]
        k += 1
    for c in range(n):
        obs[k] = min(1.0, s.busy[c])
        k += 1
    for j in range(slots):
        if s.job_serial[j] > 0 and s.job_unit[j] >= 0:
            target = s.job_target[j]
            ratio = s.job_rate[j] / target if target > 0.0 else 1.0
            obs[k] = min(RATE_LIMIT, max(ratio, 1e-3))
            obs[k + 1] = min(RATE_LIMIT, target * 1e-9)
            obs[k + 2] = min(RATE_LIMIT, s.job_l2d_rate[j] * 1e-9)
            if s.job_unit[j] < n:
                obs[k + PER_SLOT + s.job_unit[j]] = 1.0
        k += PER_SLOT + n
    return block[REWARD_A] + block[REWARD_B]
