"""The speed study as a page: ratios against their bars, steps per second, cost over boards."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgetwin.report.page import Page, write_page
from edgetwin.report.sections import Bar, Bars, Column, KeyValue, Section, Table
from edgetwin.studies import cells


def write_speed_page(study: Mapping[str, Any], folder: Path) -> Path:
    """Write speed.html beside speed.json and return its path."""
    heads = ("what", "figure", "value", "bar", "verdict")
    sections: list[Section] = [
        KeyValue(title="Run", items={"quick": str(study["quick"]), **study["versions"]}),
        Table(
            title="Figures against their bars",
            columns=[Column(name=head) for head in heads],
            rows=cells(study),
        ),
        *_charts(study),
    ]
    page = Page(title="Speed", sections=sections, command=["python", "-m", "benchmarks.speed"])
    return write_page(page, folder / "speed.html")


def _charts(study: Mapping[str, Any]) -> list[Section]:
    """A chart for every detail that was measured."""
    more, bars = study["more"], study["bars"]
    wanted = (
        ("Environment steps per second", "1/s", more.get("peers"), "steps_per_s"),
        ("Thermal-v0 at 50 ms over boards", "1/s", more.get("scaling"), "steps_per_s_by_boards"),
        ("Exact step over thermal nodes", "s", more.get("scaling"), "thermal_step_s_by_nodes"),
        ("One period, 21 nodes with leakage", "s", _in(bars, "leaking"), "period_s"),
        ("One period, 68 nodes, linear", "s", _in(bars, "linear"), "period_s"),
    )
    return [
        Bars(
            title=title,
            unit=unit,
            bars=[Bar(name=str(name), value=float(value)) for name, value in found[key].items()],
        )
        for title, unit, found, key in wanted
        if found and key in found
    ]


def _in(bars: Mapping[str, Any], part: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = bars.get("exact_step", {}).get(part)
    return found
