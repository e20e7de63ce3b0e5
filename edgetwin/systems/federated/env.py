"""edgetwin/Federated-v0: who learns, how, and at which clocks, round by round."""

from typing import Any, ClassVar, Final, final

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import SyncVectorEnv
from numpy.typing import NDArray

from edgetwin.systems.federated.episode import Episode, RoundPlan
from edgetwin.tasks import ROUND_TASKS, Task
from hw_models.naming import unknown

Observation = NDArray[np.float32]

P2: Final = (2, 4, 8)
SPLITS: Final = (2, 4, 5)
STEPS: Final = (1, 2, 4)
CLOCKS: Final = (0.4, 0.7, 1.0)
DEFAULTS: Final = {"energy_j": 400.0, "deadline_s": 120.0, "loss": 0.1}
REWARD_SCALE: Final = 1e3
SHARED, OWN = 5, 5


@final
class FederatedEnv(gym.Env[Observation, NDArray[np.int64]]):
    """A server has joules and seconds, and wants a low loss: whom does it ask to do what?

    Motivation
        Boards differ in speed, heat, air, power and links; a round lasts as long as its slowest
        answer. Perturbations and split decide what a local step costs and how noisy it is. The
        model, its packets and their replay are real; time, energy and heat are the twins'.

    Observation
        Box, float32, shape (5 + 5 * clients,). First the loss over that of the start [0, 10]; the
        shares of energy and of time left [0, 1]; seconds and joules of the last round as shares of
        their budgets [0, 1]. Then per client: hottest zone in units of 100 degC [-0.5, 2]; seconds
        and joules per local step when it was last asked [0, 1000], 0 if never; rounds that it has
        missed, over 100 [0, 10]; whether its last answer came {0, 1}.

    Action
        MultiDiscrete([2] * clients + [3, 3, 3, 3]): which clients are asked; P2 of (2, 4, 8); the
        split of (2, 4, 5) of 6 layers; local steps of (1, 2, 4); the GPU clock as a share of the
        highest, of (0.4, 0.7, 1.0). When nobody is asked a second passes.

    Reward
        1000 times the decrease of the held-out loss in the round, per joule and second:
        info["reward_gain"] where it falls, info["reward_loss"] where it rises.

    Episode
        terminated when the energy is spent, truncated at the deadline.

    Options of reset
        energy_j (400), deadline_s (120), loss (share of answers that get lost, 0.1).

    Fidelity
        Steps are priced as counted FLOPs, launches and bytes on boards whose speed is graded as
        `edgetwin boards` says; links and air are assumed. The server's own work takes no time.

    Versions
        v0: first.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 2}
    task: ClassVar[Task] = ROUND_TASKS["federated"]
    reward_names: ClassVar[tuple[str, str]] = ("reward_gain", "reward_loss")

    def __init__(self, *, clients: int = 8, render_mode: str | None = None) -> None:
        if render_mode not in (None, "ansi"):
            raise ValueError(unknown("render mode", str(render_mode), ["ansi"]))
        if clients < 1:
            raise ValueError(f"{clients} clients; give one or more.")
        self.clients, self.render_mode = clients, render_mode
        low = [0.0] * SHARED + [-0.5, 0.0, 0.0, 0.0, 0.0] * clients
        high = [10.0, 1.0, 1.0, 1.0, 1.0] + [2.0, 1e3, 1e3, 10.0, 1.0] * clients
        bounds = (np.array(low, np.float32), np.array(high, np.float32))
        self.observation_space = spaces.Box(*bounds, dtype=np.float32)
        choices = [len(P2), len(SPLITS), len(STEPS), len(CLOCKS)]
        self.action_space = spaces.MultiDiscrete([2] * clients + choices)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode: other boards, data and weights. KeyError for an unknown option."""
        super().reset(seed=seed)
        given = dict(DEFAULTS)
        for name, value in (options or {}).items():
            if name not in given:
                raise KeyError(unknown("option", name, list(given)))
            given[name] = float(value)
        self.episode = Episode(self.clients, int(self.np_random.integers(2**31)), **given)
        return self._observe(), self._info(0.0)

    def step(
        self, action: NDArray[np.int64]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One round. ValueError for an action outside the space."""
        episode, before = self.episode, self.episode.loss_now
        episode.play(self.plan(action))
        reward = reward_of(before - episode.loss_now, episode.last_energy_j, episode.last_time_s)
        over = episode.energy_spent_j >= episode.energy_budget_j
        late = episode.time_s >= episode.deadline_s
        return self._observe(), reward, over, late, self._info(reward)

    def plan(self, action: NDArray[np.int64]) -> RoundPlan:
        """What an action says."""
        parts = np.asarray(action)
        if not self.action_space.contains(parts):
            raise ValueError(f"action {action!r} is not in {self.action_space}.")
        p2, split, steps, clock = (int(part) for part in parts[self.clients :])
        return RoundPlan(
            clients=tuple(int(i) for i in np.flatnonzero(parts[: self.clients])),
            p2=P2[p2],
            split=SPLITS[split],
            steps=STEPS[steps],
            clock=CLOCKS[clock],
        )

    def _observe(self) -> Observation:
        e = self.episode
        shared = [
            e.loss_now / e.first_loss,
            1.0 - e.energy_spent_j / e.energy_budget_j,
            1.0 - e.time_s / e.deadline_s,
            e.last_time_s / e.deadline_s,
            e.last_energy_j / e.energy_budget_j,
        ]
        own = [e.fleet.hottest_c() / 100, e.step_s, e.step_j, e.missed() / 100, e.arrived]
        seen = np.concatenate([shared, np.stack(own, axis=1).ravel()]).astype(np.float32)
        space = self.observation_space
        assert isinstance(space, spaces.Box)
        return np.clip(seen, space.low, space.high)

    def _info(self, reward: float) -> dict[str, Any]:
        e = self.episode
        return {
            "t_s": e.time_s,
            "temps_c": e.fleet.hottest_c().tolist(),
            "energy_j": e.energy_spent_j,
            "loss": e.loss_now,
            "round": e.rounds,
            "arrived": e.arrived.tolist(),
            "refused": sum(n for why, n in e.server.counts.items() if why != "accepted"),
            "reward_gain": max(reward, 0.0),
            "reward_loss": min(reward, 0.0),
            "backend": "sim",
        }

    def kpis(self) -> dict[str, float | None]:
        """Key figures of the episode so far, apart from the reward."""
        return self.episode.kpis()

    def render(self) -> Any:
        """The federation as text ("ansi")."""
        if self.render_mode is None:
            return None
        e = self.episode
        head = (
            f"round {e.rounds}  loss {e.loss_now:.3f}  {e.time_s:.1f} s  {e.energy_spent_j:.1f} J"
        )
        hottest = "  ".join(f"{temp_c:.0f}" for temp_c in e.fleet.hottest_c())
        return f"{head}\nhottest zones in degC: {hottest}\n"


@final
class FederatedVectorEnv(SyncVectorEnv):
    """num_envs federations in turn; environment i does what the scalar one does with its seed."""

    def __init__(
        self, *, num_envs: int = 1, max_episode_steps: int | None = None, **single: Any
    ) -> None:
        def one() -> gym.Env[Any, Any]:
            made = FederatedEnv(**single)
            if max_episode_steps is None:
                return made
            return gym.wrappers.TimeLimit(made, max_episode_steps)

        super().__init__([one] * num_envs)


def reward_of(decrease: float, energy_j: float, time_s: float) -> float:
    """Loss decrease per joule and second, times 1000; 0 where no energy was spent."""
    return REWARD_SCALE * decrease / (energy_j * time_s) if energy_j * time_s > 0 else 0.0
