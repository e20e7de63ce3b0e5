"""What a fit of points says of every parameter: its error bar, and what would pin it."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.points import WIDEST, Solution
from hw_models.fit.result import Finding, FitResult, Parameter, Status

Array = NDArray[np.float64]

_LOOSE: Final = 0.35  # ln: a parameter known to no more than a factor of 1.4 is not pinned
_DEAD: Final = 0.3  # deviations by which a prior-wide change moves all predictions together


def judged(solutions: Mapping[str, Solution], *, seed: int, cures: Mapping[str, str]) -> FitResult:
    """Solutions that share no parameter as one result.

    rms is the noise by their names: root mean square residual, as a share of what was measured,
    corrected for the parameters that were fitted.

    cures says, by the last part of a path, which points would pin a parameter.
    """
    parameters: list[Parameter] = []
    findings: list[Finding] = []
    for solution in solutions.values():
        for i, unknown in enumerate(solution.unknowns):
            parameters.append(_parameter(solution, i))
            status = parameters[-1].status
            finding = _finding(solution, i, unknown.path, status, cures)
            told = [set(other.paths) for other in findings]
            if status != "pinned" and set(finding.paths) not in told:
                findings.append(finding)
    return FitResult(
        parameters=tuple(parameters),
        covariance=_covariance(list(solutions.values())),
        findings=tuple(findings),
        rms={name: s.noise for name, s in solutions.items()},
        n=sum(len(s.residuals) for s in solutions.values()),
        seed=seed,
    )


def _parameter(solution: Solution, i: int) -> Parameter:
    u, value = solution.unknowns[i], float(solution.values[i])
    std_ln = float(np.sqrt(solution.covariance[i, i]))
    sides = np.exp(np.array([-1.645, 1.645]) * std_ln)
    return Parameter(
        path=u.path,
        value=value,
        std=value * std_ln,
        low=u.prior * np.exp(-WIDEST * u.spread),
        high=u.prior * np.exp(WIDEST * u.spread),
        start=u.prior,
        status=_status(solution, i),
        prior_std=u.prior * u.spread,
        interval=(value * sides[0], value * sides[1]) if std_ln > 0.1 else None,
    )


def _status(solution: Solution, i: int) -> Status:
    u, std_ln = solution.unknowns[i], np.sqrt(solution.covariance[i, i])
    if abs(solution.ln[i] - np.log(u.prior)) > 0.999 * WIDEST * u.spread:
        return "at bound"
    if np.sqrt(max(solution.information[i], 0.0)) * u.spread < _DEAD:
        return "dead"
    if std_ln < _LOOSE:
        return "pinned"
    return "traded off" if _partner(solution, i) is not None else "not pinned"


def _partner(solution: Solution, i: int) -> int | None:
    """The parameter that a parameter is traded off against, if any."""
    root = np.sqrt(np.diag(solution.covariance))
    correlation = np.abs(solution.covariance[i] / root / root[i])
    correlation[i] = 0.0
    at = int(np.argmax(correlation))
    return at if correlation[at] > 0.95 else None


def _finding(
    solution: Solution, i: int, path: str, status: Status, cures: Mapping[str, str]
) -> Finding:
    factor = float(np.exp(1.645 * np.sqrt(solution.covariance[i, i])))
    partner = _partner(solution, i)
    paths: tuple[str, ...] = (path,)
    message = f"{path} is known to within a factor of {factor:.2g} only"
    if status == "dead":
        message = f"{path} changes no prediction at these points; its value is the prior's"
    if status == "at bound":
        message = f"{path} wants to leave the bounds of the fit; the form may not suit the data"
    if status == "traded off" and partner is not None:
        other = solution.unknowns[partner].path
        paths = (path, other)
        message = f"{path} can be traded for {other} without changing what is predicted"
    cure = cures.get(path.rsplit(".", 1)[-1], "more points, further apart")
    return Finding(kind=status, paths=paths, message=message + ".", cure=cure)  # type: ignore[arg-type]


def _covariance(solutions: Sequence[Solution]) -> Array:
    """Block-diagonal covariance of the values, not of their logarithms."""
    blocks = [s.covariance * np.outer(s.values, s.values) for s in solutions]
    n = sum(len(block) for block in blocks)
    whole, at = np.zeros((n, n)), 0
    for block in blocks:
        whole[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    return whole
