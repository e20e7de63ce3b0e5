"""A network as a stack of blocks that can be cut anywhere."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

import numpy as np
from torch import Tensor, nn

from edgetwin.systems.federated.batch import Batch
from edgetwin.systems.federated.models.flops import block_flops
from edgetwin.systems.federated.stack import split

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@final
class SplitModel:
    """Blocks in order: the first takes a batch's inputs, each other what the one before returned.

    The last returns logits (n, classes). What is trained are the parameters with requires_grad.
    """

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        if not blocks:
            raise ValueError("a model needs at least one block.")
        self.blocks = tuple(block.eval() for block in blocks)
        self._counted: dict[Shapes, tuple[float, ...]] = {}

    def __len__(self) -> int:
        return len(self.blocks)

    def __call__(self, batch: Batch) -> Tensor:
        """Logits, (n, classes)."""
        state: Any = batch.inputs
        for block in self.blocks:
            state = block(state)
        logits: Tensor = state
        return logits

    def parameters(self) -> Iterator[nn.Parameter]:
        """What is trained, in the order of the blocks."""
        return (p for block in self.blocks for p in block.parameters() if p.requires_grad)

    def cut(self, *places: int) -> "SplitModel":
        """The same network in fewer blocks: cut before the blocks that are named, ascending.

        The weights are shared with this model. ValueError for a place outside 1 ... blocks - 1.
        """
        blocks, _ = split(self, places)
        return SplitModel(blocks)

    def at(self, k: int) -> tuple[nn.Module, nn.Module]:
        """Two blocks: the first k and the rest."""
        first, second = self.cut(k).blocks
        return first, second

    def into(self, n: int) -> "SplitModel":
        """n blocks of about equally many trained parameters; frozen ones join the first that is
        trained. ValueError where fewer than n blocks are trained."""
        sizes = np.array([trained_size(block) for block in self.blocks])
        starts = np.flatnonzero(sizes)
        if not 1 <= n <= len(starts):
            raise ValueError(f"n is {n}; {len(starts)} of {len(self)} blocks are trained.")
        total = np.cumsum(sizes)
        places: list[int] = []
        for part in range(1, n):
            wanted = total[-1] * part / n
            low = int(np.searchsorted(starts, places[-1] if places else starts[0], side="right"))
            able = starts[low : len(starts) - (n - 1 - part)]
            places.append(int(able[np.argmin(np.abs(total[able - 1] - wanted))]))
        return self.cut(*places)

    def flops(self, batch: Batch) -> tuple[float, ...]:
        """Forward FLOPs of every block on a batch of this shape, from formulas of its layers."""
        shapes = tuple((name, tuple(value.shape)) for name, value in batch.inputs.items())
        if shapes not in self._counted:
            self._counted[shapes] = block_flops(self.blocks, batch.inputs)
        return self._counted[shapes]

    def without(self, k: int, entry: nn.Module) -> "SplitModel":
        """The blocks from k on, behind an entry that takes what the first k would have returned
        from a batch's inputs: for frozen blocks whose activations are kept."""
        if not 0 < k < len(self):
            raise ValueError(f"k is {k}; give 1 to {len(self) - 1}.")
        return SplitModel([nn.Sequential(entry, self.blocks[k]), *self.blocks[k + 1 :]])

    @property
    def frozen(self) -> int:
        """How many blocks at the start have nothing to train."""
        return next((k for k, b in enumerate(self.blocks) if trained_size(b)), len(self))


@final
class Named(nn.Module):
    """A stack of layers on one tensor reads it from a batch by name."""

    def __init__(self, layer: nn.Module, name: str = "x") -> None:
        super().__init__()
        self.layer = layer
        self.name = name

    def forward(self, inputs: Mapping[str, Tensor]) -> Any:
        """What the layer makes of that tensor."""
        return self.layer(inputs[self.name])


def split_stack(stack: nn.Sequential, name: str = "x") -> SplitModel:
    """Every member of a Sequential is a block; `name` is the input that the first one takes."""
    first, *rest = stack
    return SplitModel([Named(first, name), *rest])


def trained_size(block: nn.Module) -> int:
    """How many numbers of a block are trained."""
    return sum(p.numel() for p in block.parameters() if p.requires_grad)


def train_last(model: SplitModel, layers: int) -> SplitModel:
    """Only the last blocks that have any weights are trained, so many of them; all are returned.

    ValueError where there are fewer.
    """
    able = [block for block in model.blocks if any(True for _ in block.parameters())]
    if not 1 <= layers <= len(able):
        raise ValueError(f"layers is {layers}; this model has {len(able)} blocks with weights.")
    for k, block in enumerate(able):
        block.requires_grad_(k >= len(able) - layers)
    return model
