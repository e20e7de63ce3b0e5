"""Means over runs, with Student-t intervals."""

import math
from collections.abc import Iterable, Mapping, Sequence

Kpis = Mapping[str, float | None]
Figure = dict[str, float | None]


def summarise(
    runs: Iterable[Kpis], names: Iterable[str], confidence: float = 0.95
) -> dict[str, Figure]:
    """Mean and Student-t interval over runs of every named figure: {value, low, high}.

    A figure that some run does not have is None throughout; one run has no interval.
    """
    table = list(runs)
    return {name: _interval([r.get(name) for r in table], confidence) for name in names}


def _interval(values: Sequence[float | None], confidence: float) -> Figure:
    known = [v for v in values if v is not None]
    if not known or len(known) < len(values):
        return {"value": None, "low": None, "high": None}
    mean = math.fsum(known) / len(known)
    if len(known) == 1:
        return {"value": mean, "low": None, "high": None}
    from scipy.special import stdtrit

    n = len(known)
    spread = math.sqrt(math.fsum((v - mean) ** 2 for v in known) / (n - 1) / n)
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * spread
    return {"value": mean, "low": mean - half, "high": mean + half}
