"""From a problem to an estimate: several starts, noise as it turns out to be, error bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.covariance import Spread, spread
from hw_models.fit.places import NOT_PINNED_STD, Place
from hw_models.fit.prepared import thinned
from hw_models.fit.problem import Block, TraceProblem
from hw_models.fit.profile import Bounds, intervals
from hw_models.fit.solver import Solution, minimise

Array = NDArray[np.float64]

_FIRST_LOOK_ROWS: Final = 600
_STARTS: Final = 3
# Half a chi-squared: steps of a tenth of a standard error are not worth taking.
_ENOUGH: Final = 1e-2
_START_STD: Final = 0.5


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Where a problem has its minimum, and how sharp it is.

    problem is the solved one, with the noise found, z (p,) its minimum; still are the numbers that
    move nothing at all and were left out; intervals (low, high) in z at 90 %, by index, of those
    that are not as the quadratic picture has them; rms by signal in its unit; log_misfit is the
    mean over signals of ln(rms^2 in units of the sensor's noise).
    """

    problem: TraceProblem
    still: tuple[Place, ...]
    z: Array
    spread: Spread
    intervals: Bounds
    has_converged: bool
    rms: Mapping[str, float]

    @property
    def log_misfit(self) -> float:
        """How far off the model is, for comparing models of the same readings."""
        return float(np.mean([2.0 * np.log(scale) for scale in self.problem.scales.values()]))


def estimate(problem: TraceProblem, seed: int) -> Estimate:
    """The best minimum of several starts on a thinned problem, finished on all readings."""
    first = replace(
        problem,
        runs=tuple(thinned(run, _rows_each(problem)) for run in problem.runs),
    )
    gram = first.linear(np.zeros(len(problem.places))).gram
    is_live = np.diag(gram) - 1.0 > 1e-9
    live = tuple(p for p, moves in zip(problem.places, is_live, strict=True) if moves)
    still = tuple(p for p, moves in zip(problem.places, is_live, strict=True) if not moves)
    z = _first_look(replace(first, places=live), seed)
    found = replace(problem, places=live)
    for last in (False, True):
        found = found.rescaled(z)
        solution = _solved(found, z, most=6 if not last else 10)
        z = solution.z
    blocks = list(found.blocks(z))
    width = spread(blocks, len(z))
    sharp = [int(i) for i in np.flatnonzero(np.diag(width.covariance) < NOT_PINNED_STD**2)]
    return Estimate(
        problem=found,
        still=still,
        z=z,
        spread=width,
        intervals=intervals(found, z, width, *_box(found), sharp),
        has_converged=solution.has_converged,
        rms=_rms(found, blocks),
    )


def _rows_each(problem: TraceProblem) -> int:
    """How many readings of each run a first look takes."""
    return max(_FIRST_LOOK_ROWS // len(problem.runs), 60)


def _first_look(problem: TraceProblem, seed: int) -> Array:
    """The lowest minimum (p,) of the board file's values and of starts around them."""
    rng = np.random.default_rng(seed)
    starts = [np.zeros(len(problem.places))]
    starts += [rng.normal(0.0, _START_STD, len(starts[0])) for _ in range(_STARTS - 1)]
    found = [_solved(problem, start, most=12) for start in starts]
    best = min(found, key=lambda solution: solution.linear.cost)
    return _solved(problem.rescaled(best.z), best.z, most=12).z


def _solved(problem: TraceProblem, start: Array, most: int) -> Solution:
    low, high = _box(problem)
    return minimise(problem, start, low, high, most=most, enough=_ENOUGH)


def _box(problem: TraceProblem) -> tuple[Array, Array]:
    """The bounds of every number, on the scale of the fit."""
    low = [place.z(place.low) for place in problem.places]
    high = [place.z(place.high) for place in problem.places]
    return np.array(low), np.array(high)


def _rms(problem: TraceProblem, blocks: Sequence[Block]) -> dict[str, float]:
    """The root mean square residual by signal, in the signal's unit."""
    squares: dict[str, list[Array]] = {}
    weights = [w for run in range(len(problem.runs)) for w in problem.weights(run)]
    for block, weight in zip(blocks, weights, strict=True):
        for s, name in enumerate(block.signals.names):
            known = weight[:, s] > 0
            raw = block.residuals[known, s] / weight[known, s]
            squares.setdefault(name, []).append(raw**2)
    joined = {name: np.concatenate(parts) for name, parts in squares.items()}
    return {name: float(np.sqrt(values.mean())) for name, values in joined.items() if len(values)}
