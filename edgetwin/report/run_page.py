"""The page of a run: the comparison, and what happened under each policy with the first seed."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgetwin.report.page import Page, write_page
from edgetwin.report.sections import (
    Column,
    Gantt,
    Interval,
    KeyValue,
    Level,
    Section,
    Series,
    SeriesChart,
    Table,
)
from edgetwin.runs import RunFolder
from edgetwin.sweeps import Study
from hw_models.board import Board
from hw_models.trace import Trace, read_trace


def write_run_page(
    study: Study,
    folder: RunFolder,
    result: Mapping[str, Any],
    units: Mapping[str, str],
    command: Sequence[str],
) -> Path:
    """Write report.html into the run folder and return its path."""
    sections: list[Section] = [_facts(study), _table(result, units)]
    for policy in study.policies:
        trace = read_trace(folder.trace_path(policy.name, study.seeds[0]))
        prefix = f"{policy.name}, seed {study.seeds[0]}: "
        sections += run_sections(study.boards[0], trace, prefix)
    title = f"{study.scenarios[0].name} on {study.boards[0].name}"
    page = Page(title=title, sections=sections, command=command)
    return write_page(page, folder.path / "report.html")


def run_sections(board: Board, trace: Trace, prefix: str) -> list[Section]:
    """Temperatures with trips, clocks, power with the cap, rates and placement of one run."""
    trips = [
        Level(name=f"{t.kind} {t.zone}", value=t.temp_c.value)
        for t in board.limits.trips
        if t.kind != "fan"
    ]
    charts: tuple[tuple[str, str, str, list[Level], bool], ...] = (
        ("temperature", "degC", "temps_c.", trips, False),
        ("power", "W", "power_w.", _caps(trace), False),
        ("clocks", "Hz", "freq_hz.", [], True),
    )
    found: list[Section] = []
    for name, unit, start, levels, step in charts:
        series = list(_series(trace, start, step))
        if series:
            title = prefix + name
            found.append(SeriesChart(title=title, unit=unit, series=series, levels=levels))
    intervals = list(placements(trace))
    if intervals:
        found.append(Gantt(title=prefix + "placement", intervals=intervals, row_name="unit"))
    return found


def _facts(study: Study) -> KeyValue:
    board = study.boards[0]
    items: dict[str, str | int | float | None] = {
        "board": f"{board.name}: {board.title}",
        "calibration grade": board.grade,
        "scenario": study.scenarios[0].title,
        "seeds": len(study.seeds),
        "simulated seconds at most": study.duration_s,
    }
    return KeyValue(title="Run", items=items)


def _table(result: Mapping[str, Any], units: Mapping[str, str]) -> Table:
    columns = [Column(name="policy"), *(Column(name=n, unit=u) for n, u in units.items())]
    rows = [
        [policy, *(figures[name]["value"] for name in units)]
        for policy, figures in result["policies"].items()
    ]
    return Table(title="Key figures, mean over seeds", columns=columns, rows=rows)


def _series(trace: Trace, start: str, step: bool) -> Iterable[Series]:
    t_s = trace.columns["t_s"]
    for name, values in trace.columns.items():
        if name.startswith(start):
            yield Series(name=name.removeprefix(start), t_s=t_s, values=values, step=step)


def _caps(trace: Trace) -> list[Level]:
    cap_w = trace.columns.get("cap_w")
    if cap_w is None:
        return []
    known = np.unique(cap_w[np.isfinite(cap_w)])
    return [Level(name="cap", value=float(w)) for w in known]


def placements(trace: Trace) -> Iterable[Interval]:
    """Where every job ran and from when to when, as the readings show it."""
    t_s = trace.columns["t_s"]
    for name, values in trace.columns.items():
        if not (name.startswith("jobs.") and name.endswith(".unit")):
            continue
        job, start = name.split(".")[1], 0
        for i in range(1, len(values) + 1):
            if i == len(values) or values[i] != values[start]:
                if values[start] is not None:
                    end_s = float(t_s[min(i, len(values) - 1)])
                    yield Interval(
                        row=str(values[start]), label=job, start_s=float(t_s[start]), end_s=end_s
                    )
                start = i
