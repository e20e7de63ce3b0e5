"""SplitZO: zero-order steps over blocks of a model, each of which fits into a tiny packet."""

import math
from collections.abc import Sequence
from itertools import chain
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edgetwin.systems.federated.batch import Batch, Loss, cross_entropy
from edgetwin.systems.federated.grid import Grid
from edgetwin.systems.federated.noise import bits
from edgetwin.systems.federated.packet import Packet, PacketForm
from edgetwin.systems.federated.replica import (
    check_settings,
    load_grids,
    pack_grids,
    pack_numbers,
    trainable,
    unpack_numbers,
)
from edgetwin.systems.federated.settings import Coupling, Difference, Perturbing
from edgetwin.systems.federated.tree import Tree
from edgetwin.systems.federated.walks import scalars_from_afar

LOSS_LIMIT = 100.0
"""No batch's mean loss changes by more nats along one perturbation; what says so is refused."""

Array = NDArray[np.float64]

NORM_MEMORY = 0.9
"""Share of a block's mean squared scalar that lasts from round to round."""


@final
class SplitZO(torch.optim.Optimizer):
    """A stack of blocks learns from forward passes alone; a step is a seed and a few scalars.

    `blocks` are modules in order: the first takes a batch's inputs, the last gives what `loss`
    takes; their parameters with requires_grad learn. lr is one rate or one per block, counts (or
    p2, for two blocks) are perturbations per block, the rest is as in `Perturbing`. The defaults
    are those that reach a target with fewest FLOPs where this was measured: see docs/federated.md.

    dtype torch.bfloat16 keeps int32 weights and casts them for the forward pass (give eps 2**-10
    or more). momentum is that of the rounds: between rounds the weights go on along what the
    rounds so far have done. normalise divides a block's scalars by their root mean square over the
    rounds so far; the first round then only measures. decay multiplies the rates round by round.

    Every weight is a whole number of units (see `Grid`), every step too, and noise is a function
    of the seed. So `apply(packet, -w)` undoes `apply(packet, w)` bit for bit, and packets of a
    round commute. Steps are rounded up or down by chance, fixed by the seed, which keeps rates
    below the unit unbiased.
    """

    def __init__(
        self,
        *blocks: nn.Module,
        lr: float | Sequence[float] = (1e-4, 4e-4),
        eps: float = 2.0**-10,
        p2: int = 4,
        counts: Sequence[int] | None = None,
        coupling: Coupling = "decoupled",
        difference: Difference = "central",
        shared: bool = False,
        wide: bool = False,
        momentum: float = 0.0,
        normalise: bool = False,
        decay: float = 1.0,
        dtype: torch.dtype = torch.float32,
        loss: Loss = cross_entropy,
    ) -> None:
        chosen = (1, p2)[: len(blocks)] if counts is None else tuple(counts)
        rates = [float(lr)] * len(blocks) if isinstance(lr, float) else [float(x) for x in lr]
        check_settings(len(blocks), chosen, rates, momentum, decay)
        self.how = Perturbing(
            counts=chosen, coupling=coupling, difference=difference, shared=shared, wide=wide,
            eps=eps,
        )  # fmt: skip
        self.blocks, self.loss = blocks, loss
        self.dtype, self.momentum, self.normalise, self.decay = dtype, momentum, normalise, decay
        groups = trainable(blocks)
        super().__init__([{"params": g, "lr": r} for g, r in zip(groups, rates, strict=True)], {})
        self.form = PacketForm(groups=self.how.groups, limit=LOSS_LIMIT / eps)
        self.grids = [
            Grid(g, b, dtype=dtype, wide=wide, has_velocity=momentum > 0)
            for b, g in enumerate(groups)
        ]
        for block in blocks:
            block.eval().to(dtype)  # after the grids have taken the weights in full
        self._scale = 1.0
        self._squares: list[float] | None = None
        self._inference = torch.inference_mode()  # entered at every estimate, made once

    def estimate(self, batch: Batch, seed: int, *, noise_seed: int | None = None) -> Packet:
        """Projected gradients along the noise of a seed; the weights are bitwise as before.

        noise_seed, if given, makes the noise, and seed only names the step.
        """
        (found,) = self.estimates([(seed, batch)], None if noise_seed is None else [noise_seed])
        return found

    def estimates(
        self, drawn: Sequence[tuple[int, Batch]], noise_seeds: Sequence[int] | None = None
    ) -> list[Packet]:
        """`estimate` of many seeds and batches at the same weights, in fewer passes over them."""
        tree = Tree(self.how, self.blocks, self.grids)
        seeds = noise_seeds or [seed for seed, _ in drawn]
        with self._inference:
            try:
                return [
                    Packet(seed=seed, scalars=self._scalars(tree, own, batch))
                    for own, (seed, batch) in zip(seeds, drawn, strict=True)
                ]
            finally:
                tree.rest()

    def _scalars(self, tree: Tree, seed: int, batch: Batch) -> NDArray[np.float32]:
        """The scalars of all blocks along the noise of a seed."""
        loss, given = self.loss, self._fed(batch)
        if self.grids[0].is_near:
            found = tree.scalars(seed, given.inputs, lambda output: float(loss(output, given)))
        else:
            found = scalars_from_afar(tree, seed, given.inputs, lambda output: loss(output, given))
        return np.array(list(chain.from_iterable(found)), np.float32)

    def _fed(self, batch: Batch) -> Batch:
        """The batch with inputs of the forward pass's type."""
        if self.dtype == torch.float32:
            return batch
        inputs = {
            name: value.to(self.dtype) if value.is_floating_point() else value
            for name, value in batch.inputs.items()
        }
        return Batch(inputs=inputs, labels=batch.labels)

    def apply(self, packet: Packet, weight: float = 1.0, *, noise_seed: int | None = None) -> None:
        """Take `weight` times a packet's step, or take it back with the negative of that weight.

        ValueError for a packet of another form; OverflowError where weights leave the grid.
        """
        self.replay([(weight, packet)], None if noise_seed is None else [noise_seed])

    @torch.inference_mode()
    def replay(
        self, entries: Sequence[tuple[float, Packet]], noise_seeds: Sequence[int] | None = None
    ) -> None:
        """`apply` of many packets in one pass over the weights; the same, bit for bit."""
        if not entries:
            return
        for _, packet in entries:
            self.form.check(packet)
        seeds = [packet.seed for _, packet in entries]
        weights = np.array([weight for weight, _ in entries])
        scalars = np.array([packet.scalars for _, packet in entries], float)
        at = 0
        for b, grid in enumerate(self.grids):
            own = scalars[:, at : at + self.form.groups[b]]
            grid.shift(noise_seeds or seeds, self._steps(b, own, seeds, weights))
            at += own.shape[1]

    def _steps(self, block: int, scalars: Array, seeds: Sequence[int], weights: Array) -> Array:
        """Whole units along each perturbation of a block by packet; those of -w undo those of w."""
        rates = self.param_groups[block]["lr"] * self._scale * np.abs(weights) / scalars.shape[1]
        if self.normalise:
            square = 0.0 if self._squares is None else self._squares[block]
            rates = rates / math.sqrt(square) if square > 0 else 0.0 * rates
        exact = self.grids[block].to_units(-rates[:, None] * scalars)
        steps = rounded(exact, seeds, block)
        return np.where(weights[:, None] > 0, steps, -steps)

    def step(self, batch: Batch, seed: int) -> Packet:  # type: ignore[override]
        """Estimate and apply; the packet is all that another replica needs to do the same."""
        packet = self.estimate(batch, seed)
        self.apply(packet)
        return packet

    @torch.inference_mode()
    def end_round(self, packets: Sequence[Packet]) -> None:
        """Carry momentum, norms and rates on; packets are all of the round, in any order."""
        self._scale *= self.decay
        if self.normalise and packets:
            self._note_squares(packets)
        if self.momentum:
            for grid in self.grids:
                grid.coast(self.momentum)

    def _note_squares(self, packets: Sequence[Packet]) -> None:
        """fsum rounds once, so the order of packets does not matter."""
        ends = np.cumsum(self.form.groups)
        columns = zip(*(np.split(p.scalars.astype(float), ends[:-1]) for p in packets), strict=True)
        means = []
        for column in columns:
            values = [float(g) ** 2 for part in column for g in part]
            means.append(math.fsum(values) / len(values))
        if self._squares is None:
            self._squares = means
        else:
            pairs = zip(self._squares, means, strict=True)
            self._squares = [NORM_MEMORY * old + (1 - NORM_MEMORY) * new for old, new in pairs]

    def snapshot(self) -> dict[str, bytes]:
        """Weights in whole units, momentum, norms, rates: equal bytes for equal replicas."""
        numbers = [self._scale, *(self._squares or [])]
        return pack_grids(self.grids) | {"numbers": pack_numbers(numbers)}

    def restore(self, state: dict[str, bytes]) -> None:
        """Go back to a state of the same model and settings."""
        load_grids(self.grids, state)
        self._scale, *squares = unpack_numbers(state["numbers"])
        self._squares = squares or None


def rounded(exact: Array, seeds: Sequence[int], block: int) -> Array:
    """Whole numbers (packets, n), up with the chance of the fraction, which the seed decides."""
    found: Array = np.floor(exact + bits.chances(seeds, block, exact.shape[1]))
    return found
