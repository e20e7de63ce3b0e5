"""Several runs on one page: key figures side by side, heat, power and clocks over one another."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgetwin.report.kept import Kept, board_of
from edgetwin.report.page import Page, write_page
from edgetwin.report.run_sections import run_sections
from edgetwin.report.sections import Cell, Column, Section, Series, SeriesChart, Table, Text
from hw_models.trace import Trace

GROUPS: Final = {"temps_c": "degC", "power_w": "W", "freq_hz": "Hz"}


def write_kept_page(run: Kept, path: Path, board: str | None = None) -> Path:
    """The page of one kept run, made again from its traces."""
    sections: list[Section] = []
    for label in run.traces:
        _, trace = run.read(label)
        prefix = f"{label}: " if len(run.traces) > 1 else ""
        sections += run_sections(board_of(trace, board), trace, prefix)
    return write_page(Page(title=run.name, sections=sections, command=run.command), path)


def write_compare_page(runs: Sequence[Kept], command: Sequence[str], path: Path) -> Path:
    """One page over several runs: the first trace of each, signal by signal."""
    names = _names(runs)
    traces = {name: run.read()[1] for name, run in zip(names, runs, strict=True) if run.traces}
    sections: list[Section] = [_runs(names, runs), *_figures(names, runs)]
    hottest = [_over_all(name, trace) for name, trace in traces.items()]
    known = [one for one in hottest if one is not None]
    if known:
        sections.append(SeriesChart(title="hottest zone", unit="degC", series=known))
    for group, unit in GROUPS.items():
        for column in _shared(traces, f"{group}."):
            series = [
                Series(name=name, t_s=trace.columns["t_s"], values=trace.columns[column],
                       step=group == "freq_hz")
                for name, trace in traces.items()
                if column in trace.columns
            ]  # fmt: skip
            sections.append(SeriesChart(title=column, unit=unit, series=series))
    title = "Compared: " + ", ".join(names)
    return write_page(Page(title=title, sections=sections, command=command), path)


def _names(runs: Sequence[Kept]) -> list[str]:
    """By folder name, with the path where two have one name."""
    names = [run.name for run in runs]
    return [run.name if names.count(run.name) == 1 else str(run.path).strip("/") for run in runs]


def _runs(names: Sequence[str], runs: Sequence[Kept]) -> Table:
    rows: list[list[Cell]] = []
    for name, run in zip(names, runs, strict=True):
        asked = run.record.get("arguments", {})
        boards = asked.get("boards") or [asked.get("board")]
        versions = run.record.get("versions", {})
        shown = ", ".join(str(board) for board in boards if board) or None
        rows.append([name, asked.get("verb"), shown, next(iter(run.traces), None),
                     run.record.get("status"), versions.get("edgetwin")])  # fmt: skip
    heads = ("run", "verb", "board", "trace shown", "status", "edgetwin")
    return Table(title="Runs", columns=[Column(name=head) for head in heads], rows=rows)


def _figures(names: Sequence[str], runs: Sequence[Kept]) -> list[Section]:
    """Key figures by run and policy, for the runs that kept some."""
    from edgetwin.storage import read_json

    found: dict[str, Mapping[str, Any]] = {}
    for name, run in zip(names, runs, strict=True):
        kpis = read_json(run.path / "kpis.json") if run.path.is_dir() else None
        policies = kpis.get("policies", {}) if isinstance(kpis, dict) else {}
        found |= {f"{name}: {policy}": figures for policy, figures in policies.items()}
    if not found:
        return [Text(title="Key figures", paragraphs=["These runs kept no key figures."])]
    figures = list(dict.fromkeys(figure for one in found.values() for figure in one))
    rows: list[list[Cell]] = [
        [label, *(one.get(figure, {}).get("value") for figure in figures)]
        for label, one in found.items()
    ]
    columns = [Column(name="run"), *(Column(name=figure) for figure in figures)]
    return [Table(title="Key figures, mean over seeds", columns=columns, rows=rows)]


def _over_all(name: str, trace: Trace) -> Series | None:
    zones = [v for column, v in trace.columns.items() if column.startswith("temps_c.")]
    if not zones:
        return None
    stacked = np.vstack(zones)
    known = ~np.isnan(stacked).all(axis=0)
    hottest = np.full(stacked.shape[1], np.nan)
    hottest[known] = np.nanmax(stacked[:, known], axis=0)
    return Series(name=name, t_s=trace.columns["t_s"], values=hottest)


def _shared(traces: Mapping[str, Trace], start: str) -> list[str]:
    """Columns that at least two of the runs have, or all where there is one run."""
    columns = [c for trace in traces.values() for c in trace.columns if c.startswith(start)]
    least = min(2, len(traces))
    return [column for column in dict.fromkeys(columns) if columns.count(column) >= least]
