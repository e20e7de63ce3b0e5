"""A PPO agent through stable-baselines3: one network for all programs, trained in the closed loop.

Every epoch the agent sees the 21 features of one program of a board, in turn, and names a core. The
reward is that of TOP-RL, (80 degC - T) / 50, or -4 while the program misses its target.
"""

from collections.abc import Sequence
from typing import Any, Final, final

import numpy as np

from edgetwin.scenario import Scenario
from edgetwin.systems.thermal.chip import Array, Chip
from edgetwin.systems.thermal.choice import best_move
from edgetwin.systems.thermal.features import features
from edgetwin.systems.thermal.managers import EPOCH_S
from edgetwin.systems.thermal.view import Orders, View
from hw_models.board import Board
from hw_models.board_schema import Governor

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

    from edgetwin.systems.thermal.ppo_boards import Boards

    torch.set_num_threads(1)
    agent = PPO(
        "MlpPolicy", Boards(board, scenarios, seed), n_steps=STEPS, batch_size=512, n_epochs=4,
        gamma=0.8, ent_coef=0.01, seed=seed, device="cpu", verbose=0,
    )  # fmt: skip
    agent.learn(total_timesteps=steps)
    actor: list[Any] = [*agent.policy.mlp_extractor.policy_net, agent.policy.action_net]
    return [
        (m.weight.detach().numpy().astype(float), m.bias.detach().numpy().astype(float))
        for m in actor
        if hasattr(m, "weight")
    ]
