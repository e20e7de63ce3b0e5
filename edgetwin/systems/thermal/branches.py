"""The outcome of every move: each job on each free core, under the lowest clocks that suffice.

The twin is branched for all placements of an application of interest at once, in compiled code on
copies of its state. A branch is not stepped: under constant inputs the 50 ms rule comes to rest
at clocks that follow from the rates, and heat at a steady state that follows from the power, both
by the kernel's own functions (`edgetwin.kernel.outlook`); tests hold the outcome against
branches that the simulator steps.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.outlook import ahead_s
from edgetwin.kernel.state import QOS_SHARE
from edgetwin.systems.thermal.chip import Array, Chip
from edgetwin.systems.thermal.compiled.judge import judge
from edgetwin.systems.thermal.truth import Truth

LONGEST = 1
HORIZON_S = ahead_s(0.05, LONGEST)
"""How far the finite horizon looks on boards with a control period of 50 ms."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What becomes of moving job j of board i to core c, all (n, k, cores); NaN: c is occupied.

    temp_c: the SoC zone in steady state; later_c: after HORIZON_S from now; own: the job's rate
    over its target; others: the least such ratio among the other jobs of the board.
    """

    temp_c: Array
    later_c: Array
    own: Array
    others: Array

    @property
    def free(self) -> NDArray[np.bool_]:
        """Cores that are free, or the job's own."""
        return ~np.isnan(self.temp_c)

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Cores on which the job and, as far as it is up to this move, all others keep targets.

        A job that is too slow wherever the moved one goes does not count against the move.
        """
        others = np.where(self.free, self.others, -np.inf)
        best = others.max(axis=2, keepdims=True)
        kept = others >= np.minimum(QOS_SHARE, best - 1e-9)
        return np.asarray(self.free & kept & (np.where(self.free, self.own, 0.0) >= QOS_SHARE))


def outcomes(
    chip: Chip,
    truth: Truth,
    which: NDArray[np.int64],
    asked: NDArray[np.bool_],
    *,
    horizon: bool = True,
) -> Outcomes:
    """The outcome of every move of the jobs asked for, asked (k, places), on boards which (k,).

    Without horizon later_c stays NaN, for half the time.
    """
    shape = (*asked.shape, len(chip.cores))
    found = np.full((4, *shape), np.nan)
    judge(
        truth.states(which), truth.records, truth.of_board[which], truth.tables, asked,
        len(chip.cores), chip.clusters, LONGEST * horizon, found[0], found[1], found[2], found[3],
    )  # fmt: skip
    return Outcomes(temp_c=found[0], later_c=found[1], own=found[2], others=found[3])
