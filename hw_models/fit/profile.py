"""Likelihood intervals where the quadratic picture fails.

A parameter is moved by its 90 % error to either side, the others with it as the quadratic picture
says. Where the cost then is not what that picture promised, the others are optimised anew and the
bound is put where the profiled cost reaches its threshold, taken as a parabola through that point.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.covariance import Spread
from hw_models.fit.solver import Problem, minimise

Array = NDArray[np.float64]
Bounds = dict[int, tuple[float, float]]

# 90 % of a normal distribution, in standard errors to either side.
NINETY: Final = 1.6449
_OFF_SHARE: Final = 0.3
_MOST_PROFILED: Final = 3


def intervals(
    problem: Problem, z: Array, spread: Spread, low: Array, high: Array, known: list[int]
) -> Bounds:
    """90 % intervals (low, high) in z of those of the known parameters that need one.

    At most three, those whose cost is furthest from the quadratic picture; the threshold allows
    for correlated residuals as the standard error does.
    """
    plain = np.asarray(np.linalg.inv(spread.information + np.eye(len(z))), dtype=np.float64)
    std = np.sqrt(np.diag(spread.covariance))
    rise = 0.5 * NINETY**2 * np.diag(spread.covariance) / np.diag(plain)
    cost = problem.cost(z)
    off: dict[int, float] = {}
    for i in known:
        direction = plain[:, i] / plain[i, i] * NINETY * std[i]
        ends = [np.clip(z + side * direction, low, high) for side in (-1.0, 1.0)]
        off[i] = max(abs((problem.cost(end) - cost) / rise[i] - 1.0) for end in ends)
    worst = sorted((i for i in known if off[i] > _OFF_SHARE), key=lambda i: -off[i])
    return {
        i: (
            _bound(problem, z, -1.0, i, plain, float(std[i]), cost, float(rise[i]), low, high),
            _bound(problem, z, 1.0, i, plain, float(std[i]), cost, float(rise[i]), low, high),
        )
        for i in worst[:_MOST_PROFILED]
    }


def _bound(
    problem: Problem,
    z: Array,
    side: float,
    i: int,
    plain: Array,
    std: float,
    cost: float,
    rise: float,
    low: Array,
    high: Array,
) -> float:
    """Where the profiled cost has risen by `rise`, to one side of z[i]."""
    start = np.clip(z + side * plain[:, i] / plain[i, i] * NINETY * std, low, high)
    held_low, held_high = low.copy(), high.copy()
    held_low[i] = held_high[i] = start[i]
    found = minimise(problem, start, held_low, held_high, most=2, enough=0.1 * rise)
    risen = max(found.linear.cost - cost, 0.05 * rise)
    return float(np.clip(z[i] + (start[i] - z[i]) * np.sqrt(rise / risen), low[i], high[i]))
