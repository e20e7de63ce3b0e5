"""Zero-order methods of federated learning: one optimiser, and what each makes of it."""

from collections.abc import Sequence
from typing import final

from edgetwin.systems.federated.batch import Batch
from edgetwin.systems.federated.method import Counts, StepCost
from edgetwin.systems.federated.noise import bits
from edgetwin.systems.federated.packet import Packet
from edgetwin.systems.federated.split_zo import SplitZO


@final
class ZeroOrder:
    """A `SplitZO` as a method of a federation.

    With shares_seeds all clients of a round take the same noise, so that their scalars can be
    averaged. With a pool every step draws its noise from so many candidates, fixed for the run
    by pool_seed: the weights are then the start plus one sum of steps per candidate.
    """

    def __init__(
        self,
        name: str,
        optimizer: SplitZO,
        counted: Counts,
        *,
        shares_seeds: bool = False,
        pool: int | None = None,
        pool_seed: int = 0,
    ) -> None:
        if pool is not None and pool < 1:
            raise ValueError(f"a pool of {pool} seeds; give one or more.")
        self.name, self.optimizer, self.shares_seeds = name, optimizer, shares_seeds
        self.form = optimizer.form
        self.pool, self.pool_seed = pool, pool_seed
        self._counted = counted

    def candidate(self, seed: int) -> int:
        """Which of the pool's seeds a step draws."""
        if self.pool is None:
            raise ValueError(f"{self.name} has no pool of seeds.")
        low, high, *_ = bits.words(seed, bits.POOL)
        return (high << 32 | low) % self.pool

    def noise_seed(self, seed: int) -> int:
        """The seed that makes a step's noise."""
        return (
            seed if self.pool is None else bits.derived_seed(self.pool_seed, self.candidate(seed))
        )

    def estimate(self, batch: Batch, seed: int) -> Packet:
        """As `Method.estimate`."""
        return self.optimizer.estimate(batch, seed, noise_seed=self.noise_seed(seed))

    def estimates(self, drawn: Sequence[tuple[int, Batch]]) -> list[Packet]:
        """As `Method.estimates`, in fewer passes over the weights."""
        return self.optimizer.estimates(drawn, [self.noise_seed(seed) for seed, _ in drawn])

    def apply(self, packet: Packet, weight: float) -> None:
        """As `Method.apply`."""
        self.optimizer.apply(packet, weight, noise_seed=self.noise_seed(packet.seed))

    def replay(self, entries: Sequence[tuple[float, Packet]]) -> None:
        """As `Method.replay`, in one pass over the weights."""
        self.optimizer.replay(entries, [self.noise_seed(packet.seed) for _, packet in entries])

    def end_round(self, packets: Sequence[Packet]) -> None:
        """As `Method.end_round`."""
        self.optimizer.end_round(packets)

    def flops(self, batch: Batch) -> float:
        """Sum over blocks of forward calls times the FLOPs of one."""
        return self.optimizer.how.flops(self._counted(batch))

    def cost(self, batch: Batch) -> StepCost:
        """Noise is added once per sign, once to go back and once to learn."""
        how = self.optimizer.how
        passes = 4 if how.difference == "central" else 3
        values = sum(
            passes * n * g.n for n, g in zip(how.counts, self.optimizer.grids, strict=True)
        )
        replayed = sum(n * g.n for n, g in zip(how.groups, self.optimizer.grids, strict=True))
        return StepCost(
            flops=self.flops(batch),
            call_share=how.flops(self._counted(batch)) / sum(self._counted(batch)),
            noise_values=float(values),
            replay_values=float(replayed),
        )

    def snapshot(self) -> dict[str, bytes]:
        """As `Method.snapshot`."""
        return self.optimizer.snapshot()

    def restore(self, state: dict[str, bytes]) -> None:
        """As `Method.restore`."""
        self.optimizer.restore(state)
