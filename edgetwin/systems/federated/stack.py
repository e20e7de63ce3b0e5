"""Blocks of a model taken together, so that it can be split anywhere."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, final

from torch import nn

from edgetwin.systems.federated.batch import Batch
from edgetwin.systems.federated.method import Counts, SplitModel


@final
class Stack(nn.Module):
    """Several blocks as one: each takes what the one before returned."""

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, given: Any) -> Any:
        """What the last block returns."""
        for block in self.blocks:
            given = block(given)
        return given


def split(model: SplitModel, at: Sequence[int]) -> tuple[list[nn.Module], Counts]:
    """The model as len(at) + 1 blocks, cut before the finest blocks `at`, and their FLOPs.

    ValueError for cuts out of order or outside the model.
    """
    n = len(model.blocks)
    edges = [0, *at, n]
    if any(a >= b for a, b in pairwise(edges)):
        raise ValueError(f"cuts are {list(at)}; give rising places from 1 to {n - 1}.")
    spans = list(pairwise(edges))
    blocks = [_joined(model.blocks[a:b]) for a, b in spans]

    def counted(batch: Batch) -> list[float]:
        flops = list(model.flops(batch))
        return [float(sum(flops[a:b])) for a, b in spans]

    return blocks, counted


def _joined(blocks: Sequence[nn.Module]) -> nn.Module:
    return blocks[0] if len(blocks) == 1 else Stack(blocks)
