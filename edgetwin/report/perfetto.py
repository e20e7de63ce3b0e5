"""A run for Perfetto and chrome://tracing: what ran on which core, and counters over time.

The form is the Trace Event Format, JSON object form. Times are microseconds; a slice is one event
of phase X, a counter one of phase C, an instant one of phase i; names of tracks are metadata (M).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgetwin.report.happenings import events, placements, switched_on
from edgetwin.report.sections import Interval
from edgetwin.storage import write_atomically
from hw_models.trace import Trace
from hw_models.trace_columns import column_form

PLACES, COUNTERS = 1, 2
GROUPS: Final = ("temps_c.", "power_w.", "freq_hz.", "busy.")
PLAIN: Final = ("memory_busy", "fan", "cap_w")
US_PER_S: Final = 1e6

Json = dict[str, Any]


def write_perfetto(trace: Trace, path: Path, title: str = "edgetwin") -> None:
    """Write a trace as Trace Event JSON, whole or not at all."""
    write_atomically(path, json.dumps(trace_events(trace, title), allow_nan=False))


def trace_events(trace: Trace, title: str = "edgetwin") -> Json:
    """A process with a track per unit and a process of counters, with the units in their names."""
    found = sorted(
        [*_slices(trace), *_instants(trace), *_counters(trace)], key=lambda one: one["ts"]
    )
    about = {"title": title, **trace.meta}
    return {
        "traceEvents": [*_names(trace, title), *found],
        "displayTimeUnit": "ms",
        "otherData": about,
    }


def _tracks(trace: Trace) -> dict[str, int]:
    rows = dict.fromkeys(one.row for one in (*placements(trace), *switched_on(trace)))
    return {row: number for number, row in enumerate(sorted(rows), start=1)}


def _names(trace: Trace, title: str) -> Iterator[Json]:
    processes = {PLACES: f"{title}: units", COUNTERS: f"{title}: counters"}
    for pid, name in processes.items():
        yield {"ph": "M", "pid": pid, "name": "process_name", "args": {"name": name}}
    for row, tid in _tracks(trace).items():
        args = {"name": row}
        yield {"ph": "M", "pid": PLACES, "tid": tid, "name": "thread_name", "args": args}
        order = {"sort_index": tid}
        yield {"ph": "M", "pid": PLACES, "tid": tid, "name": "thread_sort_index", "args": order}


def _slices(trace: Trace) -> Iterator[Json]:
    """What ran where. Where jobs share a unit they overlap, and each is an async slice instead."""
    tracks = _tracks(trace)
    by_row: dict[str, list[Interval]] = {}
    for one in (*placements(trace), *switched_on(trace)):
        by_row.setdefault(one.row, []).append(one)
    for row, intervals in by_row.items():
        intervals.sort(key=lambda one: (one.start_s, one.end_s))
        alone = all(one.end_s <= after.start_s for one, after in pairwise(intervals))
        for number, one in enumerate(intervals):
            base = {"pid": PLACES, "tid": tracks[row], "name": one.label, "cat": row}
            start, end = one.start_s * US_PER_S, one.end_s * US_PER_S
            if alone:
                yield {**base, "ph": "X", "ts": start, "dur": end - start}
            else:
                yield {**base, "ph": "b", "id": f"{row}-{number}", "ts": start}
                yield {**base, "ph": "e", "id": f"{row}-{number}", "ts": end}


def _instants(trace: Trace) -> Iterator[Json]:
    for one in events(trace):
        if one.what not in ("start", "end"):
            name = f"{one.what} {one.detail}".strip()
            yield {"ph": "i", "s": "g", "pid": PLACES, "tid": 0, "name": name,
                   "ts": one.t_s * US_PER_S}  # fmt: skip


def _counters(trace: Trace) -> Iterator[Json]:
    """A counter only where its value changes; gaps are left out."""
    t_s = trace.columns["t_s"]
    for name, values in _wanted(trace.columns):
        numbers = np.asarray(values, float)
        unit = column_form(name)[1]
        label = f"{name} [{unit}]" if unit not in ("", "1") else name
        changed = np.append(True, numbers[1:] != numbers[:-1]) & np.isfinite(numbers)
        for i in np.flatnonzero(changed).tolist():
            yield {"ph": "C", "pid": COUNTERS, "name": label, "ts": float(t_s[i]) * US_PER_S,
                   "args": {"value": float(numbers[i])}}  # fmt: skip


def _wanted(columns: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, values in columns.items():
        if name in PLAIN or name.startswith(GROUPS):
            yield name, values
