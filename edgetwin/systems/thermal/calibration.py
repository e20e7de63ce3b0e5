"""From a network's ratings to decisions: clusters, and the rating below which one is infeasible."""

from dataclasses import dataclass, replace
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.thermal.features import BUSY, CORES, OWN
from edgetwin.systems.thermal.scores import Judged, score

FLOORS: Final = tuple(round(float(f), 2) for f in np.arange(-1.0, 0.75, 0.05))
TOLERATED: Final = 0.02
DEEMED_INFEASIBLE: Final = 3.0
HALF_BUSY: Final = 0.5


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """floor: a core rated lower counts as infeasible; least_gain: a move must gain more than that.

    reliability: by tenths of the rating's range, [mean rating, share feasible, cores].
    """

    floor: float = -1.0
    least_gain: float = 0.1
    reliability: tuple[tuple[float, float, int], ...] = ()


def pooled(ratings: NDArray[Any], x: NDArray[np.float32]) -> NDArray[Any]:
    """Ratings (rows, 8) with each cluster's mean over its free cores in the place of every core.

    Cores of a cluster differ by hundredths of a kelvin, less than a network's or an int8 export's
    error: the first free one is taken. x (rows, 21) tells which cores are free.
    """
    free = (x[:, OWN] > 0.0) | (x[:, BUSY] < HALF_BUSY)
    found = np.empty(ratings.shape)
    for half in (slice(0, CORES // 2), slice(CORES // 2, CORES)):
        count = np.maximum(free[:, half].sum(axis=1, keepdims=True), 1)
        found[:, half] = (ratings * free)[:, half].sum(axis=1, keepdims=True) / count
    return found


def apply_floor(ratings: NDArray[Any], floor: float) -> NDArray[Any]:
    """Ratings with cores below the floor put behind all others, in their own order."""
    return np.where(ratings < floor, ratings - DEEMED_INFEASIBLE, ratings)


def calibrate(ratings: NDArray[Any], judged: Judged) -> Calibration:
    """The floor of the least cost among those that keep infeasible choices within 2 %.

    ratings (rows, cores), pooled, on programs that no weight was fitted to. Where no floor does,
    the one with the fewest.
    """
    found = [(floor, score(apply_floor(ratings, floor), judged)) for floor in FLOORS]
    kept = [one for one in found if one[1].infeasible <= TOLERATED]
    best = (
        min(kept, key=lambda one: one[1].cost_k)
        if kept
        else min(found, key=lambda one: (one[1].infeasible, one[1].cost_k))
    )
    return replace(Calibration(floor=best[0]), reliability=_reliability(ratings, judged))


def _reliability(ratings: NDArray[Any], judged: Judged) -> tuple[tuple[float, float, int], ...]:
    free = ~np.isnan(judged.temp_c)
    rated, feasible = ratings[free], judged.feasible[free]
    edges = np.quantile(rated, np.linspace(0.0, 1.0, 11))
    which = np.clip(np.searchsorted(edges, rated, side="right") - 1, 0, 9)
    return tuple(
        (float(rated[which == k].mean()), float(feasible[which == k].mean()), int(n))
        for k in range(10)
        if (n := (which == k).sum()) > 0
    )
