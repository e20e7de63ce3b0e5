"""A chart drawn: the plain data plotly.js takes, made without plotly.

Names and units are data from outside: what plotly.js would read as markup is escaped here, and
hover templates take names and units from the trace instead of having them pasted in.
"""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

import numpy as np

from edgetwin.report.planes import plane_figure
from edgetwin.report.sections import (
    Bar,
    Bars,
    Chart,
    Gantt,
    Interval,
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
DASHES: Final = ("solid", "dash", "dot", "dashdot")
MARKED_POINTS: Final = 60
ROW_PX: Final = 26

Figure = dict[str, Any]


def figure(chart: Chart) -> Figure:
    """A chart is the `data` and `layout` of plotly.js."""
    match chart:
        case SeriesChart():
            return _series_figure(chart)
        case Bars():
            return _bars_figure(chart)
        case Gantt():
            return _gantt_figure(chart)
        case Plane():
            return plane_figure(chart)


def colour(index: int) -> str:
    """The palette, again from its start when it ends."""
    return PALETTE[index % len(PALETTE)]


def _series_figure(chart: SeriesChart) -> Figure:
    lines = [_line(series, index, chart.unit) for index, series in enumerate(chart.series)]
    span_s = _span_s(chart.series)
    levels = [_level(level, index, span_s, chart.unit) for index, level in enumerate(chart.levels)]
    layout = {
        "height": 380,
        "hovermode": "x unified",
        "showlegend": len(lines) + len(levels) > 1,
        "xaxis": _axis("time (s)") | {"unifiedhovertitle": {"text": "%{x:.6~g} s"}},
        "yaxis": _axis(chart.unit),
    }
    return {"data": lines + levels, "layout": layout}


def _line(series: Series, index: int, unit: str) -> Figure:
    t_s, values = decimate(*series.arrays)
    line = {
        "color": colour(index),
        "width": 1.8,
        "dash": DASHES[index // len(PALETTE) % len(DASHES)],
        "shape": "hv" if series.step else "linear",
    }
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(t_s) <= MARKED_POINTS else "lines",
        "name": _safe(series.name),
        "meta": [_safe(unit)],
        "x": t_s.tolist(),
        "y": [value if np.isfinite(value) else None for value in values.tolist()],
        "line": line,
        "hovertemplate": "%{y:.6~g} %{meta[0]}",
    }


def _level(level: Level, index: int, span_s: tuple[float, float], unit: str) -> Figure:
    dash = DASHES[1:][index % len(DASHES[1:])]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": _safe(f"{level.name} ({level.value:g} {unit})"),
        "x": list(span_s),
        "y": [level.value, level.value],
        "line": {"color": LEVEL_COLOUR, "width": 1.8, "dash": dash},
        "hoverinfo": "skip",
    }


def _bars_figure(chart: Bars) -> Figure:
    groups = list(dict.fromkeys(bar.group for bar in chart.bars))
    data = [
        _bar_group([bar for bar in chart.bars if bar.group == group], index, chart.unit)
        for index, group in enumerate(groups)
    ]
    layout = {
        "height": 110 + ROW_PX * len(chart.bars),
        "barmode": "group",
        "hovermode": "closest",
        "showlegend": len(groups) > 1,
        "xaxis": _axis(chart.unit),
        "yaxis": _rows(bar.name for bar in chart.bars),
    }
    return {"data": data, "layout": layout}


def _bar_group(bars: Sequence[Bar], index: int, unit: str) -> Figure:
    below = [_reach(bar.value, bar.low) for bar in bars]
    above = [_reach(bar.value, bar.high) for bar in bars]
    error = {"type": "data", "symmetric": False, "arrayminus": below, "array": above}
    return {
        "type": "bar",
        "orientation": "h",
        "name": _safe(bars[0].group),
        "meta": [_safe(unit)],
        "x": [bar.value if _known(bar.value) else None for bar in bars],
        "y": [_safe(bar.name) for bar in bars],
        "error_x": error | {"visible": any(below) or any(above)},
        "marker": {"color": colour(index)},
        "hovertemplate": "%{y}: %{x:.6~g} %{meta[0]}",
    }


def _gantt_figure(chart: Gantt) -> Figure:
    labels = list(dict.fromkeys(interval.label for interval in chart.intervals))
    data = [
        _stretches([one for one in chart.intervals if one.label == label], index)
        for index, label in enumerate(labels)
    ]
    rows = dict.fromkeys(interval.row for interval in chart.intervals)
    layout = {
        "height": 130 + ROW_PX * len(rows),
        "barmode": "overlay",
        "hovermode": "closest",
        "showlegend": True,
        "xaxis": _axis("time (s)"),
        "yaxis": _rows(rows),
    }
    return {"data": data, "layout": layout}


def _stretches(intervals: Sequence[Interval], index: int) -> Figure:
    """All stretches of one label; an outline keeps the short ones visible."""
    return {
        "type": "bar",
        "orientation": "h",
        "name": _safe(intervals[0].label),
        "base": [one.start_s for one in intervals],
        "x": [one.end_s - one.start_s for one in intervals],
        "y": [_safe(one.row) for one in intervals],
        "customdata": [one.end_s for one in intervals],
        "marker": {"color": colour(index), "line": {"color": colour(index), "width": 1}},
        "hovertemplate": "%{y}: %{base:.6~g} s to %{customdata:.6~g} s",
    }


def _span_s(series: Iterable[Series]) -> tuple[float, float]:
    """From the first to the last time of all; (0, 1) where there is none."""
    times_s = [one.arrays[0][[0, -1]] for one in series if np.size(one.t_s)]
    return (float(np.min(times_s)), float(np.max(times_s))) if times_s else (0.0, 1.0)


def _axis(title: str) -> Figure:
    return {"title": {"text": _safe(title)}, "automargin": True}


def _rows(names: Iterable[str]) -> Figure:
    """Named rows, the first on top."""
    order = list(dict.fromkeys(_safe(name) for name in names))
    shown = {"categoryorder": "array", "categoryarray": order, "autorange": "reversed"}
    return shown | {"type": "category", "automargin": True, "showgrid": False}


def _known(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))


def _reach(value: float | None, end: float | None) -> float:
    """How far an interval reaches from its value."""
    if value is None or end is None or not np.isfinite(value - end):
        return 0.0
    return abs(end - value)


def _safe(text: str) -> str:
    return escape(text, quote=False)
