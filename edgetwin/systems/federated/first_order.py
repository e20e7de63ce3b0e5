"""First-order FedAvg: what back-propagation reaches, and what it costs in memory and bytes."""

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from torch import nn

from edgetwin.systems.federated.batch import Batch, Loss, cross_entropy
from edgetwin.systems.federated.grid import UNIT, Grid
from edgetwin.systems.federated.method import Counts, StepCost
from edgetwin.systems.federated.packet import DENSE, Packet, PacketForm
from edgetwin.systems.federated.replica import (
    check_settings,
    load_grids,
    pack_grids,
    pack_numbers,
    trainable,
    unpack_numbers,
)

BACKWARD = 3.0
"""FLOPs of forward and backward together over those of forward alone."""


@final
class FirstOrder:
    """Federated averaging (McMahan et al. 2017, arXiv 1602.05629): SGD steps, weights averaged.

    A packet is a step's whole gradient; averaging the sums of steps is averaging the weights. Steps
    are rounded to the grid, so that replay and undo are exact here too.
    """

    shares_seeds = False

    def __init__(
        self,
        name: str,
        block: nn.Module,
        counted: Counts,
        *,
        lr: float = 0.05,
        momentum: float = 0.0,
        decay: float = 1.0,
        loss: Loss = cross_entropy,
    ) -> None:
        check_settings(1, (1,), (lr,), momentum, decay)
        self.name, self.block, self.loss, self._counted = name, block.eval(), loss, counted
        self.lr, self.momentum, self.decay = lr, momentum, decay
        self._parameters = trainable([block])[0]
        self.grid = Grid(self._parameters, 0, has_velocity=momentum > 0)
        self.form = PacketForm(groups=(self.grid.n,), limit=np.inf, kind=DENSE)
        self._scale = 1.0

    def estimate(self, batch: Batch, seed: int) -> Packet:
        """The gradient of the batch's loss, (n,)."""
        with torch.enable_grad():
            loss = self.loss(self.block(batch.inputs), batch)
            found = torch.autograd.grad(loss, self._parameters, allow_unused=True)
        flat = [
            torch.zeros_like(p).reshape(-1) if g is None else g.reshape(-1)
            for g, p in zip(found, self._parameters, strict=True)
        ]
        return Packet(seed=seed, scalars=torch.cat(flat).cpu().numpy(), kind=DENSE)

    def estimates(self, drawn: Sequence[tuple[int, Batch]]) -> list[Packet]:
        """As `Method.estimates`."""
        return [self.estimate(batch, seed) for seed, batch in drawn]

    def apply(self, packet: Packet, weight: float) -> None:
        """As `Method.apply`: half a unit away from zero, so both signs round alike."""
        self.form.check(packet)
        exact = packet.scalars.astype(np.float64) * (self.lr * self._scale * weight / UNIT)
        self.grid.add(np.rint(-exact).astype(np.int32))

    def replay(self, entries: Sequence[tuple[float, Packet]]) -> None:
        """As `Method.replay`."""
        for weight, packet in entries:
            self.apply(packet, weight)

    def end_round(self, packets: Sequence[Packet]) -> None:
        """As `Method.end_round`."""
        self._scale *= self.decay
        if self.momentum:
            self.grid.coast(self.momentum)

    def flops(self, batch: Batch) -> float:
        """Three times those of a forward pass."""
        return BACKWARD * sum(self._counted(batch))

    def cost(self, batch: Batch) -> StepCost:
        """A step reads and writes every weight once."""
        n = float(self.grid.n)
        return StepCost(
            flops=self.flops(batch), call_share=BACKWARD, noise_values=n, replay_values=n
        )

    def snapshot(self) -> dict[str, bytes]:
        """As `Method.snapshot`."""
        return pack_grids([self.grid]) | {"numbers": pack_numbers([self._scale])}

    def restore(self, state: dict[str, bytes]) -> None:
        """As `Method.restore`."""
        load_grids([self.grid], state)
        (self._scale,) = unpack_numbers(state["numbers"])
