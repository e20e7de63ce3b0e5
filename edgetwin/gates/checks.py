"""One figure of a policy against one limit: is it worse than chance explains?"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from edgetwin.gates.reports import PolicyReport


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One figure against one limit.

    value is the mean that is judged, low its lower end by chance; it fails where low > limit.
    detects is by how much the mean must be beyond the limit to be caught 95 times of 100.
    """

    figure: str
    kind: str
    value: float | None
    low: float | None
    limit: float
    detects: float | None
    n: int
    note: str = ""

    @property
    def ok(self) -> bool:
        """Is the figure not worse than allowed, beyond chance?"""
        return self.low is not None and self.low <= self.limit

    @property
    def sentence(self) -> str:
        """The check in one line."""
        if self.value is None or self.low is None:
            return f"{self.figure}: {self.note}"
        what = "change" if self.kind == "baseline" else "mean"
        verdict = "within" if self.ok else "beyond"
        return (
            f"{self.figure}: {what} {self.value:.4g}, at least {self.low:.4g} beyond chance, "
            f"{verdict} {self.limit:.4g} ({self.n} seeds{', ' + self.note if self.note else ''})"
        )


def against_limit(report: PolicyReport, figure: str, limit: float, alpha: float) -> Check:
    """The mean over seeds must not be beyond a limit."""
    values = list(report.values(figure).values())
    return _check(figure, "limit", values, limit, alpha)


def against_baseline(
    report: PolicyReport, old: PolicyReport, figure: str, limit: float, alpha: float
) -> Check:
    """The mean must not have got worse by more than a limit: seed by seed where seeds are the same,
    else between two means."""
    now, before = report.values(figure), old.values(figure)
    both = [seed for seed in now if seed in before]
    if both and len(both) == len(now):
        return _check(figure, "baseline", [now[s] - before[s] for s in both], limit, alpha)
    return _unpaired(figure, list(now.values()), list(before.values()), limit, alpha)


def _check(figure: str, kind: str, values: list[float], limit: float, alpha: float) -> Check:
    if not values:
        return Check(figure=figure, kind=kind, value=None, low=None, limit=limit, detects=None,
                     n=0, note="not every run has this figure")  # fmt: skip
    n, middle = len(values), mean(values)
    if n == 1:
        return Check(figure=figure, kind=kind, value=middle, low=middle, limit=limit, detects=None,
                     n=1, note="one seed says nothing of chance")  # fmt: skip
    error = math.sqrt(_variance(values) / n)
    return _judged(figure, kind, (middle, error, n - 1), limit, alpha, n)


def _unpaired(
    figure: str, now: list[float], before: list[float], limit: float, alpha: float
) -> Check:
    """Other seeds than the baseline's: Welch's interval of the difference of two means."""
    if len(now) < 2 or len(before) < 2:
        return Check(figure=figure, kind="baseline", value=None, low=None, limit=limit,
                     detects=None, n=0, note="other seeds than the baseline, too few")  # fmt: skip
    parts = [_variance(values) / len(values) for values in (now, before)]
    error = math.sqrt(sum(parts))
    weights = [part**2 / (len(v) - 1) for part, v in zip(parts, (now, before), strict=True)]
    freedom = sum(parts) ** 2 / sum(weights) if sum(weights) else float(len(now) + len(before) - 2)
    moment = (mean(now) - mean(before), error, freedom)
    note = "not the baseline's seeds"
    return _judged(figure, "baseline", moment, limit, alpha, len(now), note)


def _judged(
    figure: str,
    kind: str,
    moment: tuple[float, float, float],
    limit: float,
    alpha: float,
    n: int,
    note: str = "",
) -> Check:
    """A mean, its standard error and degrees of freedom, against a limit."""
    from scipy.special import stdtrit

    middle, error, freedom = moment
    reach, beyond = (float(stdtrit(freedom, 1.0 - share)) for share in (alpha, 0.05))
    return Check(
        figure=figure,
        kind=kind,
        value=middle,
        low=middle - reach * error,
        limit=limit,
        detects=(reach + beyond) * error,
        n=n,
        note=note,
    )


def mean(values: Iterable[float]) -> float:
    """The arithmetic mean."""
    known = list(values)
    return math.fsum(known) / len(known)


def _variance(values: list[float]) -> float:
    middle = mean(values)
    return math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1)
