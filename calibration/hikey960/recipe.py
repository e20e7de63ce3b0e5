"""HiKey 960: capacitance and leakage of both clusters from watts per clock and core count.

The table gives power above idle at the board's input with 1 and 4 busy cores. Each clock is held
out in turn with both core counts; what is shipped is fitted on all of them.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration import report
from calibration.build import Result, finished, rounded, start_board, with_sources
from calibration.data import data_set, found
from hw_models.board import Board
from hw_models.certificate import Certificate
from hw_models.certificate.certify import certify
from hw_models.certificate.evaluated import Pooled
from hw_models.certificate.figures import errors
from hw_models.certificate.model import Errors
from hw_models.fit import fit_cluster_power, predict_cluster_power
from hw_models.fit.result import FitResult
from hw_models.quantity import Source
from hw_models.tables import ClusterPowerTable, read_cluster_power_table

Array = NDArray[np.float64]

SET: Final = "hikey960"
FILE: Final = "hikey960/power_perf_n1_n4.csv"
GROUPS: Final = {"Cortex-A53": "a53", "Cortex-A73": "a73"}


def calibrate(data: Path | None = None) -> Result:
    """Board, certificate and report; FileNotFoundError where the data are absent."""
    start, table = start_board("hikey960"), read_cluster_power_table(found(SET, data)[FILE])
    predicted = held_out_w(start, table)
    held = {f"power_w.{group}": _errors(table, predicted, core) for core, group in GROUPS.items()}
    result = rounded(fit_cluster_power(start, table, GROUPS))
    said = predicted_w(start, result, table)
    fitted = {f"power_w.{group}": _errors(table, said, core) for core, group in GROUPS.items()}
    source = _source({name: row.mape or 0.0 for name, row in held.items()})
    board = result.board(with_sources(start, {"fit_power": source}), "fit_power")
    board = finished(board, {"power": "B"})
    certificate = certify(
        board,
        result,
        data={FILE: data_set(SET).files[FILE].sha256},
        tables={"fitted": fitted, "held-out": held},
        notes=("held out: one clock of a cluster with both core counts, all clocks in turn",),
    )
    return Result(
        board=board, certificate=certificate, report=_report(certificate, table, predicted)
    )


def held_out_w(board: Board, table: ClusterPowerTable) -> Array:
    """Watts of every point (n,) as predicted without the points of its clock."""
    said = np.full(len(table.cores), np.nan)
    for core in GROUPS:
        is_core = np.array(table.cores) == core
        for hz in np.unique(table.freq_hz[is_core]):
            out = np.flatnonzero(is_core & (table.freq_hz == hz))
            rest = table.take(np.flatnonzero(is_core & (table.freq_hz != hz)))
            result = fit_cluster_power(board, rest, {core: GROUPS[core]})
            said[out] = _said(board, result, table.take(out), core)
    return said


def predicted_w(board: Board, result: FitResult, table: ClusterPowerTable) -> Array:
    """Watts of every point (n,) as a fit says them."""
    said = np.full(len(table.cores), np.nan)
    for core in GROUPS:
        at = np.flatnonzero(np.array(table.cores) == core)
        said[at] = _said(board, result, table.take(at), core)
    return said


def _said(board: Board, result: FitResult, points: ClusterPowerTable, core: str) -> Array:
    return predict_cluster_power(
        board, result, core, GROUPS[core],
        freq_hz=points.freq_hz, opp_v=points.opp_v, n_cpus=points.n_cpus,
    ).mean  # fmt: skip


def _errors(table: ClusterPowerTable, said: Array, core: str) -> Errors:
    at = np.flatnonzero(np.array(table.cores) == core)
    points = Pooled(measured=table.power_w[at], said=said[at], stretch=np.arange(len(at)))
    return errors(points, has_shares=True)


def _source(mape: dict[str, float]) -> Source:
    data = data_set(SET)
    return Source(
        kind="fit",
        title="Capacitance and leakage of cores and clusters from measured watts",
        where=f"{data.where}, {data.path}",
        licence=data.licence,
        recipe="calibration/hikey960/recipe.py",
        data_sha256=data.files[FILE].sha256,
        note=(
            "P = (n a + b) V^2 f + (n l + s) V^3 shape(T), the cluster warming itself "
            "through the board's thermal network. Power above idle at the board's input: "
            "conversion losses and memory are inside. A phone with the same chip measured "
            "about half for the A73 under a lighter load (AnandTech 11088/4: 1.81 and 5.31 "
            "W)."
        ),
        holdout={"split": "one clock out", **{f"mape.{k}": round(v, 4) for k, v in mape.items()}},
    )


def _report(
    certificate: Certificate,
    table: ClusterPowerTable,
    said: Array,
) -> str:
    rows = [
        [core, hz / 1e6, volt_v, n, power_w, predicted, 100.0 * (predicted / power_w - 1.0)]
        for core, hz, volt_v, n, power_w, predicted in zip(
            table.cores, table.freq_hz, table.opp_v, table.n_cpus, table.power_w, said, strict=True
        )
    ]
    head = ["core", "MHz", "V", "busy cores", "measured W", "predicted W", "error %"]
    return report.page(
        "HiKey 960: how its board file was fitted",
        {
            "Data": f"{data_set(SET).title}. {data_set(SET).where}, {data_set(SET).licence}.",
            "Held out: each clock in turn": report.errors(_all(certificate, "held-out"))
            + "\n\n"
            + report.table(head, rows),
            "Fitted": report.errors(_all(certificate, "fitted")),
            "Parameters": report.parameters(certificate),
            "What the data cannot tell": report.findings(certificate),
            "Grade": f"{certificate.grade}: {certificate.reason}.",
        },
    )


def _all(certificate: Certificate, split: str) -> dict[str, Errors]:
    return {name: rows[("all")] for name, rows in certificate.errors[split].items()}  # type: ignore[index]
