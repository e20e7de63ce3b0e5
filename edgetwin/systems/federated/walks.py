"""From inputs to projected gradients: through the tree once, or twice where losses are far away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from edgetwin.systems.federated.settings import Perturbing
from edgetwin.systems.federated.tree import Leaning, Tree, Unmoved

Scalars = list[list[float]]
"""Projected gradients by block and perturbation."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What one estimate needs: blocks and their weights, the loss of the last one's output."""

    how: Perturbing
    blocks: Sequence[Callable[[Any], Any]]
    weights: Sequence[Leaning]
    loss: Callable[[Any], Tensor]
    seed: int

    def once(self, inputs: Any) -> Scalars:
        """Every loss is read as soon as it is there."""
        return self._tree(lambda output: float(self.loss(output))).scalars(inputs)

    def twice(self, inputs: Any) -> Scalars:
        """The same scalars; losses stay where they are until all can be fetched at once.

        A loss that is fetched by itself would make an accelerator wait for each next call.
        """
        kept: list[Tensor] = []

        def keep(output: Any) -> float:
            kept.append(self.loss(output))
            return 0.0

        self._tree(keep).scalars(inputs)
        losses: list[float] = torch.stack(kept).tolist()
        coming = iter(losses)
        second = Tree(
            how=self.how, calls=[_same] * len(self.blocks), weights=[Unmoved()] * len(self.blocks),
            loss=lambda _: next(coming), seed=self.seed,
        )  # fmt: skip
        return second.scalars(None)

    def _tree(self, loss: Callable[[Any], float]) -> Tree:
        return Tree(
            how=self.how, calls=self.blocks, weights=self.weights, loss=loss, seed=self.seed
        )


def _same(activation: Any) -> Any:
    return activation
