"""The page of a calibration: how far to trust a board file, and why."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from edgetwin.report.page import Page, write_page
from edgetwin.report.sections import (
    Cell,
    Column,
    KeyValue,
    Level,
    Section,
    Series,
    SeriesChart,
    Table,
    Text,
)
from hw_models.board import Board
from hw_models.certificate.evaluated import Evaluated
from hw_models.certificate.model import Certificate, CertifiedParameter, Errors
from hw_models.parameters import std_at, value_at

_ERRORS: Final = ("n", "bias", "mae", "rmse", "max", "p95")
_SHARES: Final = ("mape", "nmbe", "cvrmse")


def write_calibration_page(
    before: Board,
    certificate: Certificate,
    runs: Sequence[Evaluated],
    command: Sequence[str],
    path: Path,
) -> Path:
    """Write the page to `path` and return it; before is the board file the fit started from."""
    sections: list[Section] = [
        _facts(certificate, before),
        Text(title="Findings", paragraphs=_findings(certificate)),
        _data(certificate),
        _runs(certificate),
        _errors(certificate),
        _coverage(certificate),
        _skill(certificate),
        _envelope(certificate),
        _parameters(certificate, before),
        *_charts(runs),
    ]
    title = f"Calibration of {certificate.board}"
    return write_page(Page(title=title, sections=sections, command=command), path)


def _facts(certificate: Certificate, before: Board) -> KeyValue:
    pinned = sum(p.status == "pinned" for p in certificate.parameters)
    items: dict[str, Cell] = {
        "certificate": certificate.id,
        "board": f"{before.name}: {before.title}",
        "grade": certificate.grade,
        "reason": certificate.reason,
        "numbers": f"{pinned} pinned of {len(certificate.parameters)} that were fitted",
        "seed": certificate.seed,
    }
    return KeyValue(title="Certificate", items=items)


def _findings(certificate: Certificate) -> list[str]:
    lines = [f"{f.kind}: {f.message} {f.cure}".rstrip() for f in certificate.findings]
    return [*(lines or ["nothing that the data cannot tell"]), *certificate.notes]


def _data(certificate: Certificate) -> Table:
    rows = [[data.file, data.sha256] for data in certificate.data]
    return Table(title="Data", columns=_columns("file", "sha256"), rows=rows)


def _runs(certificate: Certificate) -> Table:
    heads = (
        "run",
        "split",
        "day",
        "readings",
        "minutes",
        "period (s)",
        "dropped",
        "ambient (degC)",
    )
    rows: list[list[Cell]] = [
        [run.name, run.split, run.day, run.n, (run.end_s - run.start_s) / 60.0, run.period_s,
         run.dropped, run.ambient_c]
        for run in certificate.runs
    ]  # fmt: skip
    return Table(
        title="Runs",
        columns=_columns(*heads),
        rows=rows,
        caption="dropped: readings that the period promised and the log lacks.",
    )


def _errors(certificate: Certificate) -> Table:
    rows: list[list[Cell]] = []
    for split, by_signal in certificate.errors.items():
        for signal, by_regime in by_signal.items():
            rows += [
                [f"{signal} [{unit_of(signal)}]", split, regime, *_figures(row)]
                for regime, row in by_regime.items()
            ]
            block = certificate.blocks.get(split, {}).get(signal)
            if block is not None:
                rows.append([f"{signal} [W]", split, "20 s means", *_figures(block)])
    heads = ("signal", "split", "regime", *_ERRORS, *(f"{name} (%)" for name in _SHARES))
    return Table(
        title="Errors",
        columns=_columns(*heads),
        rows=rows,
        caption="Predicted less measured. mape is divided by each measured value, nmbe and cvrmse "
        "by the mean of the measured values; temperatures have no shares.",
    )


def _figures(row: Errors) -> Iterator[Cell]:
    yield from (getattr(row, name) for name in _ERRORS)
    for name in _SHARES:
        share = getattr(row, name)
        yield None if share is None else 100.0 * share


def _coverage(certificate: Certificate) -> Table:
    rows: list[list[Cell]] = [
        [f"{signal} [{unit_of(signal)}]", c.n, c.half_50, c.half_90, _percent(c.share_50),
         _percent(c.share_90)]
        for signal, c in certificate.coverage.items()
    ]  # fmt: skip
    heads = ("signal", "n", "half 50 %", "half 90 %", "inside 50 % (%)", "inside 90 % (%)")
    return Table(
        title="Coverage, counted on held-out runs",
        columns=_columns(*heads),
        rows=rows,
        caption="half: the half-width that the scatter of the fitted runs asks for; what the "
        "parameters leave open widens it reading by reading.",
    )


def _skill(certificate: Certificate) -> Table:
    rows: list[list[Cell]] = [
        [signal, s.n, s.rmse, s.table_rmse, s.skill] for signal, s in certificate.skill.items()
    ]
    return Table(
        title="Skill against a table of means per operating point",
        columns=_columns("signal", "n", "rmse", "table rmse", "skill"),
        rows=rows,
        caption="1 - rmse / table rmse on held-out runs; 0 is no better than the table.",
    )


def _envelope(certificate: Certificate) -> Table:
    e = certificate.envelope
    groups = (
        ("Hz", "freq_hz", e.freq_hz),
        ("", "busy", e.busy),
        ("degC", "temps_c", e.temps_c),
        ("W", "power_w", e.power_w),
    )
    rows: list[list[Cell]] = [
        [f"{group}.{name}", unit, low, high]
        for unit, group, spans in groups
        for name, (low, high) in spans.items()
    ]
    return Table(
        title="Excitation covered",
        columns=_columns("signal", "unit", "lowest", "highest"),
        rows=rows,
        caption="The validity envelope: outside of it nothing was tried.",
    )


def _parameters(certificate: Certificate, before: Board) -> Table:
    rows = [_row(parameter, before) for parameter in certificate.parameters]
    heads = ("parameter", "value", "std", "low", "high", "status", "before", "std before")
    return Table(
        title="Parameters",
        columns=_columns(*heads),
        rows=rows,
        caption="std: one standard error; low, high: the bounds of the fit; units are those the "
        "names end with.",
    )


def _row(parameter: CertifiedParameter, before: Board) -> list[Cell]:
    try:
        was: list[Cell] = [value_at(before, parameter.path), std_at(before, parameter.path)]
    except KeyError:
        was = [None, None]
    p = parameter
    return [p.path, p.value, p.std, p.low, p.high, p.status, *was]


def _charts(runs: Sequence[Evaluated]) -> Iterator[SeriesChart]:
    """Measured beside predicted, and what is left, signal by signal and run by run."""
    for run in runs:
        for signal, measured in run.measured.items():
            unit, name = unit_of(signal), f"{signal}, {run.run.name}"
            said = run.predicted[signal]
            yield SeriesChart(
                title=name,
                unit="degC" if unit == "K" else unit,
                series=[
                    Series(name="measured", t_s=run.t_s, values=measured),
                    Series(name="predicted", t_s=run.t_s, values=said),
                ],
            )
            yield SeriesChart(
                title=f"{name}: residual",
                unit=unit,
                series=[
                    Series(name="predicted less measured", t_s=run.t_s, values=said - measured)
                ],
                levels=[Level(name="mean", value=float(np.nanmean(said - measured)))],
            )


def unit_of(signal: str) -> str:
    """The unit of a signal's errors."""
    if signal.startswith("temps_c."):
        return "K"
    return "s" if signal.startswith(("latency_s.", "step_s.")) else "W"


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share


def _columns(*names: str) -> list[Column]:
    return [Column(name=name) for name in names]
