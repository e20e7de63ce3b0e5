"""Where to split, how often to perturb, how fast to learn: chosen from a few first batches.

A step of rate r along P perturbations of a block gains r |g|^2 and loses r^2 S t / (2 P), where g
is the mean gradient, S the mean square of the block's scalars (in decoupled coupling that of its
batch gradients) and t the trace of its Hessian. Taking |g|^2 for the same share of S in every
block, and t in proportion to the number of weights n, the best rate of a block is proportional to
P / n and the gain at that rate to P S / n. S is measured. t could be, by second differences, but
not in a few batches: on digits the same layer showed -1 and 40 from two seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import torch

from edgetwin.systems.federated.batch import Batch, Loss, cross_entropy
from edgetwin.systems.federated.grid import Grid
from edgetwin.systems.federated.method import Method, SplitModel
from edgetwin.systems.federated.methods import make_method
from edgetwin.systems.federated.noise.bits import derived_seed
from edgetwin.systems.federated.replica import trainable
from edgetwin.systems.federated.settings import Difference, Perturbing

EPS: Final = 2.0**-10

SHARE_LIMIT: Final = 0.9
"""Most of a step's gain that the last block may bring: beyond it, that block has learnt what its
inputs allow before they change, and further perturbations are wasted."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Of every finest block: FLOPs of a call, weights that learn, mean square of its scalars."""

    flops: tuple[float, ...]
    weights: tuple[int, ...]
    square: tuple[float, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A split before block `at`, perturbations, lr2 / lr1, and the gain per FLOP against SPSA."""

    at: int
    p2: int
    lr_ratio: float
    predicted_gain: float


@torch.inference_mode()
def measure(
    model: SplitModel, batches: Sequence[Batch], *, seed: int = 0, loss: Loss = cross_entropy
) -> Moments:
    """Moments from one perturbation of every finest block on every batch.

    A batch costs one pass and, for each block, two passes through it and what follows it. The
    weights are rounded to the grid, as the method will do. ValueError without batches.
    """
    if not batches:
        raise ValueError("no batches to measure on; give eight or more.")
    blocks = list(model.blocks)
    grids = [Grid(own, b) for b, own in enumerate(trainable(blocks))]
    squares = np.zeros(len(blocks))
    for number, batch in enumerate(batches):
        activations: list[Any] = [batch.inputs]
        for block in blocks[:-1]:
            activations.append(block(activations[-1]))
        for b, grid in enumerate(grids):
            sides = []
            for eps in (EPS, -EPS):
                grid.lean(derived_seed(seed, number), b, eps)
                given = activations[b]
                for block in blocks[b:]:
                    given = block(given)
                sides.append(float(loss(given, batch)))
            grid.lean(derived_seed(seed, number), b, 0.0)
            squares[b] += ((sides[0] - sides[1]) / (2 * EPS)) ** 2
    return Moments(
        flops=tuple(model.flops(batches[0])),
        weights=tuple(grid.n for grid in grids),
        square=tuple((squares / len(batches)).tolist()),
    )


def choose(
    moments: Moments, *, p2: Sequence[int] = (2, 4, 8), difference: Difference = "central"
) -> Choice:
    """The split and P2 with the most gain per FLOP, the last block bringing SHARE_LIMIT at most.

    ValueError where no split keeps to the limit, as with one block.
    """
    flops, square = np.array(moments.flops), np.array(moments.square)
    weights = np.array(moments.weights)
    plain = square.sum() / weights.sum() / (2 * flops.sum())
    found = []
    for at in range(1, len(flops)):
        first = square[:at].sum() / weights[:at].sum()
        second = square[at:].sum() / weights[at:].sum()
        for count in p2:
            total = first + count * second
            if count * second > SHARE_LIMIT * total:
                continue
            how = Perturbing(counts=(1, count), difference=difference)
            cost = how.flops([flops[:at].sum(), flops[at:].sum()])
            ratio = float(count * weights[:at].sum() / weights[at:].sum())
            gain = float(total / cost / plain)
            found.append(Choice(at=at, p2=count, lr_ratio=ratio, predicted_gain=gain))
    if not found:
        raise ValueError(
            f"{len(flops)} blocks, and no split gives the first enough of the gain; split it finer."
        )
    return max(found, key=lambda choice: choice.predicted_gain)


def automatic(
    model: SplitModel, batches: Sequence[Batch], *, lr: float, seed: int = 0, **settings: Any
) -> tuple[Method, Choice]:
    """FedSPZO with split, P2 and rates as measured on these batches; lr is the first block's."""
    difference: Difference = settings.get("difference", "central")
    loss = settings.get("loss", cross_entropy)
    choice = choose(measure(model, batches, seed=seed, loss=loss), difference=difference)
    rates = (lr, lr * choice.lr_ratio)
    given = {"counts": (1, choice.p2), "lr": rates, "at": choice.at}
    return make_method("fedspzo", model, **(settings | given)), choice
