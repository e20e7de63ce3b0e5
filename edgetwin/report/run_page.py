"""The page of a run: the comparison, and what happened under each policy with the first seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgetwin.report.page import Page, write_page
from edgetwin.report.run_sections import run_sections
from edgetwin.report.sections import Bar, Bars, Cell, Column, KeyValue, Section, Table
from edgetwin.runs import RunFolder
from edgetwin.sweeps import Study
from hw_models.trace import read_trace


def write_run_page(
    study: Study,
    folder: RunFolder,
    result: Mapping[str, Any],
    units: Mapping[str, str],
    command: Sequence[str],
) -> Path:
    """Write report.html into the run folder and return its path."""
    sections: list[Section] = [
        _facts(study),
        kpi_table("Key figures, mean over seeds", result["policies"], units),
        *kpi_bars(result["policies"], units),
    ]
    for policy in study.policies:
        trace = read_trace(folder.trace_path(policy.name, study.seeds[0]))
        prefix = f"{policy.name}, seed {study.seeds[0]}: "
        sections += run_sections(study.boards[0], trace, prefix)
    title = f"{study.scenarios[0].name} on {study.boards[0].name}"
    page = Page(title=title, sections=sections, command=command)
    return write_page(page, folder.path / "report.html")


def kpi_table(
    title: str, by_name: Mapping[str, Mapping[str, Any]], units: Mapping[str, str]
) -> Table:
    """Key figures of several runs: {name: {figure: {value, low, high}}}, intervals where known."""
    columns = [Column(name="policy")]
    for name, unit in units.items():
        columns += [Column(name=name, unit=unit), Column(name="±", unit=unit)]
    rows = [
        [label, *(cell for name in units for cell in _with_half(figures[name]))]
        for label, figures in by_name.items()
    ]
    caption = "± is half the 95 % interval of the mean over seeds (Student's t)."
    return Table(title=title, columns=columns, rows=rows, caption=caption)


def kpi_bars(by_name: Mapping[str, Mapping[str, Any]], units: Mapping[str, str]) -> list[Section]:
    """A few key figures as bars with their intervals, where there is something to compare."""
    if len(by_name) < 2:
        return []
    shown = [n for n in ("peak_temp_c", "violation_time_share", "energy_j") if n in units]
    return [
        Bars(
            title=name,
            unit=units[name],
            bars=[Bar(name=label, **figures[name]) for label, figures in by_name.items()],
        )
        for name in shown
    ]


def _with_half(figure: Mapping[str, float | None]) -> tuple[Cell, Cell]:
    low, high = figure["low"], figure["high"]
    return figure["value"], None if low is None or high is None else (high - low) / 2


def _facts(study: Study) -> KeyValue:
    board, first = study.boards[0], study.seeds[0]
    items: dict[str, Cell] = {
        "board": f"{board.name}: {board.title}",
        "calibration grade": board.grade,
        "scenario": study.scenarios[0].title,
        "seeds": len(study.seeds),
        "seconds at most": study.duration_s,
        "backend": study.backend,
        "every reading": f"<policy>/{first}/trace.parquet in this folder; charts are thinned",
    }
    return KeyValue(title="Run", items=items)
