"""The one-application oracle at work: it knows the outcome of every move, and makes the best."""

from typing import final

import numpy as np

from edgetwin.systems.thermal.branches import outcomes
from edgetwin.systems.thermal.chip import Array, Chip
from edgetwin.systems.thermal.choice import best_move
from edgetwin.systems.thermal.labels import soft_labels
from edgetwin.systems.thermal.managers import EPOCH_S
from edgetwin.systems.thermal.view import NO_TWIN, Orders, View
from hw_models.board_schema import Governor


@final
class Oracle:
    """Ratings are soft labels: what a perfect student would say.

    horizon: label by the temperature after HORIZON_S instead of the steady state. Labels follow
    from jobs and placement alone, so they are worked out when those change.
    """

    governor: Governor = "qos-dvfs"
    on_npu = False

    def __init__(self, *, least_gain: float = 0.02, horizon: bool = False) -> None:
        self.period_s = EPOCH_S
        self.least_gain, self.horizon = least_gain, horizon

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Forget all labels."""
        self._chip = chip
        self._known: tuple[Array, Array] | None = None

    def ratings(self, view: View) -> Array:
        """The label of every move, (n, k, cores)."""
        if view.truth is None:
            raise ValueError(NO_TWIN)
        now = np.concatenate([view.serial, view.unit], axis=1).astype(float)
        if self._known is None or self._known[0].shape != now.shape:
            shape = (*view.unit.shape, len(self._chip.cores))
            self._known = (np.full(now.shape, np.nan), np.zeros(shape))
        before, labels = self._known
        changed = np.flatnonzero((before != now).any(axis=1) | self.horizon)
        if len(changed):
            found = outcomes(
                self._chip, view.truth, changed, view.runs[changed], horizon=self.horizon
            )
            temp_c = found.later_c if self.horizon else found.temp_c
            labels[changed] = soft_labels(found, temp_c)
            before[changed] = now[changed]
        return labels

    def decide(self, view: View) -> Orders:
        """The move with the largest gain."""
        return Orders(moves=best_move(self.ratings(view), view, least_gain=self.least_gain))
