"""An estimate in the terms of a board file: values, errors, covariance, findings."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.advice import cure, plain
from hw_models.fit.estimate import Estimate
from hw_models.fit.identify import statuses
from hw_models.fit.places import WEAK, Place
from hw_models.fit.prepared import BLOCK_S
from hw_models.fit.result import Finding, FitResult, Parameter, Status
from hw_models.fit.runs import Run

Array = NDArray[np.float64]


def result_of(found: Estimate, runs: Sequence[Run], seed: int) -> FitResult:
    """What a fit says: numbers that moved, then those that nothing moves, with all findings."""
    places, z = found.problem.places, found.z
    status, findings = statuses(places, z, found.spread)
    slopes = np.array([p.slope(float(x)) for p, x in zip(places, z, strict=True)])
    covariance = found.spread.covariance * np.outer(slopes, slopes)
    moved = [
        replace(
            _parameter(p, p.value(float(z[i])), float(np.sqrt(covariance[i, i])), status[i]),
            interval=_interval(p, found.intervals.get(i)),
        )
        for i, p in enumerate(places)
    ]
    still = [_parameter(p, p.start, p.prior_std / WEAK, "dead") for p in found.still]
    return FitResult(
        parameters=(*moved, *still),
        covariance=_padded(covariance, [p.std**2 for p in still]),
        findings=(
            *(finding for run in runs for finding in run.findings),
            *(finding for run in found.problem.runs for finding in run.findings),
            *_flickering(found),
            *findings,
            *_still(found.still),
        ),
        rms=found.rms,
        n=found.spread.n,
        seed=seed,
        regimes=tuple(regime for run in found.problem.runs for regime in run.regimes),
        notes=tuple(_notes(found)),
    )


def _parameter(place: Place, value: float, std: float, status: Status) -> Parameter:
    return Parameter(
        path=place.path,
        value=min(max(value, place.low), place.high),  # rounding must not pass a bound
        std=std,
        low=place.low,
        high=place.high,
        start=place.start,
        status=status,
        prior_std=place.prior_std,
    )


def _interval(place: Place, bounds: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if bounds is None else (place.value(bounds[0]), place.value(bounds[1]))


def _padded(covariance: Array, variances: Sequence[float]) -> Array:
    n, k = len(covariance), len(variances)
    full = np.zeros((n + k, n + k))
    full[:n, :n] = covariance
    full[np.arange(n, n + k), np.arange(n, n + k)] = variances
    return full


def _still(places: Sequence[Place]) -> Iterator[Finding]:
    for place in places:
        yield Finding(
            kind="dead",
            paths=(place.path,),
            message=f"{plain(place.path)} moves nothing that was measured; the board file's number "
            "stands.",
            cure=cure(place.path),
        )


def _flickering(found: Estimate) -> Iterator[Finding]:
    for run in found.problem.runs:
        if run.flickering:
            yield Finding(
                kind="unmeasured input",
                paths=(f"runs.{run.name}",),
                message=f"{run.name}: the load of {', '.join(run.flickering)} is an instantaneous "
                f"sample that flickers; loads and power are taken as means over {BLOCK_S:.0f} s.",
                cure="log the load as a mean over the reading's period, ten times a second or more",
            )


def _notes(found: Estimate) -> Iterator[str]:
    yield (
        f"the board file's values entered as a weak prior, {WEAK:g} times as wide as their std; "
        "what only the prior holds is not called pinned"
    )
    yield (
        f"{found.spread.n} residuals, worth {found.spread.effective_n:.0f} independent ones by "
        "their autocorrelation"
    )
    if not found.has_converged:
        yield "the last steps were still moving: take the error bars as too small"
