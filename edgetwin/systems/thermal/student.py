"""The student at work: rates moves by its network, makes the one that gains most."""

from pathlib import Path
from typing import Final, final

import numpy as np

from edgetwin.systems.thermal.calibration import handicapped, pooled
from edgetwin.systems.thermal.chip import Array, Chip
from edgetwin.systems.thermal.choice import SETTLE_S, best_move
from edgetwin.systems.thermal.features import CORES, features
from edgetwin.systems.thermal.managers import EPOCH_S
from edgetwin.systems.thermal.policy_file import PolicyFile, load
from edgetwin.systems.thermal.swaps import WithSwaps
from edgetwin.systems.thermal.view import Orders, View
from hw_models.board_schema import Governor

SHIPPED: Final = Path(__file__).parent / "student.onnx"


@final
class Student:
    """Imitates the oracle from counters, clocks and utilisation; all programs in one batch."""

    governor: Governor = "qos-dvfs"
    on_npu = True

    def __init__(self, source: str | Path | bytes | PolicyFile = SHIPPED) -> None:
        self.period_s = EPOCH_S
        self.file = source if isinstance(source, PolicyFile) else load(source)

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Learn the clusters."""
        self._chip = chip

    def ratings(self, view: View) -> Array:
        """The network's rating of every core for every running job, (n, k, cores)."""
        x = features(view, self._chip)
        found = np.zeros((*view.unit.shape, CORES))
        if view.runs.any():
            found[view.runs] = pooled(self.file.rate(x[view.runs]), x[view.runs])
        return handicapped(found, self.file.calibration.handicap)

    def decide(self, view: View) -> Orders:
        """The move with the largest gain, if it is worth it; who has just moved stays."""
        least = self.file.calibration.least_gain
        moves = best_move(self.ratings(view), view, least_gain=least, settle_s=SETTLE_S)
        return Orders(moves=moves)


def shipped() -> WithSwaps:
    """The student as shipped, at work."""
    return WithSwaps(Student())
