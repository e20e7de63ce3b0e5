"""What every method of federated fine-tuning can do, whatever it sends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, final

from torch import nn

from edgetwin.systems.federated.batch import Batch
from edgetwin.systems.federated.packet import Packet, PacketForm

Counts = Callable[[Batch], Sequence[float]]
"""FLOPs of one forward call of each block on a batch."""


class SplitModel(Protocol):
    """A model as a stack of blocks: the first takes a batch's inputs, the last gives logits."""

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The finest blocks, each called with what the one before returned."""
        ...

    def flops(self, batch: Batch) -> Sequence[float]:
        """Floating-point operations of one forward call of each block."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepCost:
    """What one local step asks of a board.

    flops of its forward passes, call_share: how many passes through the whole model they make up,
    noise_values: to how many weights noise is added, all passes over them taken together, and
    replay_values: the same for the replay of another's step.
    """

    flops: float
    call_share: float
    noise_values: float
    replay_values: float


class Method(Protocol):
    """One replica of the model and how it learns; packets are all that replicas exchange.

    The weights are a function of the packets applied since the start, in any order within a
    round: two replicas that have seen the same are equal bit for bit.
    """

    name: str
    form: PacketForm
    shares_seeds: bool  # all clients of a round use the same noise

    def estimate(self, batch: Batch, seed: int) -> Packet:
        """A local step as a packet; the weights are bitwise as before."""
        ...

    def estimates(self, drawn: Sequence[tuple[int, Batch]]) -> list[Packet]:
        """`estimate` of many seeds and batches at the same weights."""
        ...

    def apply(self, packet: Packet, weight: float) -> None:
        """Replay a step (weight > 0) or undo it (the same weight, negative), exactly."""
        ...

    def replay(self, entries: Sequence[tuple[float, Packet]]) -> None:
        """`apply` of many weights and packets, one after another or at once."""
        ...

    def end_round(self, packets: Sequence[Packet]) -> None:
        """Every replica carries its momentum and norms on, given a round's accepted packets."""
        ...

    def flops(self, batch: Batch) -> float:
        """Floating-point operations of one estimate, from the counts of the blocks."""
        ...

    def cost(self, batch: Batch) -> StepCost:
        """What one estimate asks of a board."""
        ...

    def snapshot(self) -> dict[str, bytes]:
        """Everything that decides what comes next, to be stored; equal for equal replicas."""
        ...

    def restore(self, state: dict[str, bytes]) -> None:
        """Go back to a state; ValueError for one of another model or method."""
        ...
