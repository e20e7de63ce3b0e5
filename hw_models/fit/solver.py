"""Bounded least squares: Levenberg-Marquardt on the normal equations, inside a box.

A problem gives half its weighted sum of squares, and with it gradient and Gauss-Newton matrix. The
damping follows Nielsen (1999, IMM-REP-1999-05); parameters that push against a bound are held
there for the step.
"""

from dataclasses import dataclass
from typing import Final, Protocol, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A step that promises less than this share of the cost is no step.
_ENOUGH: Final = 1e-10
_MOST_TRIES: Final = 12


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A problem at a point: cost = sum(w r^2) / 2, gradient (p,), gram (p, p) = J^T W J."""

    cost: float
    gradient: Array
    gram: Array


class Problem(Protocol):
    """What can be minimised: cost alone, and with its derivatives."""

    def cost(self, z: Array) -> float: ...
    def linear(self, z: Array) -> Linear: ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """The point (p,), the problem there, whether steps had become too small to matter."""

    z: Array
    linear: Linear
    has_converged: bool


def minimise(
    problem: Problem,
    start: Array,
    low: Array,
    high: Array,
    *,
    most: int = 40,
    enough: float = 0.0,
) -> Solution:
    """The nearest minimum inside the box, from start (p,) in at most `most` linearisations.

    low and high (p,) may be infinite. A step that promises to lower the cost by less than `enough`
    is the last. ValueError where the start has no finite cost.
    """
    z = np.clip(start, low, high)
    here = problem.linear(z)
    if not np.isfinite(here.cost):
        raise ValueError("the model gives no finite residual at the start; check start and data.")
    damping, growth = 1e-4, 2.0
    for _ in range(most - 1):
        for _ in range(_MOST_TRIES):
            step = damped_step(here, z, low, high, damping)
            promised = -float(here.gradient @ step) - 0.5 * float(step @ here.gram @ step)
            if promised <= max(_ENOUGH * here.cost, enough):
                return Solution(z=z, linear=here, has_converged=True)
            cost = problem.cost(z + step)
            gain = (here.cost - cost) / promised if np.isfinite(cost) else -1.0
            if gain > 1e-4:
                break
            damping, growth = damping * growth, growth * 2.0
        else:
            return Solution(z=z, linear=here, has_converged=True)
        z = z + step
        damping, growth = max(damping * max(1 / 3, 1 - (2 * gain - 1) ** 3), 1e-12), 2.0
        here = problem.linear(z)
    return Solution(z=z, linear=here, has_converged=False)


def damped_step(here: Linear, z: Array, low: Array, high: Array, damping: float) -> Array:
    """The step (p,) that stays in the box, parameters held at the bounds they push against."""
    scale = np.maximum(np.diag(here.gram), 1e-300)
    is_free = ~(((z <= low) & (here.gradient > 0)) | ((z >= high) & (here.gradient < 0)))
    is_free &= scale > 1e-200
    step = np.zeros_like(z)
    while is_free.any():
        at = np.flatnonzero(is_free)
        matrix = here.gram[np.ix_(at, at)] + np.diag(damping * scale[at])
        held = here.gradient[at] + here.gram[np.ix_(at, ~is_free)] @ step[~is_free]
        root = np.sqrt(np.diag(matrix))
        step[at] = -_solved(matrix / root / root[:, None], held / root) / root
        beyond = is_free & ((z + step < low) | (z + step > high))
        if not beyond.any():
            return step
        step[beyond] = np.clip(z + step, low, high)[beyond] - z[beyond]
        is_free &= ~beyond
    return step


def _solved(matrix: Array, right: Array) -> Array:
    """The least squares solution of least length of a symmetric system."""
    try:
        return np.asarray(np.linalg.solve(matrix, right))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(matrix, right, rcond=None)[0])
