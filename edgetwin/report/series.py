"""A long series drawn with few points, and told in a few figures."""

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

MAX_POINTS = 2000

Floats = npt.NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A series in words: finite samples, extremes, mean over time. None where there is none."""

    n: int
    low: float | None
    mean: float | None
    high: float | None


def decimate(t_s: Floats, values: Floats, max_points: int = MAX_POINTS) -> tuple[Floats, Floats]:
    """The eye sees extremes: the least and greatest value of every bucket stay.

    `t_s` and `values` are (n,), in time order; what is not finite is a gap. Kept are the first
    and last sample, the extremes of equal buckets of samples, and one NaN for every gap between
    two kept samples, so no line is ever drawn across a gap. At most `max_points` (>= 8) return.
    """
    if max_points < 8:
        raise ValueError(f"max_points is {max_points}; give at least 8.")
    values = np.where(np.isfinite(values), values, np.nan)
    if len(values) <= max_points:
        return t_s, values
    gaps = np.flatnonzero(np.isnan(values))
    buckets = (max_points - 3) // 4 if len(gaps) else (max_points - 2) // 2
    kept = np.union1d(_extremes(values, buckets), (0, len(values) - 1))
    kept = np.union1d(kept, _gaps_between(kept, gaps))
    return t_s[kept], values[kept]


def summarise(t_s: Floats, values: Floats, *, step: bool = False) -> Summary:
    """The mean is over time, not over samples: events come unevenly.

    Between samples the value is straight (trapezoid), or with `step` it holds; gaps count for
    nothing. Samples at one single instant are averaged.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Summary(n=0, low=None, mean=None, high=None)
    mean = _mean(t_s, np.where(np.isfinite(values), values, np.nan), step)
    low, high = float(known.min()), float(known.max())
    return Summary(n=len(known), low=low, mean=mean, high=high)


def _mean(t_s: Floats, values: Floats, step: bool) -> float:
    """The integral over the stretches whose ends are known, by their duration."""
    known = ~np.isnan(values[:-1] + values[1:])
    dt_s = np.diff(t_s)[known]
    if not dt_s.sum():
        return float(np.nanmean(values))
    heights = values[:-1] if step else 0.5 * (values[:-1] + values[1:])
    return float(np.average(heights[known], weights=dt_s))


def _extremes(values: Floats, buckets: int) -> npt.NDArray[np.intp]:
    """Where each bucket is least and greatest; a bucket of gaps has neither."""
    width = -(-len(values) // buckets)
    padded = np.full(width * buckets, np.nan)
    padded[: len(values)] = values
    rows = padded.reshape(buckets, width)
    known = ~np.isnan(rows).all(axis=1)
    starts = np.flatnonzero(known) * width
    least, greatest = np.nanargmin(rows[known], axis=1), np.nanargmax(rows[known], axis=1)
    return np.concatenate((starts + least, starts + greatest))


def _gaps_between(kept: npt.NDArray[np.intp], gaps: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The first gap after every kept sample that has one before the next kept sample."""
    nearest = np.searchsorted(gaps, kept[:-1], side="right")
    first = np.append(gaps, np.iinfo(np.intp).max)[nearest]
    return first[first < kept[1:]]
