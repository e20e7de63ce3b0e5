"""A chart drawn: plain data that the page's own script takes, colours and dashes chosen here.

Names and units are data from outside; the script sets them as text and never as markup.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from edgetwin.report.sections import (
    Bar,
    Bars,
    Chart,
    Gantt,
    Level,
    Plane,
    Series,
    SeriesChart,
)
from edgetwin.report.series import decimate

# Each stands out from the light and the dark page by 3.5 to 1 or more (WCAG 2 asks for 3).
PALETTE: Final = (
    "#2f7ed8",
    "#d9622b",
    "#17906e",
    "#c2528b",
    "#8a6fd1",
    "#a07d1f",
    "#3f8ea3",
    "#b5504f",
)
LEVEL_COLOUR: Final = "#7b828c"
# Lengths of strokes and gaps in pixels.
DASHES: Final = ((), (7, 4), (2, 3), (8, 3, 2, 3))
DIGITS: Final = 7

Figure = dict[str, Any]


def figure(chart: Chart) -> Figure:
    """A chart is one object of JSON: its kind, and what to draw with which colour."""
    match chart:
        case SeriesChart():
            return _series_figure(chart)
        case Bars():
            return _bars_figure(chart)
        case Gantt():
            return _gantt_figure(chart)
        case Plane():
            return _plane_figure(chart)


def colour(index: int) -> str:
    """The palette, again from its start when it ends."""
    return PALETTE[index % len(PALETTE)]


def _series_figure(chart: SeriesChart) -> Figure:
    return {
        "kind": "lines",
        "title": chart.title,
        "unit": chart.unit,
        "lines": [_line(series, index) for index, series in enumerate(chart.series)],
        "levels": [_level(level, index) for index, level in enumerate(chart.levels)],
    }


def _line(series: Series, index: int) -> Figure:
    t_s, values = decimate(*series.arrays)
    return {
        "name": series.name,
        "colour": colour(index),
        "dash": list(DASHES[index // len(PALETTE) % len(DASHES)]),
        "step": series.step,
        "x": _rounded(t_s),
        "y": _rounded(values),
    }


def _level(level: Level, index: int) -> Figure:
    dash = list(DASHES[1:][index % len(DASHES[1:])])
    return {"name": level.name, "colour": LEVEL_COLOUR, "dash": dash, "value": level.value}


def _bars_figure(chart: Bars) -> Figure:
    groups = list(dict.fromkeys(bar.group for bar in chart.bars))
    return {
        "kind": "bars",
        "title": chart.title,
        "unit": chart.unit,
        "rows": list(dict.fromkeys(bar.name for bar in chart.bars)),
        "groups": [{"name": group, "colour": colour(i)} for i, group in enumerate(groups)],
        "bars": [_bar(bar) for bar in chart.bars],
    }


def _bar(bar: Bar) -> Figure:
    ends = {"value": bar.value, "low": bar.low, "high": bar.high}
    return {"row": bar.name, "group": bar.group} | {k: _known(v) for k, v in ends.items()}


def _gantt_figure(chart: Gantt) -> Figure:
    """Stretches by row and label, each as its place in the lists of rows and labels."""
    rows = {name: i for i, name in enumerate(dict.fromkeys(one.row for one in chart.intervals))}
    seen = dict.fromkeys(one.label for one in chart.intervals)
    order = dict.fromkeys((*(name for name in chart.labels if name in seen), *seen))
    labels = {name: i for i, name in enumerate(order)}
    ends_s = _rounded([t_s for one in chart.intervals for t_s in (one.start_s, one.end_s)])
    return {
        "kind": "gantt",
        "title": chart.title,
        "unit": "s",
        "rows": list(rows),
        "labels": [{"name": name, "colour": colour(i)} for name, i in labels.items()],
        "spans": [
            [rows[one.row], labels[one.label], start_s, end_s]
            for one, start_s, end_s in zip(chart.intervals, ends_s[::2], ends_s[1::2], strict=True)
        ],
    }


def _known(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _rounded(values: Sequence[float] | np.ndarray[Any, np.dtype[np.float64]]) -> list[Any]:
    """Seven digits of what is finite, whole numbers without a point, None for a gap."""
    found: list[float | None] = []
    for value in np.asarray(values, float).tolist():
        if not np.isfinite(value):
            found.append(None)
            continue
        short = float(f"{value:.{DIGITS}g}")
        found.append(int(short) if short.is_integer() and abs(short) < 1e15 else short)
    return found


def _plane_figure(chart: Plane) -> Figure:
    """Values by row and column from the bottom left, and the sides of cells that are a border."""
    return {
        "kind": "plane",
        "title": chart.title,
        "unit": chart.unit,
        "x_name": chart.x_name,
        "y_name": chart.y_name,
        "columns": list(chart.x),
        "rows": list(chart.y),
        "values": [[_known(value) for value in row] for row in chart.values],
        "border": _border(chart),
        "marks": [
            {"name": mark.name, "colour": colour(i), "column": chart.x.index(mark.x),
             "row": chart.y.index(mark.y)}
            for i, mark in enumerate(chart.marks)
        ],
    }  # fmt: skip


def _border(chart: Plane) -> list[list[int]]:
    """Ends (x0, y0, x1, y1) of every side between a cell that is allowed and one that is not."""
    found = []
    for r, row in enumerate(chart.allowed):
        for c, here in enumerate(row):
            if c + 1 < len(row) and here != row[c + 1]:
                found.append([c + 1, r, c + 1, r + 1])
            if r + 1 < len(chart.allowed) and here != chart.allowed[r + 1][c]:
                found.append([c, r + 1, c + 1, r + 1])
    return found
