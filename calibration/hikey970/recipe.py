"""HiKey 970: no watt and no temperature of this board was published, so nothing is fitted to it.

Its cores have the form of the HiKey 960's with its own voltages, clocks and costs (`cores`), its
heat the shape that geometry gives and the scale of an Odroid XU3 (`heat`), as that board is
shipped. The certificate says so with grade C; a log of a real board with a meter
(`edgetwin calibrate --meter`) replaces both.
"""

from pathlib import Path
from typing import Final

import numpy as np

from calibration.build import Result, digits, finished, fit_sources, start_board, with_sources
from calibration.data import data_set, found
from calibration.hikey970 import pages
from calibration.hikey970.cores import CORES, Core, core_of, read_costs
from calibration.hikey970.heat import opinions, scaled
from hw_models.board import load_board
from hw_models.certificate.certify import certify
from hw_models.certificate.evaluated import Pooled
from hw_models.certificate.figures import errors
from hw_models.certificate.model import Errors
from hw_models.fit.result import Finding, FitResult, Parameter

SET: Final = "kirin970"
COSTS: Final = "kirin970/kirin970_cpu_opp_energy.csv"
COSTS_960: Final = "kirin970/hi3660_cpu_opp_energy.csv"
SET_960: Final = "hikey960"
MEASURED_960: Final = "hikey960/power_perf_n1_n4.csv"
REASON: Final = "documents and boards like it; nothing of this board was measured"


def calibrate(data: Path | None = None) -> Result:
    """Board, certificate and report; FileNotFoundError where the data are absent."""
    start, like, odroid = start_board("hikey970"), start_board("hikey960"), load_board("odroid-xu3")
    files = found(SET, data) | found(SET_960, data)
    tables = {core: read_costs(files[COSTS], core) for core in CORES}
    cores = {
        core: core_of(
            start, like, core, costs, read_costs(files[COSTS_960], core), files[MEASURED_960]
        )
        for core, costs in tables.items()
    }
    result = _result(cores)
    board = with_sources(start, fit_sources("hikey970", SET, pages.SAID))
    board = scaled(result.board(board, "fit_cores"), odroid, "fit_heat")
    board = finished(board, {"power": "C", "thermal": "C"})
    said = pages.cluster_rows(board, tables)
    certificate = certify(
        board,
        result,
        data={
            file: data_set(name).files[file].sha256
            for name, file in ((SET, COSTS), (SET, COSTS_960), (SET_960, MEASURED_960))
        },
        tables={"fitted": {f"power_w.{CORES[core]}": _errors(said, core) for core in CORES}},
        documents_only=REASON,
        notes=("power_w: the vendor's cost table read as watts, not a measurement",),
    )
    report = pages.page(certificate, said, cores, tables, opinions(start, odroid))
    return Result(board=board, certificate=certificate, report=report)


def _result(cores: dict[str, Core]) -> FitResult:
    """Capacitance and leakage of every kind of core as a fit would give them."""
    parameters: list[Parameter] = []
    findings: list[Finding] = []
    for name, core in cores.items():
        unit = f"power.units.{CORES[name]}"
        parameters += [
            _parameter(f"{unit}.active_capacitance_f", core.active_f, core.share),
            _parameter(f"{unit}.leakage_w", core.leakage_w, core.leakage_share),
        ]
        findings.append(
            Finding(
                kind="not pinned",
                paths=(f"{unit}.active_capacitance_f", f"{unit}.leakage_w"),
                message=f"{1e3 * core.awake_w:.0f} mW of a busy {name} move with neither clock nor "
                "voltage; they are the core's own or what wakes with it, and no leakage.",
                cure="a meter at the board's input, one and four busy cores at every clock",
            )
        )
    return FitResult(
        parameters=tuple(parameters),
        covariance=np.diag([p.std**2 for p in parameters]),
        findings=tuple(findings),
        rms={},
        n=0,
        seed=0,
    )


def _parameter(path: str, value: float, share: float) -> Parameter:
    value = digits(value, 3)
    return Parameter(
        path=path, value=value, std=digits(value * share, 2), low=0.0, high=value * 10.0,
        start=value, status="not pinned",
    )  # fmt: skip


def _errors(said: list[pages.ClusterRow], core: str) -> Errors:
    rows = [row for row in said if row.core == core]
    return errors(
        Pooled(
            measured=np.array([row.cost_w for row in rows]),
            said=np.array([row.said_w for row in rows]),
            stretch=np.arange(len(rows)),
        ),
        has_shares=True,
    )
