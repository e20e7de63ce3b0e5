"""Where to split, how often to perturb, how fast to learn: chosen from a few first batches.

A step of rate r along P perturbations of a block gains r |g|^2 and loses r^2 S t / (2 P), where g
is the mean gradient, S the mean square of the block's scalars (in decoupled coupling the mean
square of its batch gradients) and t the trace of its Hessian. With |g|^2 the same share of S in
every block, the best rate of a block is proportional to P / t, and the gain at that rate to
P S / t. A first difference on a batch shows S, a second one t; both add up over layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from edgetwin.systems.federated.batch import Batch, Loss, cross_entropy
from edgetwin.systems.federated.grid import Grid
from edgetwin.systems.federated.method import Method, SplitModel
from edgetwin.systems.federated.methods import make_method
from edgetwin.systems.federated.noise.bits import derived_seed
from edgetwin.systems.federated.replica import trainable
from edgetwin.systems.federated.settings import Difference, Perturbing

PROBE_EPS = 2.0**-6
"""Wide enough for a second difference in float32, narrow enough for the slope."""

SHARE_LIMIT = 0.8
"""Most of a step's gain that the last block may bring; beyond it, it has learned all it can from
the activations it gets before these have changed, and further perturbations are wasted."""

_FLOOR = 0.02  # of a layer's even share: a trace measured as nothing or less is noise


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Of every finest block: FLOPs of a call, mean square of its scalars, trace of its Hessian."""

    flops: tuple[float, ...]
    square: tuple[float, ...]
    trace: tuple[float, ...]


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
    squares, traces = np.zeros(len(blocks)), np.zeros(len(blocks))
    for number, batch in enumerate(batches):
        activations: list[Any] = [batch.inputs]
        for block in blocks:
            activations.append(block(activations[-1]))
        base = float(loss(activations[-1], batch))
        for b, grid in enumerate(grids):
            sides = []
            for eps in (PROBE_EPS, -PROBE_EPS):
                grid.lean(derived_seed(seed, number), b, eps)
                given = activations[b]
                for block in blocks[b:]:
                    given = block(given)
                sides.append(float(loss(given, batch)))
            grid.lean(derived_seed(seed, number), b, 0.0)
            squares[b] += ((sides[0] - sides[1]) / (2 * PROBE_EPS)) ** 2
            traces[b] += (sides[0] + sides[1] - 2 * base) / PROBE_EPS**2
    n = len(batches)
    return Moments(
        flops=tuple(model.flops(batches[0])),
        square=tuple((squares / n).tolist()),
        trace=tuple((traces / n).tolist()),
    )


def choose(
    moments: Moments, *, p2: Sequence[int] = (2, 4, 8), difference: Difference = "forward"
) -> Choice:
    """The split and P2 with the most gain per FLOP, no block bringing more than SHARE_LIMIT.

    With one block, or where no split keeps to the limit, ValueError.
    """
    flops, square = np.array(moments.flops), np.array(moments.square)
    trace = np.maximum(moments.trace, _FLOOR * np.sum(np.abs(moments.trace)) / len(flops))
    plain = square.sum() / trace.sum() / (2 * flops.sum())
    found = []
    for at in range(1, len(flops)):
        gains = [square[:at].sum() / trace[:at].sum(), square[at:].sum() / trace[at:].sum()]
        for count in p2:
            total = gains[0] + count * gains[1]
            if count * gains[1] > SHARE_LIMIT * total:
                continue
            cost = Perturbing(counts=(1, count), difference=difference).flops(
                [flops[:at].sum(), flops[at:].sum()]
            )
            ratio = float(count * trace[:at].sum() / trace[at:].sum())
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
    difference: Difference = settings.get("difference", "forward")
    loss = settings.get("loss", cross_entropy)
    choice = choose(measure(model, batches, seed=seed, loss=loss), difference=difference)
    rates = (lr, lr * choice.lr_ratio)
    given = {"difference": difference, "counts": (1, choice.p2), "lr": rates, "at": choice.at}
    return make_method("fedspzo", model, **(settings | given)), choice
