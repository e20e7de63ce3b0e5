"""How many times more one method needs than another, over seeds, with an interval."""

import numpy as np
from numpy.typing import NDArray

DRAWS = 10_000


def ratio_interval(
    more: NDArray[np.float64], less: NDArray[np.float64], confidence: float = 0.9
) -> dict[str, float]:
    """Ratio of means over seeds, and its bootstrap interval: {value, low, high}.

    Seeds are drawn with repetition, apart for the two methods. A run that did not arrive is
    infinite, and so is then the mean.
    """
    rng = np.random.default_rng(0)
    draws = [
        values[rng.integers(len(values), size=(DRAWS, len(values)))] for values in (more, less)
    ]
    ratios = draws[0].mean(axis=1) / draws[1].mean(axis=1)
    low, high = np.quantile(ratios, [(1 - confidence) / 2, (1 + confidence) / 2])
    return {"value": float(more.mean() / less.mean()), "low": float(low), "high": float(high)}
