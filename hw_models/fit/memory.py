"""How long residuals remember: autocovariances, and how many readings count as one."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LONGEST_SHARE: Final = 0.25


def pooled_lags(series: Sequence[Array]) -> Array:
    """Autocovariance (lags,) of several runs' residuals, tapered to nothing where it is noise.

    Flat up to the first lag whose correlation is below two standard errors of none, then straight
    down to 0 at three times that lag, which is at most a quarter of the longest run.
    """
    rows = sum(len(s) for s in series)
    longest = max(len(s) for s in series)
    total = np.zeros(longest)
    for s in series:
        size = 2 * len(s)
        squares = np.abs(np.fft.rfft(s, size)) ** 2
        total[: len(s)] += np.fft.irfft(squares, size)[: len(s)]
    total /= rows
    if total[0] <= 0:
        return np.zeros(1)
    quiet = np.flatnonzero(total < 2.0 / np.sqrt(rows) * total[0])
    end = int(quiet[0]) if len(quiet) else longest
    width = int(np.clip(3 * end, 1, max(_LONGEST_SHARE * longest, 1)))
    lag = np.arange(width)
    taper = np.clip((1.0 - lag / width) * 1.5, 0.0, 1.0)
    return np.asarray(total[:width] * taper)


def correlated_readings(lags: Array) -> float:
    """How many readings in a row are worth one independent one, from an autocovariance; >= 1."""
    if lags[0] <= 0:
        return 1.0
    return max(1.0, float(lags[0] + 2.0 * lags[1:].sum()) / float(lags[0]))
