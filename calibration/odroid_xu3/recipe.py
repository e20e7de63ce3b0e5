"""Odroid XU3: power of the big cluster and heat of every big core from two logs.

The training log runs one big core after the other, at 800 MHz and at 2 GHz; the other runs
blackscholes on one and on four. Each of the three sessions is held out in turn. A session of one
clock does not tell leakage from clock power; held out, it shows what that costs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from calibration import report
from calibration.build import Result, finished, fit_sources, rounded, start_board, with_sources
from calibration.data import data_set, found
from calibration.odroid_xu3.logs import blackscholes, training_halves
from hw_models.board import Board
from hw_models.certificate import Certificate
from hw_models.certificate.certify import certify
from hw_models.certificate.evaluated import Evaluated, evaluate
from hw_models.certificate.figures import block_errors_of, errors_of
from hw_models.certificate.model import Errors
from hw_models.fit import FitResult, Run, check_run, fit_power, fit_thermal
from hw_models.quantity import Source

SET: Final = "odroid-xu3"
TRAINING: Final = "odroid_xu3/xu3_power_thermal_train.csv"
BLACKSCHOLES: Final = "odroid_xu3/xu3_power_blackscholes_log.csv"
POWER: Final = (
    "power.units.a15.active_capacitance_f",
    "power.units.a15.leakage_w",
    "power.units.gpu.leakage_w",
    "power.domains.little.idle_capacitance_f",
    "power.domains.big.active_capacitance_f",
    "power.domains.big.idle_capacitance_f",
    "power.memory.idle_capacitance_f",
    "power.baseline.soc.power_w",
    "power.baseline.board.power_w",
    "power.conversion.share",
)
HEAT: Final = (
    *(f"thermal.capacity_j_per_k[{i}]" for i in (0, 1, 2, 3, 6, 7)),
    *(f"thermal.links[{i}].conductance_w_per_k" for i in (0, 1, 2, 3, 4, 5, 6, 7, 9, 10)),
    "thermal.cooling[0].conductance_w_per_k[0]",
    *(f"sensors.zones.{zone}.offset_k" for zone in ("cpu5", "cpu6", "cpu7")),
)
_POWER_NOTE: Final = (
    "Big cores at 800 MHz, 1.3 and 2 GHz (clocks inferred, see "
    "calibration/odroid_xu3/logs.py), voltages of the device tree. One core busy or four: "
    "active capacitance of core and cluster are known together better than apart. Little "
    "cluster, GPU and memory only at rest."
)
_HEAT_NOTE: Final = (
    "Fan off. Every big core over the package, with its neighbours; heatsink to the air. GPU "
    "and little cluster never worked: their own ways are assumed, as are all fan levels."
)


def calibrate(data: Path | None = None) -> Result:
    """Board, certificate and report; FileNotFoundError where the data are absent."""
    start, runs = start_board("odroid_xu3"), sessions(data)
    held = held_out(start, runs)
    board, results = fitted(with_sources(start, _sources(held)), runs)
    board = finished(board, {"power": "B", "thermal": "B"})
    certificate = certify(
        board,
        results,
        data={file: entry.sha256 for file, entry in data_set(SET).files.items()},
        fitted=runs,
        notes=("held-out figures: each session in turn, see report.md",),
    )
    return Result(board=board, certificate=certificate, report=_page(certificate, held))


def sessions(data: Path | None = None) -> tuple[Run, ...]:
    """Single cores at 800 MHz, single cores at 2 GHz, blackscholes."""
    start, files = start_board("odroid_xu3"), found(SET, data)
    low, high = training_halves(files[TRAINING])
    traces = {"cores-800-mhz": low, "cores-2-ghz": high}
    traces["blackscholes"] = blackscholes(files[BLACKSCHOLES])
    return tuple(
        run for name, trace in traces.items() for run in check_run(start, trace, name=name)
    )


def held_out(start: Board, runs: Sequence[Run]) -> tuple[Evaluated, ...]:
    """Every session as a board says it that was fitted on the others."""
    start = with_sources(start, _sources(()))
    cases: list[Evaluated] = []
    for run in runs:
        board, _ = fitted(start, [other for other in runs if other is not run])
        cases += evaluate(board, [run])
    return tuple(cases)


def fitted(start: Board, runs: Sequence[Run]) -> tuple[Board, tuple[FitResult, FitResult]]:
    """The board with power and heat fitted to some runs, and both results.

    start has the sources `fit_power` and `fit_thermal`.
    """
    drawn = rounded(fit_power(start, runs, free=POWER))
    board = drawn.board(start, "fit_power")
    heat = rounded(fit_thermal(board, runs, free=HEAT))
    return heat.board(board, "fit_thermal"), (drawn, heat)


def _sources(held: Sequence[Evaluated]) -> dict[str, Source]:
    of_rails = {f"mape.{c.run.name}": _mape(c) for c in held}
    of_zones = {f"mae_k.{c.run.name}": round(_worst(c).mae, 2) for c in held}
    fits = {
        "fit_power": ("Power of rails and input", _POWER_NOTE, of_rails),
        "fit_thermal": ("Thermal network, fan off", _HEAT_NOTE, of_zones),
    }
    return fit_sources("odroid_xu3", SET, fits)


def _mape(case: Evaluated) -> float:
    return round(block_errors_of([case])["power_w.total"].mape or 0.0, 3)


def _worst(case: Evaluated) -> Errors:
    """The errors of the core zone that is missed most."""
    rows = errors_of([case])
    return max((rows[f"temps_c.cpu{i}"]["all"] for i in range(4, 8)), key=lambda row: row.mae)


def _page(certificate: Certificate, held: Sequence[Evaluated]) -> str:
    each = "\n\n".join(
        f"### {case.run.name} (air {case.ambient_c:.1f} degC)\n\n"
        + report.errors(block_errors_of([case]))
        + "\n\n"
        + report.errors({k: v["all"] for k, v in errors_of([case]).items() if "temps_c" in k})
        for case in held
    )
    return report.page(
        "Odroid XU3: how its board file was fitted",
        {
            "Data": f"{data_set(SET).title}. {data_set(SET).where}, {data_set(SET).licence}.",
            "Held out: each session in turn": "Power in means over 20 s, temperatures open loop. "
            + _HELD
            + "\n\n"
            + each,
            "Parameters": report.parameters(certificate),
            "What the data cannot tell": report.findings(certificate),
            "Grade": f"{certificate.grade}: {certificate.reason}.",
        },
    )


_HELD: Final = (
    "The instruction loops of the training log draw more per cycle than blackscholes, and "
    "each session has one clock: what is held out is another program at another voltage."
)
