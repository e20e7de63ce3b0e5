"""What one run shows, whatever made it: the twin, a recording or a board on the desk."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from edgetwin.report.happenings import events, job_ids, lives, placements, switched_on
from edgetwin.report.sections import (
    Cell,
    Column,
    Gantt,
    KeyValue,
    Level,
    Section,
    Series,
    SeriesChart,
    Table,
)
from hw_models.board import Board
from hw_models.board_schema import SECTIONS
from hw_models.trace import Trace

MOST_EVENTS: Final = 500


def run_sections(board: Board | None, trace: Trace, prefix: str = "") -> list[Section]:
    """Heat with trips, power with the cap, clocks, load, placement, service, events, validity.

    What the readings do not tell has no section; trips and validity need the board.
    """
    found = [
        _chart(trace, prefix + "temperature", "degC", "temps_c.", _trips(board)),
        _power(trace, prefix),
        _chart(trace, prefix + "clocks", "Hz", "freq_hz.", step=True),
        _chart(trace, prefix + "load of the units", "", "busy."),
        _placement(board, trace, prefix),
        *_service(trace, prefix),
        _events(trace, prefix),
    ]
    if board is not None:
        found.append(validity(board, trace, prefix))
    return [section for section in found if section is not None]


def validity(board: Board, trace: Trace, prefix: str = "") -> KeyValue:
    """How far the numbers of a run can be trusted: grades, certificate, its envelope."""
    items: dict[str, Cell] = {
        "board": f"{board.name}: {board.title}",
        "grade": board.grade,
        "by section": ", ".join(f"{section} {board.grades[section]}" for section in SECTIONS),
    }
    certificate = board.certificate
    if certificate is None:
        items["certificate"] = "none: no envelope to be inside of"
        return KeyValue(title=prefix + "calibration and validity", items=items)
    items["certificate"] = f"{certificate.id}, grade {certificate.grade}"
    inside = np.ones(len(trace), dtype=bool)
    outside: dict[str, float] = {}
    envelope = certificate.envelope
    groups = {"freq_hz": envelope.freq_hz, "temps_c": envelope.temps_c, "power_w": envelope.power_w}
    for group, spans in groups.items():
        for name, (low, high) in spans.items():
            values = trace.columns.get(f"{group}.{name}")
            if values is None:
                continue
            beyond = (values < low) | (values > high)  # NaN is neither
            inside &= ~beyond
            if beyond.any():
                outside[f"{group}.{name}"] = float(beyond.mean())
    items["readings inside the envelope (%)"] = 100.0 * float(inside.mean())
    if outside:
        worst = sorted(outside.items(), key=lambda one: -one[1])[:4]
        items["outside"] = ", ".join(f"{name} {share:.0%}" for name, share in worst)
    return KeyValue(title=prefix + "calibration and validity", items=items)


def _trips(board: Board | None) -> list[Level]:
    if board is None:
        return []
    return [
        Level(name=f"{trip.kind} {trip.zone}", value=trip.temp_c.value)
        for trip in board.limits.trips
        if trip.kind != "fan"
    ]


def _chart(
    trace: Trace,
    title: str,
    unit: str,
    start: str,
    levels: list[Level] | None = None,
    step: bool = False,
) -> SeriesChart | None:
    series = list(_series(trace, start, step))
    if not series:
        return None
    return SeriesChart(title=title, unit=unit, series=series, levels=levels or [])


def _series(trace: Trace, start: str, step: bool = False) -> Iterator[Series]:
    t_s = trace.columns["t_s"]
    for name, values in trace.columns.items():
        if name.startswith(start) and np.isfinite(values).any():
            yield Series(name=name.removeprefix(start), t_s=t_s, values=values, step=step)


def _power(trace: Trace, prefix: str) -> SeriesChart | None:
    """Rails, and the cap as a line of its own where it changes."""
    series = list(_series(trace, "power_w."))
    cap_w = trace.columns.get("cap_w", np.array([np.nan]))
    caps_w = np.unique(cap_w[np.isfinite(cap_w)])
    if len(caps_w) > 1 or (len(caps_w) and np.isnan(cap_w).any()):
        series.append(Series(name="cap", t_s=trace.columns["t_s"], values=cap_w, step=True))
        caps_w = caps_w[:0]
    if not series:
        return None
    levels = [Level(name="cap", value=float(value_w)) for value_w in caps_w]
    return SeriesChart(title=prefix + "power", unit="W", series=series, levels=levels)


def _placement(board: Board | None, trace: Trace, prefix: str) -> Gantt | None:
    intervals = [*placements(trace), *switched_on(trace)]
    if not intervals:
        return None
    order = [] if board is None else [unit.name for unit in board.unit_list]
    rank = {name: place for place, name in enumerate(order)}
    intervals.sort(key=lambda one: rank.get(one.row, len(rank)))
    return Gantt(
        title=prefix + "placement",
        intervals=intervals,
        labels=job_ids(trace),  # the colours they have in the chart of their speed
        row_name="unit",
        label_name="job",
    )


def _service(trace: Trace, prefix: str) -> Iterator[Section]:
    """Speed of every job, over its target where it has one, and what came of it."""
    t_s = trace.columns["t_s"]
    aimed, free = [], []
    for job in job_ids(trace):
        rate = trace.columns.get(f"jobs.{job}.rate")
        target = trace.columns.get(f"jobs.{job}.target")
        if rate is None:
            continue
        if target is not None and np.isfinite(target).any():
            aimed.append(Series(name=job, t_s=t_s, values=rate / target))
        else:
            free.append(Series(name=job, t_s=t_s, values=rate))
    if aimed:
        yield SeriesChart(
            title=prefix + "quality of service",
            unit="",
            series=aimed,
            levels=[Level(name="target", value=1.0)],
            caption="Speed over target, application by application; 1 is just met.",
        )
    if free:
        yield SeriesChart(title=prefix + "speed of jobs", unit="1/s", series=free)
    rows: list[list[Cell]] = [
        [life.id, life.start_s, life.end_s, life.rate, life.target,
         None if life.below_share is None else 100.0 * life.below_share,
         None if life.progress is None else 100.0 * life.progress,
         life.migrations, ", ".join(life.units)]
        for life in lives(trace)
    ]  # fmt: skip
    if rows:
        heads = (("job", ""), ("first seen", "s"), ("last seen", "s"), ("mean rate", "1/s"),
                 ("target", "1/s"), ("below target", "% of time"), ("progress", "%"),
                 ("migrations", ""), ("units", ""))  # fmt: skip
        yield Table(
            title=prefix + "jobs",
            columns=[Column(name=name, unit=unit) for name, unit in heads],
            rows=rows,
            caption="As the readings show it: a rate holds until the next reading; below target "
            "is below 98 % of it. Rates are instructions, samples or forward passes per second.",
        )


def _events(trace: Trace, prefix: str) -> Table | None:
    found = events(trace)
    if not found:
        return None
    more = len(found) - MOST_EVENTS
    caption = f"The first {MOST_EVENTS}; {more} more are in the trace." if more > 0 else ""
    rows: list[list[Cell]] = [[one.t_s, one.what, one.detail] for one in found[:MOST_EVENTS]]
    columns = [Column(name="time", unit="s"), Column(name="what"), Column(name="detail")]
    return Table(title=prefix + "events", columns=columns, rows=rows, caption=caption)
