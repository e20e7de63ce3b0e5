"""A PPO agent through stable-baselines3: one network for all programs, trained in the closed loop.

Every epoch the agent sees the 21 features of one program of a board, in turn, and names a core. The
reward is that of TOP-RL, (80 degC - T) / 50, or -4 while the program misses its target.
"""

from collections.abc import Sequence
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.scenario import Scenario
from edgetwin.systems.thermal.chip import Array, Chip
from edgetwin.systems.thermal.choice import best_move, free_cores
from edgetwin.systems.thermal.features import CORES, COUNT, features
from edgetwin.systems.thermal.managers import EPOCH_S, Still
from edgetwin.systems.thermal.rollout import Rollout
from edgetwin.systems.thermal.view import NOBODY, Orders, View
from hw_models.board import Board
from hw_models.board_schema import Governor

COMFORT_C: Final = 80.0
SCALE_K: Final = 50.0
MISSED: Final = -4.0
STEPS: Final = 64


@final
class Ppo:
    """Rates cores by the logits of a trained actor, (weights, bias) of its tanh layers."""

    governor: Governor = "qos-dvfs"
    on_npu = True

    def __init__(self, layers: Sequence[tuple[Array, Array]], least_gain: float = 0.1) -> None:
        self.period_s = EPOCH_S
        self.layers, self.least_gain = layers, least_gain

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Learn the clusters."""
        self._chip = chip

    def ratings(self, view: View) -> Array:
        """The actor's logits, (n, k, cores)."""
        h = features(view, self._chip).astype(float)
        for w, b in self.layers[:-1]:
            h = np.tanh(h @ w.T + b)
        return np.asarray(h @ self.layers[-1][0].T + self.layers[-1][1])

    def decide(self, view: View) -> Orders:
        """The move whose logit gains most."""
        return Orders(moves=best_move(self.ratings(view), view, least_gain=self.least_gain))


def learn_ppo(
    board: Board, scenarios: Sequence[Scenario], *, steps: int, seed: int
) -> list[tuple[Array, Array]]:
    """The actor's layers after so many steps on boards with these scenarios.

    Scenarios should outlast the training: a board that is done gives nothing to learn.
    """
    import torch
    from stable_baselines3 import PPO

    torch.set_num_threads(1)
    agent = PPO(
        "MlpPolicy", _boards(board, scenarios, seed), n_steps=STEPS, batch_size=512, n_epochs=4,
        gamma=0.8, ent_coef=0.01, seed=seed, device="cpu", verbose=0,
    )  # fmt: skip
    agent.learn(total_timesteps=steps)
    actor: list[Any] = [*agent.policy.mlp_extractor.policy_net, agent.policy.action_net]
    return [
        (m.weight.detach().numpy().astype(float), m.bias.detach().numpy().astype(float))
        for m in actor
        if hasattr(m, "weight")
    ]


def _boards(board: Board, scenarios: Sequence[Scenario], seed: int) -> Any:
    """The boards as a VecEnv; its base class is only there when stable-baselines3 is."""
    from gymnasium import spaces
    from stable_baselines3.common.vec_env import VecEnv

    class Boards(VecEnv):
        """n boards that never end; each asks about one program at a time."""

        def __init__(self) -> None:
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

    return Boards()
