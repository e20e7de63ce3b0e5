"""Correcting a plan while training runs: readings say how far the belief was off, caps change.

The board under the job is not the one that was profiled: it is warmer, older, another specimen.
What its sensor says of the running cell moves the believed power of all cells by one factor, slowly
(readings are noisy). The choice is made again whenever
the cap or the factor has moved enough.
"""

from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np

from edgetwin.systems.planner.choice import CONFIDENCE, Cell, Planner

NO_CAP_W: Final = 1e6
_GAIN: Final = 0.02  # of a reading in the factor
_MOVED: Final = 0.005  # a factor that moved by less changes no plan


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one reading says: the cap now, and the mean power of the cell that runs.

    batch is the one that runs, where a script may not follow at once; None: that of the cell.
    """

    cap_w: float
    power_w: float | None
    batch: int | None = None


@final
class Online:
    """A plan that is kept right: `decide` takes a reading and gives the cell to run from now on.

    factor is how much more power the board draws than was believed. A board that draws less may
    only be cold yet: that counts with `may_raise` alone. settle readings after a change are not
    counted: the sensor still averages the cell before.
    """

    def __init__(
        self,
        planner: Planner,
        *,
        confidence: float = CONFIDENCE,
        settle: int = 2,
        may_raise: bool = False,
    ) -> None:
        self.planner, self.confidence, self.settle = planner, confidence, settle
        self.may_raise = may_raise
        self.factor = 1.0
        self.cell: Cell | None = None
        self.changes = 0
        self._cap_w = 0.0
        self._planned_at = 1.0
        self._quiet = 0

    def know(self, planner: Planner) -> None:
        """More cells have been measured: plan anew at the next reading."""
        self.planner, self._cap_w = planner, 0.0

    def decide(self, seen: Seen) -> Cell:
        """The cell to run: the same as before unless the cap or the factor moved.

        With nothing below the cap it is the cell of the lowest power: it comes nearest.
        """
        self._learn(seen)
        factor = self._factor()
        moved = abs(factor / self._planned_at - 1.0) > _MOVED
        if self.cell is None or seen.cap_w != self._cap_w or moved:
            chosen = self._plan(seen.cap_w / factor)
            if self.cell is None or chosen.at != self.cell.at:
                self.changes += 1
                self._quiet = self.settle
            self.cell = chosen
            self._cap_w, self._planned_at = seen.cap_w, factor
        return self.cell

    def keeping(self, batch: int) -> Cell:
        """The cell to run below the last cap while a script still trains with this batch size."""
        return self._plan(self._cap_w / self._factor(), batch)

    def _factor(self) -> float:
        return self.factor if self.may_raise else max(self.factor, 1.0)

    def _learn(self, seen: Seen) -> None:
        if self._quiet > 0:
            self._quiet -= 1
            return
        if seen.power_w is None or self.cell is None:
            return
        if seen.batch not in (None, self.cell.label["batch"]):
            return
        now = seen.power_w / self.cell.mean_power_w
        self.factor += _GAIN * (now - self.factor)

    def _plan(self, cap_w: float, batch: int | None = None) -> Cell:
        try:
            return self.planner.plan(
                cap_w, confidence=self.confidence, may_predict=True, batch=batch
            ).choice
        except ValueError:
            peak_w = self.planner.belief.peak_w
            if batch is not None:
                peak_w = np.where(self.planner.space.batch == batch, peak_w, np.inf)
            return replace(self.planner.cell(int(peak_w.argmin()), cap_w), confidence=0.0)
