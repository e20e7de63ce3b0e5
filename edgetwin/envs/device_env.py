"""What the environments of a board on the desk have in common."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from edgetwin.envs.board_env import BoardEnv
from edgetwin.hardware import Device
from edgetwin.scenario import Scenario, load_scenario
from hw_models.board import Board, load_board
from hw_models.naming import unknown
from hw_models.reading import Reading

Observation = NDArray[np.float32]


class DeviceEnv(gym.Env[Observation, Any], ABC):
    """One real (or virtual) board under one scenario, seen and rewarded as its twin is.

    twin is the simulated environment of the task: it gives the spaces and knows what they mean.
    `info` has its keys, and wall_s, the timing of the last period, late periods, faults of sensors
    and a trip (`Device.info`). The board is given back by `close`.
    """

    metadata: dict[str, Any] = {"render_modes": [], "render_fps": 2}
    single: ClassVar[type[BoardEnv]]

    def __init__(
        self,
        *,
        target: str = "local",
        root: str = "/",
        board: str | Path | Board | None = None,
        scenario: str | Path | Scenario | None = None,
        step_s: float | None = None,
        render_mode: str | None = None,
        device: dict[str, Any] | None = None,
        **task: Any,
    ) -> None:
        if render_mode is not None:
            raise ValueError(unknown("render mode on hardware", render_mode, ["None"]))
        made = load_board(board or self.single.task.board)
        self.twin = self.single(board=made, scenario=scenario, step_s=step_s, **task)
        self.observation_space, self.action_space = (
            self.twin.observation_space,
            self.twin.action_space,
        )
        self.reward_names, self.board = self.twin.reward_names, made
        self.scenario, self.step_s = self.twin.scenario, self.twin.step_s
        self.device = Device(made, target=target, root=root, **(device or {}))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Give the board back and begin anew; options are as on the twin."""
        super().reset(seed=seed)
        given = dict(options or {})
        scenario = load_scenario(given.pop("scenario", self.scenario))
        self._episode = scenario.with_(**given) if given else scenario
        reading = self.device.reset(
            seed=int(self.np_random.integers(2**31)), scenario=self._episode
        )
        self._marks = self._counted()
        self._begin(reading)
        self._ends_s = self._episode.duration_s
        obs, rewards = self._see(reading, 0.0, 0.0)
        return obs, self._info(reading, 0.0, 0.0, rewards)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act, wait step_s and look again; terminated also when the board's trip came."""
        if not self.action_space.contains(action):
            raise ValueError(f"action {action!r} is not in {self.action_space}.")
        applied = self._act(action)
        trace = self.device.advance(self.step_s)
        reading = trace.last
        qos, over = self._violations(reading)
        obs, rewards = self._see(reading, qos, over)
        info = self._info(reading, qos, over, rewards)
        info["refused"] = applied
        over_time = reading.t_s >= self._ends_s - 1e-9
        return obs, float(sum(rewards)), self.device.done, over_time, info

    @abstractmethod
    def _begin(self, reading: Reading) -> None:
        """Prepare an episode after the board was reset."""

    @abstractmethod
    def _act(self, action: Any) -> dict[str, str]:
        """Turn an action into knobs; what was refused."""

    @abstractmethod
    def _see(
        self, reading: Reading, qos: float, over: float
    ) -> tuple[Observation, tuple[float, float]]:
        """The observation and the two terms of the reward."""

    def _counted(self) -> tuple[float, float]:
        aimed = [job for job in self.device.results() if job.target]
        return sum(j.alive_s for j in aimed), sum(j.below_s for j in aimed)

    def _violations(self, reading: Reading) -> tuple[float, float]:
        """Share of application time below target, and whether power is above the cap."""
        before, self._marks = self._marks, self._counted()
        alive_s, below_s = (now - old for now, old in zip(self._marks, before, strict=True))
        drawn_w = self._input_w(reading)
        cap_w = reading.cap_w
        is_over = cap_w is not None and drawn_w is not None and drawn_w > cap_w
        return (below_s / alive_s if alive_s > 0 else 0.0), float(is_over)

    def _input_w(self, reading: Reading) -> float | None:
        rail = self.board.sensors.input_rail
        return None if rail is None or reading.power_w is None else reading.power_w.get(rail)

    def _info(
        self, reading: Reading, qos: float, over: float, rewards: tuple[float, float]
    ) -> dict[str, Any]:
        certificate = self.board.certificate
        known = self.board if certificate is None else certificate
        names = ("t_s", "temps_c", "power_w", "energy_j", "freq_hz", "fan", "throttled", "cap_w")
        return {
            **{name: getattr(reading, name) for name in names},
            "cap_violation": over,
            "qos_violation": qos,
            **dict(zip(self.reward_names, rewards, strict=True)),
            "backend": "hardware",
            "calibration": {
                "id": self.board.name if certificate is None else certificate.id,
                "grade": known.grade, "sampled": None,
                "in_envelope": None if certificate is None else certificate.inside(reading),
            },
            **self.device.info(),
        }  # fmt: skip

    def kpis(self) -> dict[str, float | None]:
        """Key figures of the episode so far, from what was measured."""
        return self.device.kpis()

    def close(self) -> None:
        """Give the board back. Closing twice is fine."""
        self.device.close()


def hottest_c(reading: Reading) -> float:
    """The highest temperature that a sensor reports, -50 degC if none does."""
    return min(max([-50.0, *(c for c in reading.temps_c.values() if c is not None)]), 200.0)


def boxed(values: list[float], space: spaces.Space[Any]) -> Observation:
    """Numbers within the bounds of an observation space."""
    assert isinstance(space, spaces.Box)
    return np.clip(np.array(values, np.float32), space.low, space.high)
