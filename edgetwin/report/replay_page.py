"""The page of a replay: the errors, and measured beside predicted for every rail and zone."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edgetwin.report.page import Page, write_page
from edgetwin.report.run_sections import run_sections, validity
from edgetwin.report.sections import (
    Cell,
    Column,
    KeyValue,
    Section,
    Series,
    SeriesChart,
    Table,
    Text,
)
from hw_models.accuracy import BLOCK_S, SignalErrors
from hw_models.board import Board
from hw_models.trace import Trace
from hw_models.validation import Comparison

FIGURES = {
    **{"n": "n", "bias": "bias", "mae": "MAE", "rmse": "RMSE", "p95": "P95"},
    **{"mape": "MAPE [%]", "nmbe": "NMBE [%]", "cvrmse": "CV(RMSE) [%]"},
}
HEADS = tuple(FIGURES.values())
LEGEND = (
    "Errors are predicted less measured, in W and K; P95 is the 95th percentile of their size. "
    "NMBE and CV(RMSE) are bias and RMSE divided by the mean of the measured values. "
    f"Rows in {BLOCK_S:g} s means compare averages over {BLOCK_S:g} s."
)


def write_replay_page(
    board: Board,
    log: Path,
    comparison: Comparison,
    command: Sequence[str],
    path: Path,
    traces: Sequence[Trace] = (),
) -> Path:
    """Write the page to `path` and return it; traces are the sessions as they were recorded."""
    rows = list(error_rows(comparison))
    sections: list[Section] = [
        _facts(board, log, comparison),
        Text(title="Assumed and left out", paragraphs=comparison.notes or ("nothing",)),
        Table(title="Errors", columns=_columns(), rows=rows, caption=LEGEND),
        *_charts(comparison),
        *_driven(board, comparison, traces),
    ]
    title = f"{log.name} on {board.name}"
    return write_page(Page(title=title, sections=sections, command=command), path)


def _driven(board: Board, comparison: Comparison, traces: Sequence[Trace]) -> Iterator[Section]:
    """What the recording drove the twin with, and how far the board file reaches."""
    several = len(comparison.sessions) > 1
    for number, session in enumerate(comparison.sessions, start=1):
        prefix = f"session {number}: " if several else ""
        if number <= len(traces):
            shown = run_sections(None, traces[number - 1], prefix)
            compared = (prefix + "temperature", prefix + "power")
            yield from (section for section in shown if section.title not in compared)
        yield validity(board, session.predicted, prefix)


def error_rows(comparison: Comparison) -> Iterator[list[Cell]]:
    """One row of figures per signal with its unit, rails in block means too."""
    for name, errors in comparison.signals.items():
        unit = "W" if name.startswith("power_w.") else "K"
        yield [f"{name} [{unit}]", *_cells(errors)]
        if name in comparison.blocks:
            yield [f"  in {BLOCK_S:g} s means", *_cells(comparison.blocks[name])]


def _cells(errors: SignalErrors) -> Iterator[Cell]:
    figures = errors.figures()
    for name, head in FIGURES.items():
        value = figures[name]
        yield 100.0 * value if value is not None and head.endswith("[%]") else value


def _columns() -> list[Column]:
    return [Column(name="signal"), *(Column(name=head) for head in HEADS)]


def _facts(board: Board, log: Path, comparison: Comparison) -> KeyValue:
    readings = sum(len(session.predicted) for session in comparison.sessions)
    items: dict[str, Cell] = {
        "log": log.name,
        "board": f"{board.name}: {board.title}",
        "calibration grade": board.grade,
        "sessions": len(comparison.sessions),
        "readings": readings,
        "ambient (degC)": comparison.ambient_c,
    }
    return KeyValue(title="Replay", items=items)


def _charts(comparison: Comparison) -> Iterator[SeriesChart]:
    """One chart per signal and session, measured and predicted."""
    several = len(comparison.sessions) > 1
    for name in comparison.signals:
        for number, session in enumerate(comparison.sessions, start=1):
            pair = session.signals().get(name)
            if pair is None:
                continue
            t_s = session.measured.t_s
            yield SeriesChart(
                title=f"{name}, session {number}" if several else name,
                unit="W" if name.startswith("power_w.") else "degC",
                series=[
                    Series(name=label, t_s=t_s, values=values)
                    for label, values in zip(("measured", "predicted"), pair, strict=True)
                ],
            )
