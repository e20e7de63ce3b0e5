"""A chart told in a table, for whoever cannot see it: no script, no colour, no hover."""

from collections.abc import Sequence

from edgetwin.report.sections import (
    Bars,
    Cell,
    Chart,
    Column,
    Gantt,
    Plane,
    SeriesChart,
    Table,
)
from edgetwin.report.series import summarise


def told(chart: Chart) -> Table:
    """A chart says something without a picture: min, mean and max, values, or times by label."""
    match chart:
        case SeriesChart():
            return _series_told(chart)
        case Bars():
            return _bars_told(chart)
        case Gantt():
            return _gantt_told(chart)
        case Plane():
            return _plane_told(chart)


def _series_told(chart: SeriesChart) -> Table:
    names = ("min", "mean over time", "max")
    columns = [Column(name="signal"), Column(name="samples")]
    columns += [Column(name=name, unit=chart.unit) for name in names]
    figures = [summarise(*one.arrays, step=one.step) for one in chart.series]
    rows = [
        (one.name, figure.n, figure.low, figure.mean, figure.high)
        for one, figure in zip(chart.series, figures, strict=True)
    ]
    levels = [f"{level.name} {level.value:g} {chart.unit}".rstrip() for level in chart.levels]
    caption = f"Levels: {', '.join(levels)}." if levels else ""
    return Table(title=chart.title, columns=columns, rows=rows, caption=caption)


def _bars_told(chart: Bars) -> Table:
    named = [("name", [bar.name for bar in chart.bars])]
    if any(bar.group for bar in chart.bars):
        named.append(("group", [bar.group for bar in chart.bars]))
    figures = {"value": [bar.value for bar in chart.bars]}
    if any((bar.low, bar.high) != (None, None) for bar in chart.bars):
        figures |= {
            "low": [bar.low for bar in chart.bars],
            "high": [bar.high for bar in chart.bars],
        }
    columns = [Column(name=name) for name, _ in named]
    columns += [Column(name=name, unit=chart.unit) for name in figures]
    cells: list[Sequence[Cell]] = [*(names for _, names in named), *figures.values()]
    return Table(title=chart.title, columns=columns, rows=list(zip(*cells, strict=True)))


def _gantt_told(chart: Gantt) -> Table:
    columns = [Column(name=chart.row_name), Column(name=chart.label_name), Column(name="stretches")]
    columns += [Column(name=name, unit="s") for name in ("total", "first start", "last end")]
    pairs = dict.fromkeys((one.row, one.label) for one in chart.intervals)
    rows = []
    for row, label in pairs:
        mine = [one for one in chart.intervals if (one.row, one.label) == (row, label)]
        total_s = sum(one.end_s - one.start_s for one in mine)
        start_s, end_s = min(one.start_s for one in mine), max(one.end_s for one in mine)
        rows.append((row, label, len(mine), total_s, start_s, end_s))
    return Table(title=chart.title, columns=columns, rows=rows)


def _plane_told(chart: Plane) -> Table:
    """The points and what the plane says there."""
    columns = [Column(name="point"), Column(name=chart.x_name), Column(name=chart.y_name)]
    columns += [Column(name="value", unit=chart.unit), Column(name="allowed")]
    rows: list[Sequence[Cell]] = []
    for mark in chart.marks:
        row, column = chart.y.index(mark.y), chart.x.index(mark.x)
        is_allowed = "yes" if chart.allowed[row][column] else "no"
        rows.append((mark.name, mark.x, mark.y, chart.values[row][column], is_allowed))
    return Table(title=chart.title, columns=columns, rows=rows)
