"""What all environments have in common: a board, a scenario, an episode, `info`, KPIs."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from edgetwin.envs.floorplan import picture
from edgetwin.envs.info import LazyInfo
from edgetwin.envs.observe import block_size, entries
from edgetwin.scenario import Scenario, load_scenario
from edgetwin.simulator import Simulator
from edgetwin.simulator.view import reading_of
from edgetwin.tasks import Task
from edgetwin.text_view import History
from hw_models.board import Board, load_board
from hw_models.naming import unknown

Observation = NDArray[np.float32]


class BoardEnv(gym.Env[Observation, Any], ABC):
    """One board under one scenario; a task says what is seen, decided and rewarded.

    Subclasses are final. They set the spaces in `_build` and implement `_act_and_run`.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 2}
    task: ClassVar[Task]
    reward_names: ClassVar[tuple[str, str]]

    def __init__(
        self,
        *,
        board: str | Path | Board | None = None,
        scenario: str | Path | Scenario | None = None,
        step_s: float | None = None,
        randomize: Literal["posterior"] | None = None,
        backend: str = "sim",
        render_mode: str | None = None,
    ) -> None:
        if backend != "sim":
            raise KeyError(unknown("backend of an environment", backend, ["sim"]))
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            modes = self.metadata["render_modes"]
            raise ValueError(unknown("render mode", render_mode, modes))
        if randomize not in (None, "posterior"):
            raise ValueError(f"randomize is {randomize!r}; give 'posterior' or None.")
        self.randomize = randomize
        self.render_mode = render_mode
        self._history = History()
        self.board = load_board(board or self.task.board)
        self.scenario = load_scenario(scenario or self.task.scenario)
        self.step_s = self.task.step_s if step_s is None else step_s
        if not self.step_s > 0:
            raise ValueError(f"step_s is {step_s}; give a positive number of seconds.")
        self._step_ns = round(self.step_s * 1e9)
        self.sim = Simulator(self.board, scenario=self.scenario)
        self._record = self.sim.lowered.record
        how = self.board.sampled_how if randomize else None
        self.info_entries = entries(self.sim, self.reward_names, backend, how)
        self._block = np.zeros(block_size(self.sim))
        self._build()

    @abstractmethod
    def _build(self) -> None:
        """Set spaces and whatever the task needs of the board."""

    def _begin(self) -> None:
        """Prepare an episode after the simulator was reset."""

    @abstractmethod
    def _act_and_run(self, action: Any, end_ns: int) -> float:
        """Act, run to end_ns, fill self._obs and self._block; the reward."""

    @abstractmethod
    def _look(self) -> None:
        """Fill self._obs and self._block as they are now."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode. Options are fields of the scenario, or `scenario` itself.

        ambient, initial ("steady", "ambient" or temperatures), jobs, arrivals, cap, cooling,
        mode, faults, duration_s. An unknown option is a KeyError. With randomize="posterior" the
        board of the episode is drawn first, by the environment's own generator.
        """
        super().reset(seed=seed)
        given = dict(options or {})
        scenario = load_scenario(given.pop("scenario", self.scenario))
        self._episode = scenario.with_(**given) if given else scenario
        if self.randomize:
            self.sim = Simulator(self.board.sample(self.np_random), scenario=self._episode)
            self._record = self.sim.lowered.record
        self._end_ns = round(self._episode.duration_s * 1e9)
        self.sim.restart(seed=int(self.np_random.integers(2**31)), scenario=self._episode)
        self._next_event_ns = self.sim.next_event_ns
        self._now_ns = 0
        self._over = False
        self._history.clear()
        self._begin()
        self._look()
        info = LazyInfo()
        info._entries = self.info_entries
        info._block = self._block.copy()
        return self._obs.copy(), info

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act, let step_s pass and look again.

        terminated: the work is done or the board has shut down. truncated: the scenario is over.
        """
        self._now_ns = end_ns = self._now_ns + self._step_ns
        reward = self._act_and_run(action, end_ns)
        info = LazyInfo()
        info._entries = self.info_entries
        info._block = self._block.copy()
        return self._obs.copy(), reward, self._over, end_ns >= self._end_ns, info

    def _finish_run(self, end_ns: int) -> None:
        """Go on in the simulator when something discrete ended the compiled run early."""
        self.sim.run_until(end_ns)
        self._next_event_ns = self.sim.next_event_ns
        self._over = self.sim.done

    def _boxed(self, low: list[float], high: list[float]) -> spaces.Space[Observation]:
        self._obs = np.zeros(len(low), np.float32)
        bounds = (np.array(low, np.float32), np.array(high, np.float32))
        return cast(spaces.Space[Observation], spaces.Box(*bounds, dtype=np.float32))

    def _checked(self, action: Any) -> list[int]:
        """The parts of an action of several; ValueError for one outside the action space."""
        parts = np.asarray(action)
        if not self.action_space.contains(parts):
            raise ValueError(f"action {action!r} is not in {self.action_space}.")
        return [int(part) for part in parts]

    def kpis(self) -> dict[str, float | None]:
        """Key figures of the episode so far, apart from the reward."""
        return self.sim.kpis()

    def render(self) -> Any:
        """The board as text with sparklines of what was rendered before ("ansi"), or a floor plan
        coloured by temperature ("rgb_array", (h, w, 3) uint8)."""
        if self.render_mode == "ansi":
            self._history.add(reading_of(self.sim))
            return self._history.text(self.board.name)
        return picture(self.sim) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Nothing to give back. Closing twice is fine."""
        self.sim.close()
