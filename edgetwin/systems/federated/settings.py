"""How a zero-order step perturbs, pairs and combines; what it costs follows from that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

Coupling = Literal["joint", "centred", "decoupled"]
Difference = Literal["central", "forward"]
COUPLINGS: tuple[Coupling, ...] = ("joint", "centred", "decoupled")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Perturbing:
    """Perturbations per block, and how losses become projected gradients.

    counts are perturbations of each block, first to last; those of a block are spread evenly over
    the activations that the perturbations of the block before have left ("the tree"), so each
    count is a multiple of what hangs above it. Couplings:

    * joint: all blocks of a branch move with the same sign, and one difference serves all of
      them. With one perturbation each this is SPSA. Every scalar carries the whole model's noise.
    * centred: the same evaluations; a later block's scalar minus the mean of its siblings
      (times m / (m - 1)), which takes the blocks before it out of its noise.
    * decoupled: a perturbation is evaluated with both signs at one and the same activation, so a
      block's scalar carries its own noise and that of deeper blocks only in second order.

    central takes f(+eps) - f(-eps), forward f(+eps) - f(0). With shared, children of different
    parents have the same noise, and their scalars are averaged. wide takes nearly Gaussian noise.
    """

    counts: tuple[int, ...] = (1, 4)
    coupling: Coupling = "decoupled"
    difference: Difference = "central"
    shared: bool = False
    wide: bool = False
    eps: float = 2.0**-10

    def __post_init__(self) -> None:
        if self.coupling not in COUPLINGS or self.difference not in ("central", "forward"):
            raise ValueError(
                f"{self.coupling!r} with {self.difference!r} differences; give a coupling of "
                f"{', '.join(COUPLINGS)} and 'central' or 'forward'."
            )
        if not self.eps > 0:
            raise ValueError(f"eps is {self.eps}; give a positive number such as 2**-10.")
        if not self.counts or min(self.counts) < 1:
            raise ValueError(f"counts are {self.counts}; give one perturbation or more a block.")
        for block in range(1, len(self.counts)):
            self._check_children(block)

    def _check_children(self, block: int) -> None:
        parents, count = self.parents(block), self.counts[block]
        if count % parents:
            raise ValueError(
                f"block {block + 1} has {count} perturbations and {parents} activations to spread "
                f"them over; give a multiple of {parents}."
            )
        if self.coupling == "centred" and count // parents < 2:
            raise ValueError(
                f"centred needs two perturbations or more per activation; block {block + 1} has "
                f"{count // parents}."
            )

    def parents(self, block: int) -> int:
        """Activations over which the perturbations of a block are spread."""
        if block == 0 or (self.difference == "forward" and self.coupling == "decoupled"):
            return 1
        signs = 2 if self.coupling == "decoupled" else 1
        return signs * self.counts[block - 1]

    def children(self, block: int) -> int:
        """Perturbations of a block at each of its parents."""
        return self.counts[block] // self.parents(block)

    @property
    def groups(self) -> tuple[int, ...]:
        """Scalars per block in a packet."""
        if not self.shared:
            return self.counts
        return tuple(self.children(block) for block in range(len(self.counts)))

    @property
    def calls(self) -> tuple[int, ...]:
        """Forward calls of each block in one estimate: 2 * counts for central differences."""
        if self.difference == "central":
            return tuple(2 * count for count in self.counts)
        if self.coupling == "decoupled":
            return tuple(1 + sum(self.counts[: b + 1]) for b in range(len(self.counts)))
        return tuple(1 + count for count in self.counts)

    def flops(self, block_flops: Sequence[float]) -> float:
        """Floating-point operations of one estimate from those of one call of each block."""
        if len(block_flops) != len(self.counts):
            raise ValueError(f"{len(block_flops)} blocks and counts for {len(self.counts)}.")
        return float(sum(n * f for n, f in zip(self.calls, block_flops, strict=True)))
