"""From inputs to projected gradients where losses are far away: through the tree twice."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from edgetwin.systems.federated.tree import Tree, Unmoved


def scalars_from_afar(
    tree: Tree, seed: int, inputs: Any, loss: Callable[[Any], Tensor]
) -> list[list[float]]:
    """The scalars of a tree; losses stay where they are until all can be fetched at once.

    A loss that is fetched by itself would make an accelerator wait for each next call.
    """
    kept: list[Tensor] = []

    def keep(output: Any) -> float:
        kept.append(loss(output))
        return 0.0

    tree.scalars(seed, inputs, keep)
    losses: list[float] = torch.stack(kept).tolist()
    coming, blocks = iter(losses), len(tree.calls)
    again = Tree(tree.how, [_same] * blocks, [Unmoved()] * blocks)
    return again.scalars(seed, None, lambda _: next(coming))


def _same(activation: Any) -> Any:
    return activation
