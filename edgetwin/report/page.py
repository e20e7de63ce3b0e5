"""Sections in, one self-contained HTML page out: no network, light and dark, readable as text."""

import json
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from math import floor, isfinite, log10
from numbers import Integral, Real
from pathlib import Path
from string import Template
from typing import Final, final

from edgetwin.report.figures import Figure, figure
from edgetwin.report.sections import (
    Bars,
    Cell,
    Chart,
    Gantt,
    KeyValue,
    Plane,
    Section,
    SeriesChart,
    Table,
    Text,
)
from edgetwin.report.tables import told
from edgetwin.storage import write_atomically

LONG_TABLE: Final = 12
SCRIPTS: Final = ("numbers.js", "chart.js", "draw.js", "plane.js", "page.js")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One report: its sections in order, and the command that makes it again."""

    title: str
    sections: Sequence[Section]
    command: Sequence[str]


def write_page(page: Page, path: str | os.PathLike[str]) -> Path:
    """A page is one file, written whole or not at all; its folder is made where missing."""
    write_atomically(Path(path), page_html(page))
    return Path(path)


def page_html(page: Page, *, live: str = "") -> str:
    """The same page is the same text. With the address of its events, `live`, it follows a run."""
    parts = {
        "title": escape(page.title),
        "connect": "'self'" if live else "'none'",
        "live": f' data-live="{escape(live)}"' if live else "",
        "contents": contents(page.sections),
        "sections": "\n".join(sections_html(page.sections)),
        "command": escape(shlex.join(page.command)),
        "figures": json.dumps(
            figures_of(page.sections), allow_nan=False, separators=(",", ":")
        ).replace("<", "\\u003c"),
        "script": "\n".join(map(_template, SCRIPTS)),
    }
    return Template(_template("page.html")).substitute(parts)


def figures_of(sections: Sequence[Section]) -> list[Figure]:
    """What the page's script draws, one figure per chart, in the order of the sections."""
    return [figure(section) for section in sections if isinstance(section, Chart)]


def _template(name: str) -> str:
    return resources.files("edgetwin.report").joinpath(name).read_text(encoding="utf-8")


def contents(sections: Sequence[Section]) -> str:
    """Links to every section."""
    links = [
        f'<li><a href="#section-{number}">{escape(section.title)}</a></li>'
        for number, section in enumerate(sections, start=1)
    ]
    return "\n".join([*links, '<li><a href="#repeat">Repeat this</a></li>'])


def sections_html(sections: Sequence[Section]) -> Iterator[str]:
    """Every section under its heading; charts are numbered in the order of their figures."""
    chart_number = 0
    for number, section in enumerate(sections, start=1):
        name = f"section-{number}"
        heading = f'<h2 id="{name}">{escape(section.title)}</h2>'
        body = _body(section, name, f"chart-{chart_number}")
        chart_number += isinstance(section, Chart)
        yield f'<section aria-labelledby="{name}">\n{heading}\n{body}\n</section>'


def _body(section: Section, name: str, chart_id: str) -> str:
    match section:
        case Text():
            return "\n".join(f"<p>{escape(text)}</p>" for text in section.paragraphs)
        case KeyValue():
            return _key_value(section)
        case Table():
            return _table(section, name)
        case SeriesChart() | Bars() | Gantt() | Plane():
            return _chart(section, name, chart_id)


def _key_value(section: KeyValue) -> str:
    pairs = [
        f"<div><dt>{escape(name)}</dt><dd>{_shown(value)}</dd></div>"
        for name, value in section.items.items()
    ]
    return "<dl>\n" + "\n".join(pairs) + "\n</dl>"


def _table(table: Table, heading: str) -> str:
    """A table under the heading that names it; a wide one scrolls by itself, by keyboard too."""
    heads = "".join(_heading(table, index) for index in range(len(table.columns)))
    rows = "\n".join(f"<tr>{_row(row)}</tr>" for row in table.rows)
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    return (
        f'<div class="scroll" role="region" aria-labelledby="{heading}" tabindex="0">\n'
        f"<table>{caption}\n<thead><tr>{heads}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _heading(table: Table, index: int) -> str:
    """A column's name and unit, aligned as its cells are."""
    column = table.columns[index]
    unit = f' <span class="unit">({escape(column.unit)})</span>' if column.unit else ""
    numbers = index > 0 and any(isinstance(row[index], Real) for row in table.rows)
    align = ' class="number"' if numbers else ""
    return f'<th scope="col"{align}>{escape(column.name)}{unit}</th>'


def _row(row: Sequence[Cell]) -> str:
    first = f'<th scope="row">{_shown(row[0])}</th>' if row else ""
    return first + "".join(f"<td{_align(cell)}>{_shown(cell)}</td>" for cell in row[1:])


def _align(cell: Cell) -> str:
    return "" if isinstance(cell, str) else ' class="number"'


def _chart(chart: Chart, name: str, chart_id: str) -> str:
    """A chart with what it shows beneath: caption and table, there without any script."""
    table = told(chart)
    figures = _table(table, name)
    if len(table.rows) > LONG_TABLE:
        figures = f"<details><summary>The figures</summary>\n{figures}\n</details>"
    return (
        f'<figure aria-labelledby="{name}">\n'
        f'<div class="chart" id="{chart_id}" role="group" aria-labelledby="{name}"></div>\n'
        f"<figcaption>{escape(_caption(chart))}</figcaption>\n</figure>\n"
        f'<div class="told">{figures}</div>'
    )


def _caption(chart: Chart) -> str:
    """What is drawn, in which unit, before what the author says of it."""
    match chart:
        case SeriesChart(unit=unit):
            drawn = (
                f"{chart.title}, in {unit}, over time." if unit else f"{chart.title}, over time."
            )
        case Bars(unit=unit):
            drawn = f"{chart.title}, in {unit}." if unit else f"{chart.title}."
        case Gantt():
            drawn = f"{chart.title}: {chart.label_name} of each {chart.row_name} over time."
        case Plane(unit=unit):
            drawn = f"{chart.title}, in {unit}, over {chart.x_name} and {chart.y_name}."
    return f"{drawn} {chart.caption}".rstrip()


def _shown(cell: Cell) -> str:
    """Whole numbers whole, others to four significant digits, what is unknown as a dash."""
    if cell is None or (isinstance(cell, Real) and not isfinite(cell)):
        return '<span class="none">&ndash;</span>'
    if isinstance(cell, str | Integral):
        return escape(str(cell))
    size = floor(log10(abs(cell))) if cell else 0
    return f"{cell:.{max(3 - size, 0)}f}" if -4 < size < 7 else f"{cell:.3e}"
