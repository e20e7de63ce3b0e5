"""From ratings to decisions: by cluster, with a handicap for the one that misses targets."""

from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.thermal.features import BUSY, CORES, OWN
from edgetwin.systems.thermal.scores import Judged, score

HANDICAPS: Final = tuple(round(float(h), 2) for h in np.arange(-0.2, 0.61, 0.05))
TOLERATED: Final = 0.02
HALF_BUSY: Final = 0.5


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """handicap: what LITTLE cores lose, which miss targets more often than big ones.

    least_gain: a move must gain more than that. reliability: by tenths of the rating's range,
    [mean rating, share feasible, cores].
    """

    handicap: float = 0.0
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


def handicapped(ratings: NDArray[Any], handicap: float) -> NDArray[Any]:
    """Ratings (..., cores), those of the first half of the cores lowered."""
    half = ratings.shape[-1] // 2
    return np.concatenate([ratings[..., :half] - handicap, ratings[..., half:]], axis=-1)


def calibrate(ratings: NDArray[Any], judged: Judged) -> Calibration:
    """The handicap of the least cost among those that keep infeasible choices within 2 %.

    ratings (rows, cores), pooled, on programs that no weight was fitted to. Where no handicap does,
    the one with the fewest infeasible choices.
    """
    half = ratings.shape[1] // 2
    found = [(h, score(handicapped(ratings, h), judged, half)) for h in HANDICAPS]
    kept = [one for one in found if one[1].infeasible <= TOLERATED]
    best = (
        min(kept, key=lambda one: one[1].cost_k)
        if kept
        else min(found, key=lambda one: (one[1].infeasible, one[1].cost_k))
    )
    return Calibration(handicap=best[0], reliability=_reliability(ratings, judged))


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
