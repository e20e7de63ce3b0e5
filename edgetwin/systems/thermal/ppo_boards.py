"""Boards as stable-baselines3 wants them: each step asks every board about one of its programs."""

from collections.abc import Sequence
from typing import Any, Final, final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from edgetwin.scenario import Scenario
from edgetwin.systems.thermal.choice import free_cores
from edgetwin.systems.thermal.features import CORES, COUNT, features
from edgetwin.systems.thermal.managers import Still
from edgetwin.systems.thermal.rollout import Rollout
from edgetwin.systems.thermal.view import NOBODY, Orders
from hw_models.board import Board

COMFORT_C: Final = 80.0
SCALE_K: Final = 50.0
MISSED: Final = -4.0


@final
class Boards(VecEnv):
    """n boards that never end; each asks about one program at a time."""

    def __init__(self, board: Board, scenarios: Sequence[Scenario], seed: int) -> None:
        seeds = [50_000 + 1000 * seed + i for i in range(len(scenarios))]
        self.rollout = Rollout(board, Still(), scenarios, seeds)
        super().__init__(
            len(scenarios),
            spaces.Box(-np.inf, np.inf, (COUNT,), np.float32),
            spaces.Discrete(CORES),
        )
        self.turn = np.zeros(len(scenarios), np.int64)

    def reset(self) -> NDArray[np.float32]:
        return self._look()

    def _look(self) -> NDArray[np.float32]:
        view = self.view = self.rollout.view()
        self.turn += 1
        running = view.runs.sum(axis=1)
        order = np.argsort(~view.runs, axis=1, kind="stable")
        at = self.turn % np.maximum(running, 1)
        self.job = np.where(running > 0, order[np.arange(len(at)), at], NOBODY)
        x = features(view, self.rollout.chip)[np.arange(len(at)), self.job]
        return np.where((self.job >= 0)[:, None], x, 0.0).astype(np.float32)

    def step_async(self, actions: NDArray[Any]) -> None:
        self.actions = actions

    def step_wait(self) -> Any:
        n, job, view = len(self.job), self.job, self.view
        free = free_cores(view, CORES)[np.arange(n), job, self.actions] & (job >= 0)
        moves = np.stack([np.where(free, job, NOBODY), self.actions], axis=1)[:, None, :]
        self.rollout.step(Orders(moves=moves), self.rollout.live())
        now = self.rollout.view()
        same = (job >= 0) & (now.serial[np.arange(n), job] == view.serial[np.arange(n), job])
        rate, target = now.rate[np.arange(n), job], now.target[np.arange(n), job]
        reward = (COMFORT_C - now.temp_c) / SCALE_K
        reward = np.where(same & (rate < 0.98 * target), MISSED, reward)
        return (
            self._look(), reward.astype(np.float32), np.zeros(n, np.bool_), [{}] * n,
        )  # fmt: skip

    def close(self) -> None:
        self.rollout.batch.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise AttributeError(f"boards have no {attr_name} to set.")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kw: Any) -> Any:
        raise AttributeError(f"boards have no method {method_name}.")

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs
