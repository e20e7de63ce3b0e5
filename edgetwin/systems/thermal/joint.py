"""The joint oracle: the best placement of all programs together, swaps included.

It tells how much is lost by looking at one application at a time.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.state import SLOTS
from edgetwin.systems.thermal.chip import Array, Chip, Whole
from edgetwin.systems.thermal.compiled.joint import place_all
from edgetwin.systems.thermal.managers import EPOCH_S
from edgetwin.systems.thermal.truth import Truth
from edgetwin.systems.thermal.view import NO_TWIN, NOBODY, Orders, View
from hw_models.board_schema import Governor


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Placements:
    """The best placement of k boards: unit (k, SLOTS), targets it misses, its steady temp_c (k,).

    asked (k,): placements that were evaluated to find it.
    """

    unit: Whole
    missed: Whole
    temp_c: Array
    asked: Whole


def best_placements(chip: Chip, truth: Truth, which: NDArray[np.int64]) -> Placements:
    """Fewest missed targets, then the coolest SoC in steady state, on boards which (k,)."""
    return _placed(chip, truth, which, len(chip.cores))


def placements_as_they_are(chip: Chip, truth: Truth, which: NDArray[np.int64]) -> Placements:
    """What boards which (k,) come to if nothing is moved any more."""
    return _placed(chip, truth, which, 0)


def _placed(chip: Chip, truth: Truth, which: NDArray[np.int64], cores: int) -> Placements:
    """The search over so many cores; with none, placements stay."""
    k = len(which)
    unit = np.full((k, SLOTS), NOBODY)
    missed, asked = np.zeros((2, k), np.int64)
    temp_c = np.zeros(k)
    place_all(
        truth.states(which), truth.records, truth.of_board[which], truth.tables, cores,
        chip.clusters, unit, missed, temp_c, asked,
    )  # fmt: skip
    return Placements(unit=unit, missed=missed, temp_c=temp_c, asked=asked)


@final
class JointOracle:
    """Works out the best placement when programs come or go, and carries it out.

    One program moves per epoch, or two where both take a core that the other leaves.
    """

    governor: Governor = "qos-dvfs"
    on_npu = False

    def __init__(self) -> None:
        self.period_s = EPOCH_S

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Forget all plans."""
        self._chip = chip
        self._serial = np.full((boards, SLOTS), NOBODY)
        self._goal = np.full((boards, SLOTS), NOBODY)

    def decide(self, view: View) -> Orders:
        """The next move or swap towards the best placement."""
        if view.truth is None:
            raise ValueError(NO_TWIN)
        changed = np.flatnonzero((view.serial != self._serial).any(axis=1))
        if len(changed):
            self._goal[changed] = best_placements(self._chip, view.truth, changed).unit
            self._serial[changed] = view.serial[changed]
        moves = np.full((len(view.t_s), 2, 2), NOBODY)
        for i in np.flatnonzero((view.runs & (view.unit != self._goal)).any(axis=1)):
            moves[i] = _next(view.unit[i], self._goal[i])
        return Orders(moves=moves)


def _next(unit: Whole, goal: Whole) -> Whole:
    """A move to an empty core if there is one to make, else one to a taken core, and back."""
    moves = np.full((2, 2), NOBODY)
    away = np.flatnonzero((unit != goal) & (unit >= 0) & (goal >= 0))
    taken = set(unit[unit >= 0].tolist())
    to_empty = [j for j in away if goal[j] not in taken]
    if to_empty:
        moves[0] = to_empty[0], goal[to_empty[0]]
    elif len(away):
        j = away[0]
        moves[0] = j, goal[j]
        other = np.flatnonzero(unit == goal[j])
        moves[1] = other[0], unit[j]
    return moves
