"""What happened in a run, told from its readings alone: placements, lives of jobs, events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from edgetwin.kernel.state import QOS_SHARE
from edgetwin.report.sections import Interval
from edgetwin.report.series import Floats
from hw_models.trace import Trace

SWITCHES: Final = {"throttled": "throttled by heat"}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One job as the readings show it: from its first reading to its last.

    rate is its mean over time; below_share the share of time in which the rate was below 98 % of
    the target, None without one. units are those it ran on, in order of appearance.
    """

    id: str
    start_s: float
    end_s: float
    rate: float | None
    target: float | None
    below_share: float | None
    progress: float | None
    units: tuple[str, ...]
    migrations: int


@final
@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Event:
    """Something that changed between two readings, at the time of the second."""

    t_s: float
    what: str
    detail: str


def job_ids(trace: Trace) -> list[str]:
    """Jobs in order of their columns; an id may hold dots."""
    ends = [name.removeprefix("jobs.").rpartition(".") for name in trace.columns]
    return list(dict.fromkeys(job for job, _, field in ends if job and field == "unit"))


def placements(trace: Trace) -> Iterator[Interval]:
    """Where every job ran and from when to when, as the readings show it."""
    t_s = trace.columns["t_s"]
    for job in job_ids(trace):
        for unit, first, last in _stretches(trace.columns[f"jobs.{job}.unit"]):
            if unit is not None:
                end_s = float(t_s[min(last, len(t_s) - 1)])
                yield Interval(row=str(unit), label=job, start_s=float(t_s[first]), end_s=end_s)


def switched_on(trace: Trace) -> Iterator[Interval]:
    """When heat held a clock down, as rows beside the units."""
    t_s = trace.columns["t_s"]
    for column, name in SWITCHES.items():
        values = trace.columns.get(column)
        if values is None:
            continue
        for on, first, last in _stretches(values):
            if on:
                end_s = float(t_s[min(last, len(t_s) - 1)])
                yield Interval(row=name, label=name, start_s=float(t_s[first]), end_s=end_s)


def lives(trace: Trace) -> Iterator[Life]:
    """Every job of a run, in order of appearance."""
    for job in job_ids(trace):
        alive = np.flatnonzero(_alive(trace, job))
        if len(alive):
            yield _life(trace, job, slice(int(alive[0]), int(alive[-1]) + 1))


def events(trace: Trace) -> list[Event]:
    """Arrivals, ends, migrations, throttling, caps and fan steps, in order of time."""
    found = [event for job in job_ids(trace) for event in _of_job(trace, job)]
    for name, say in (("throttled", _throttling), ("cap_w", _cap), ("fan", _fan)):
        if name in trace.columns:
            found += say(trace.columns["t_s"], trace.columns[name])
    return sorted(found)


def _life(trace: Trace, job: str, rows: slice) -> Life:
    def column(field: str) -> Floats:
        values = trace.columns.get(f"jobs.{job}.{field}")
        return np.full(rows.stop - rows.start, np.nan) if values is None else values[rows]

    t_s, rate, target = trace.columns["t_s"][rows], column("rate"), column("target")
    # A reading's rate holds until the next one; the last counts for nothing unless it is alone.
    held_s = np.append(np.diff(t_s), 0.0) if len(t_s) > 1 else np.ones(1)
    known = np.isfinite(rate)
    aimed = known & np.isfinite(target)
    units = [str(u) for u, _, _ in _stretches(column("unit")) if u is not None]
    progress = column("progress")[-1]
    return Life(
        id=job,
        start_s=float(t_s[0]),
        end_s=float(t_s[-1]),
        rate=_mean(rate, held_s * known),
        target=float(target[aimed][-1]) if aimed.any() else None,
        below_share=_mean(rate < QOS_SHARE * target, held_s * aimed),
        progress=float(progress) if np.isfinite(progress) else None,
        units=tuple(dict.fromkeys(units)),
        migrations=max(len(units) - 1, 0),
    )


def _mean(values: npt.NDArray[Any], weights: Floats) -> float | None:
    total = weights.sum()
    return float(np.nansum(np.where(weights > 0, values, 0) * weights) / total) if total else None


def _alive(trace: Trace, job: str) -> npt.NDArray[np.bool_]:
    """The rows in which a job is on the board: it runs, or waits with a rate of zero."""
    units, rate = trace.columns[f"jobs.{job}.unit"], trace.columns.get(f"jobs.{job}.rate")
    placed = np.array([unit is not None for unit in units], dtype=bool)
    return placed if rate is None else np.logical_or(placed, np.isfinite(rate))


def _of_job(trace: Trace, job: str) -> Iterator[Event]:
    t_s, alive = trace.columns["t_s"], np.flatnonzero(_alive(trace, job))
    if not len(alive):
        return
    first, last = int(alive[0]), int(alive[-1])
    unit = trace.columns[f"jobs.{job}.unit"]
    where = f" on {unit[first]}" if unit[first] is not None else ", waiting"
    yield Event(t_s=float(t_s[first]), what="start", detail=f"{job}{where}")
    if last + 1 < len(t_s):
        yield Event(t_s=float(t_s[last + 1]), what="end", detail=job)
    known = [one for one in _stretches(unit[first : last + 1]) if one[0] is not None]
    for (old, _, _), (new, at, _) in pairwise(known):
        yield Event(t_s=float(t_s[first + at]), what="migration", detail=f"{job}: {old} to {new}")


def _throttling(t_s: Floats, values: npt.NDArray[Any]) -> Iterator[Event]:
    for on, first, _ in _stretches(values):
        if on or first:
            what = "throttling begins" if on else "throttling ends"
            yield Event(t_s=float(t_s[first]), what=what, detail="")


def _cap(t_s: Floats, values: npt.NDArray[Any]) -> Iterator[Event]:
    for cap_w, first, _ in _stretches(values):
        if first or np.isfinite(cap_w):
            detail = f"{cap_w:g} W" if np.isfinite(cap_w) else "lifted"
            yield Event(t_s=float(t_s[first]), what="cap", detail=detail)


def _fan(t_s: Floats, values: npt.NDArray[Any]) -> Iterator[Event]:
    for level, first, _ in _stretches(values):
        if first and np.isfinite(level):
            yield Event(t_s=float(t_s[first]), what="fan", detail=f"level {level:g}")


def _stretches(values: npt.NDArray[Any]) -> Iterable[tuple[Any, int, int]]:
    """Runs of equal values: the value, its first row, the row after its last. NaN equals NaN."""
    if not len(values):
        return
    changed = np.asarray(values[1:] != values[:-1], dtype=bool)
    if values.dtype.kind == "f":
        changed &= ~(np.isnan(values[1:]) & np.isnan(values[:-1]))
    starts = [0, *(np.flatnonzero(changed) + 1).tolist()]
    for first, last in zip(starts, [*starts[1:], len(values)], strict=True):
        yield values[first], first, last
