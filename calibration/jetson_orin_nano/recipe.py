"""Jetson Orin Nano: power and heat from four sessions of three days.

Power is fitted to the loads as logged. The logs lack the memory's traffic, and the GPU draws 3 to
4.4 W when it is 98 % busy, by the network it runs; so heat is fitted under the loads that the rails
show (see hw_models.fit.seen_loads). Each session is held out in turn.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from calibration import report
from calibration.blocks import with_settled_fan
from calibration.build import (
    Result,
    finished,
    fit_sources,
    rounded,
    start_board,
    with_fan_in_proportion,
    with_sources,
)
from calibration.data import data_set, found
from calibration.report import Row
from hw_models.board import Board
from hw_models.certificate import Certificate
from hw_models.certificate.certify import certify
from hw_models.certificate.evaluated import Evaluated, evaluate
from hw_models.certificate.figures import block_errors_of, errors_of
from hw_models.fit import FitResult, Run, fit_power, fit_thermal, read_runs
from hw_models.fit.seen_loads import with_seen_loads
from hw_models.parameters import with_values
from hw_models.quantity import Source

SET: Final = "orin-nano"
POWER: Final = (
    "power.units.cluster0.active_capacitance_f",
    "power.units.gpu.active_capacitance_f",
    "power.domains.emc.active_capacitance_f",
    "power.memory.energy_j_per_byte",
    "power.baseline.cpu-gpu-rail.power_w",
    "power.baseline.soc.power_w",
    "power.baseline.module.power_w",
    "power.conversion.share",
)
HEAT: Final = (
    "thermal.capacity_j_per_k[*]",
    "thermal.links[*].conductance_w_per_k",
    "thermal.cooling[0].conductance_w_per_k[1]",
    "sensors.zones.gpu.offset_k",
    "sensors.zones.soc0.offset_k",
    "sensors.zones.soc1.offset_k",
    "sensors.zones.soc2.offset_k",
)
# The one at which all sessions ran, and at which heat is fitted.
FAN_LEVEL: Final = 1
# Not a sensor of its own: the largest of the others.
DERIVED: Final = "temps_c.tj"


def calibrate(data: Path | None = None) -> Result:
    """Board, certificate and report; FileNotFoundError where the data are absent."""
    start, runs = start_board("jetson_orin_nano"), sessions(data)
    held, as_logged = held_out(start, runs)
    board, results = fitted(with_sources(start, _sources(held)), runs)
    board = finished(board, {"power": "B", "thermal": "B"})
    certificate = certify(
        board,
        results,
        data={file: entry.sha256 for file, entry in data_set(SET).files.items()},
        fitted=[with_seen_loads(board, run) for run in runs],
        notes=(
            "driven by the loads that the rails show: power is reproduced by construction, "
            "temperatures are predicted; held-out figures: report.md",
        ),
    )
    return Result(board=board, certificate=certificate, report=_page(certificate, held, as_logged))


def sessions(data: Path | None = None) -> tuple[Run, ...]:
    """Every session of the logs as a run."""
    start = start_board("jetson_orin_nano")
    runs = [run for path in found(SET, data).values() for run in read_runs(start, path)]
    return tuple(with_settled_fan(start, run) for run in runs)


def held_out(
    start: Board, runs: Sequence[Run]
) -> tuple[tuple[Evaluated, ...], tuple[Evaluated, ...]]:
    """Every session as a board says it that was fitted on the others.

    Once under the loads that the rails show, once under the loads as logged.
    """
    start = with_sources(start, _sources(()))
    seen: list[Evaluated] = []
    logged: list[Evaluated] = []
    for run in runs:
        board, _ = fitted(start, [other for other in runs if other is not run])
        seen += evaluate(board, [with_seen_loads(board, run)])
        logged += evaluate(board, [run])
    return tuple(seen), tuple(logged)


def fitted(start: Board, runs: Sequence[Run]) -> tuple[Board, tuple[FitResult, FitResult]]:
    """The board with power and heat fitted to some runs, and both results.

    start has the sources `fit_power` and `fit_thermal`.
    """
    drawn = rounded(fit_power(start, runs, free=POWER))
    board = drawn.board(start, "fit_power")
    heat = rounded(fit_thermal(board, [with_seen_loads(board, run) for run in runs], free=HEAT))
    board = with_fan_in_proportion(heat.board(board, "fit_thermal"), start, FAN_LEVEL)
    return _in_its_air(board, heat), (drawn, heat)


def _in_its_air(board: Board, heat: FitResult) -> Board:
    """The board with the air that the sessions had around it, mean and scatter over sessions."""
    air_c = np.array([p.value for p in heat.parameters if p.path.endswith(".ambient_c")])
    path = "thermal.ambient_c"
    return with_values(
        board,
        {path: round(float(air_c.mean()), 1)},
        std={path: round(float(max(air_c.std(ddof=1), 1.0)), 1)},
        source="fit_thermal",
    )


def dynamic_k(case: Evaluated) -> dict[str, float]:
    """Root mean square error of every zone about its own mean, in kelvin; biases apart."""
    zones = [name for name in case.measured if name.startswith("temps_c.") and name != DERIVED]
    return {name: float(np.nanstd(case.error(name))) for name in zones}


def pooled_k(cases: Sequence[Evaluated]) -> float:
    """Root mean square of the dynamic error over all readings and zones of some runs, kelvin."""
    each = [np.array(list(dynamic_k(case).values())) for case in cases]
    rows = [len(case.t_s) for case in cases]
    return float(np.sqrt(np.average([np.mean(x**2) for x in each], weights=rows)))


def _sources(held: Sequence[Evaluated]) -> dict[str, Source]:
    holdout: dict[str, float | str] = (
        {"split": "one session out", "dynamic_rmse_k": round(pooled_k(held), 3)} if held else {}
    )
    fits = {
        "fit_power": ("Power of every rail", _POWER_NOTE, {}),
        "fit_thermal": ("Thermal network at the first fan level", _HEAT_NOTE, holdout),
    }
    return fit_sources("jetson_orin_nano", SET, fits)


_POWER_NOTE: Final = (
    "CPU at 1510, GPU at 612 MHz in all logs, memory clock not logged: capacitances are C "
    "V^2 f at assumed voltages, other clocks follow from those. Traffic is not logged: a "
    "busy GPU is taken to use the memory fully, so energy per byte and losses are known "
    "together only."
)
_HEAT_NOTE: Final = (
    "Under the loads that the rails show. CPU, GPU and SoC over one spreader. The air that "
    "the spreader sees is estimated per session (46 to 49 degC): inside a case, or a fan "
    "that regulates unseen; other fan levels are assumed."
)


_DYNAMIC: Final = (
    "Root mean square error of each zone about its mean, K; `tj` is the largest of the others, "
    "not a sensor."
)


def _page(
    certificate: Certificate, held: Sequence[Evaluated], as_logged: Sequence[Evaluated]
) -> str:
    rows: list[Row] = [
        [case.run.name, len(case.t_s), case.ambient_c, *dynamic_k(case).values()] for case in held
    ]
    names = [name.removeprefix("temps_c.") for name in dynamic_k(held[0])]
    biased = {name: rows["all"] for name, rows in errors_of(held).items() if "temps_c" in name}
    return report.page(
        "Jetson Orin Nano: how its board file was fitted",
        {
            "Held out: each session in turn, dynamic error": _DYNAMIC
            + f" Over all sessions and zones {pooled_k(held):.3f} K.\n\n"
            + report.table(["session", "readings", "air degC", *names], rows),
            "Held out: errors with bias": report.errors(biased),
            "Held out: power under the loads as logged": _POWER_NOTE
            + "\n\n"
            + report.errors(block_errors_of(as_logged)),
            "Parameters": report.parameters(certificate),
            "What the data cannot tell": report.findings(certificate),
            "Grade": f"{certificate.grade}: {certificate.reason}.",
        },
    )
