"""Swaps: while big is full, who is furthest behind on LITTLE changes places with who is ahead.

A target is kept or missed by the mean rate over a program's life. On a full big cluster some
program runs ahead of its target, since the clock is that of the most demanding one, while another
that LITTLE is too slow for cannot come. Counters tell both, and what each has got or lost so far;
a program that falls behind after a swap is the next to be swapped back.
"""

from typing import Final, final

import numpy as np

from edgetwin.systems.thermal.chip import Array, Chip, Whole
from edgetwin.systems.thermal.choice import SETTLE_S
from edgetwin.systems.thermal.managers import BIG, LITTLE
from edgetwin.systems.thermal.view import NOBODY, Manager, Orders, View
from hw_models.board_schema import Governor

BEHIND_S: Final = 0.5
"""A program asks for a swap when it is behind by more than one epoch's work at its target."""
LEAST_GAP_S: Final = 2.0
"""And only with one that is ahead of it by more than it will have to stay for."""


@final
class WithSwaps:
    """A manager of single moves; on boards where it makes none, a swap if one is due."""

    def __init__(self, manager: Manager) -> None:
        self.manager = manager
        self.period_s = manager.period_s
        self.governor: Governor = manager.governor
        self.on_npu = manager.on_npu

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Forget who is ahead."""
        self.manager.begin(chip, boards, seed)
        self._chip = chip
        self._serial = np.zeros((boards, 0), np.int64)
        self._ahead_s = np.zeros((boards, 0))

    def decide(self, view: View) -> Orders:
        """The manager's move, or two programs that change places."""
        orders = self.manager.decide(view)
        moves = np.concatenate([orders.moves, np.full_like(orders.moves, NOBODY)], axis=1)
        still = orders.moves[:, 0, 0] < 0
        swaps = due_swaps(view, self.ahead_s(view), self._chip)
        return Orders(moves=np.where(still[:, None, None], swaps, moves), levels=orders.levels)

    def ahead_s(self, view: View) -> Array:
        """How far each program is ahead of its target, in seconds of work at it, (n, k).

        The measured rate counts for the period that has passed; negative: behind.
        """
        more = view.serial.shape[1] - self._serial.shape[1]
        if more > 0:
            self._serial = np.pad(self._serial, ((0, 0), (0, more)))
            self._ahead_s = np.pad(self._ahead_s, ((0, 0), (0, more)))
        same = view.runs & (view.serial == self._serial) & (view.target > 0.0)
        gained = view.rate / np.where(same, view.target, 1.0) - 1.0
        self._ahead_s = np.where(same, self._ahead_s + gained * self.period_s, 0.0)
        self._serial = view.serial.copy()
        return self._ahead_s


def due_swaps(view: View, ahead_s: Array, chip: Chip) -> Whole:
    """The swap that is due on each board, (n, 2, 2) as in `Orders`; ahead_s (n, k).

    None while a big core is free, or where a program has just moved or shares its core.
    """
    on = view.on_core(len(chip.cores))
    cluster = view.cluster(chip)
    alone = np.take_along_axis(on, np.maximum(view.unit, 0), axis=1) == 1
    may = alone & (view.rest_s >= SETTLE_S) & (view.target > 0.0)
    behind_s = np.where(may & (cluster == LITTLE), ahead_s, np.inf)
    lead_s = np.where(may & (cluster == BIG), ahead_s, -np.inf)
    last, first = behind_s.argmin(axis=1), lead_s.argmax(axis=1)
    least_s, most_s = behind_s.min(axis=1), lead_s.max(axis=1)
    is_full = (on[:, chip.cluster == BIG] > 0).all(axis=1)
    due = np.flatnonzero(is_full & (least_s < -BEHIND_S) & (most_s - least_s > LEAST_GAP_S))
    swaps = np.full((len(on), 2, 2), NOBODY)
    for at, (job, other) in enumerate(((last, first), (first, last))):
        swaps[due, at, 0] = job[due]
        swaps[due, at, 1] = view.unit[due, other[due]]
    return swaps
