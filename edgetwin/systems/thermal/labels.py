"""From outcomes of moves to what a student learns: soft labels, and codes for what cannot be."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.thermal.branches import Outcomes
from edgetwin.systems.thermal.chip import Array

ALPHA_PER_K: Final = 1.0
INFEASIBLE: Final = -1.0
OCCUPIED: Final = 0.0
SHORT_BY: Final = 0.05


def coolest_c(temp_c: Array, feasible: NDArray[np.bool_]) -> Array:
    """The lowest temperature among the feasible cores, (..., 1), infinite without any."""
    return np.asarray(np.where(feasible, temp_c, np.inf).min(axis=-1, keepdims=True))


def soft_labels(found: Outcomes, temp_c: Array) -> Array:
    """Labels (n, k, cores) of moves under one of the outcomes' temperatures.

    exp(-alpha (T - min T)) on feasible cores, -1 on infeasible ones, 0 on occupied ones. Where no
    core is feasible, a free one has -1 + exp(-(best - own) / 0.05) by its rate over target: the
    least bad one is still worth finding.
    """
    feasible, free = found.feasible, found.free
    least_c = coolest_c(temp_c, feasible)
    with np.errstate(invalid="ignore"):
        warm = np.exp(-ALPHA_PER_K * (temp_c - least_c))
        worst = np.minimum(found.own, found.others)
        best = np.where(free, worst, -np.inf).max(axis=2, keepdims=True)
        short = INFEASIBLE + np.exp(-(best - worst) / SHORT_BY)
    none = ~feasible.any(axis=2, keepdims=True)
    return np.where(feasible, warm, np.where(free, np.where(none, short, INFEASIBLE), OCCUPIED))
