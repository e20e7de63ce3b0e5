"""A plane drawn: a figure over two axes, the border of what is allowed, points with names."""

from html import escape
from math import log10
from typing import Any, Final

from edgetwin.report.sections import Plane

_SYMBOLS: Final = (
    "star", "circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down",
)  # fmt: skip
_HEIGHT_PX: Final = 420
_BORDER: Final = "#ffffff"
_INK: Final = "#11151c"


def plane_figure(chart: Plane) -> dict[str, Any]:
    """The `data` and `layout` of plotly.js; colours follow the logarithm of the values."""
    x, y = [escape(t) for t in chart.x], [escape(t) for t in chart.y]
    colours = [[None if v is None else log10(v) for v in row] for row in chart.values]
    said = [["" if v is None else f"{v:.4g} {escape(chart.unit)}" for v in row]
            for row in chart.values]  # fmt: skip
    ticks = _ticks([c for row in colours for c in row if c is not None])
    heat = {
        "type": "heatmap", "x": x, "y": y, "z": colours, "text": said, "colorscale": "Viridis",
        "reversescale": True, "hovertemplate": "%{y}, %{x}: %{text}<extra></extra>",
        "colorbar": {"title": {"text": escape(chart.unit)}, "tickvals": ticks,
                     "ticktext": [f"{10**t:.3g}" for t in ticks]},
    }  # fmt: skip
    marks = [
        {
            "type": "scatter", "mode": "markers", "name": escape(mark.name),
            "x": [escape(mark.x)], "y": [escape(mark.y)], "hovertemplate": "%{y}, %{x}",
            "marker": {"size": 13 - i, "symbol": _SYMBOLS[i % len(_SYMBOLS)], "color": "#ffffff",
                       "line": {"width": 1.5, "color": _INK}},
        }
        for i, mark in enumerate(chart.marks)
    ]  # fmt: skip
    layout = {
        "height": _HEIGHT_PX,
        "hovermode": "closest",
        "showlegend": True,
        "legend": {"orientation": "h", "y": -0.25},
        "xaxis": {"title": {"text": escape(chart.x_name)}, "type": "category"},
        "yaxis": {"title": {"text": escape(chart.y_name)}, "type": "category"},
        "shapes": _border(chart),
    }
    return {"data": [heat, *marks], "layout": layout}


def _ticks(values: list[float]) -> list[float]:
    if not values:
        return []
    low, high = min(values), max(values)
    return [low + i * (high - low) / 4 for i in range(5)]


def _border(chart: Plane) -> list[dict[str, Any]]:
    """Lines between a cell that is allowed and a neighbour that is not; cells are 1 x 1."""
    found = []
    rows, columns = len(chart.y), len(chart.x)
    for r in range(rows):
        for c in range(columns):
            here = chart.allowed[r][c]
            if c + 1 < columns and here != chart.allowed[r][c + 1]:
                found.append(_line(c + 0.5, r - 0.5, c + 0.5, r + 0.5))
            if r + 1 < rows and here != chart.allowed[r + 1][c]:
                found.append(_line(c - 0.5, r + 0.5, c + 0.5, r + 0.5))
    return found


def _line(x0: float, y0: float, x1: float, y1: float) -> dict[str, Any]:
    return {
        "type": "line", "x0": x0, "y0": y0, "x1": x1, "y1": y1, "line": {"width": 3, "color":
        _BORDER},
    }  # fmt: skip
