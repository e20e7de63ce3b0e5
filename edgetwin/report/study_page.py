"""Pages of many runs: a sweep's groups, and a study's rows against their bars."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgetwin.report.page import Page, write_page
from edgetwin.report.run_page import kpi_table
from edgetwin.report.sections import Bar, Bars, Cell, Column, KeyValue, Section, Table
from edgetwin.studies import cells


def write_sweep_page(
    result: Mapping[str, Any], units: Mapping[str, str], command: Sequence[str], path: Path
) -> Path:
    """The page of a sweep: every group's means with intervals, as a table and as bars."""
    groups = {
        f"{group['policy']}, {group['scenario']}, {group['board']}": group
        for group in result["groups"]
    }
    kpis = {name: group["kpis"] for name, group in groups.items()}
    known = {
        figure: unit
        for figure, unit in units.items()
        if any(one.get(figure, {}).get("value") is not None for one in kpis.values())
    }
    nothing = {"value": None, "low": None, "high": None}
    full = {name: {f: one.get(f, nothing) for f in known} for name, one in kpis.items()}
    items: dict[str, Cell] = {
        "runs": result["runs"],
        "groups": len(groups),
        "every run": "results.parquet in this folder",
    }
    sections: list[Section] = [
        KeyValue(title="Sweep", items=items),
        kpi_table("Mean over seeds and 95 % interval", full, known),
        *(
            Bars(title=figure, unit=unit, bars=[
                Bar(name=f"{g['policy']}, {g['board']}", group=g["scenario"], **full[name][figure])
                for name, g in groups.items()
            ])
            for figure, unit in known.items()
        ),
    ]  # fmt: skip
    return write_page(Page(title="Sweep", sections=sections, command=command), path)


def write_study_page(study: Mapping[str, Any], command: Sequence[str], path: Path) -> Path:
    """The page of a study: every figure against its bar, and how long each row took."""
    heads = ("what", "figure", "value", "bar", "verdict")
    took: list[list[Cell]] = [
        [found["title"], found.get("took_s")]
        for found in (*study["bars"].values(), *study["more"].values())
    ]
    items: dict[str, Cell] = {"study": study["study"], "quick": str(study["quick"])}
    sections: list[Section] = [
        KeyValue(title="Study", items=items | dict(study["versions"])),
        Table(
            title="Figures against their bars",
            columns=[Column(name=head) for head in heads],
            rows=cells(study),
        ),
        Table(
            title="Time taken", columns=[Column(name="row"), Column(name="took", unit="s")],
            rows=took,
        ),
    ]  # fmt: skip
    page = Page(title=f"Study: {study['study']}", sections=sections, command=command)
    return write_page(page, path)
