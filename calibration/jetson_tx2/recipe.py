"""Jetson TX2: power and heat from one trace of 107 min with the GPU clock stepped.

Power is fitted first, with the voltage of every upper GPU clock free; a straight ramp through those
voltages takes their place, as a held-out clock has none of its own, and power is fitted again.
Heat follows under the fitted power. Each block of 640 s is held out in turn, with gaps of 120 s.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from calibration.blocks import splits, with_settled_fan
from calibration.build import Result, finished, fit_sources, rounded, start_board, with_sources
from calibration.data import found
from calibration.jetson_tx2 import pages
from calibration.ramp import with_ramp
from hw_models.board import Board
from hw_models.certificate.certify import certify
from hw_models.certificate.evaluated import Evaluated, evaluate
from hw_models.certificate.figures import block_errors_of, errors_of
from hw_models.fit import FitResult, Run, fit_power, fit_thermal, read_runs
from hw_models.quantity import Source

SET: Final = "tx2-trace"
FILE: Final = "tx2/tx2_trace2_vgg19_emc_governor.csv"
POWER: Final = (
    "power.units.a57.active_capacitance_f",
    "power.units.gpu.active_capacitance_f",
    "power.units.gpu.leakage_w",
    "power.units.gpu.byte_capacitance_f",
    "power.units.gpu.kernel_capacitance_f",
    "power.units.gpu.stalled_capacitance_f",
    "power.domains.a57.active_capacitance_f",
    "power.domains.emc.active_capacitance_f",
    "power.domains.emc.idle_capacitance_f",
    "power.memory.idle_capacitance_f",
    "power.memory.energy_j_per_byte",
    "power.baseline.soc.power_w",
    "power.baseline.cpu-rail.power_w",
    "power.baseline.module.power_w",
    "power.conversion.share",
    "clocks.emc.volts_v[4]",
)
HEAT: Final = (
    "thermal.capacity_j_per_k[*]",
    "thermal.links[*].conductance_w_per_k",
    "thermal.cooling[0].conductance_w_per_k[0]",
    "thermal.cooling[0].conductance_w_per_k[1]",
    "sensors.zones.gpu.offset_k",
    "sensors.zones.tdiode.offset_k",
    "sensors.zones.tboard.offset_k",
    "sensors.zones.thermal.offset_k",
)
# GPU clocks below this one run at the floor voltage; those above have a voltage of their own.
FIRST_FREE: Final = 6


def calibrate(data: Path | None = None) -> Result:
    """Board, certificate and report; FileNotFoundError where the data are absent."""
    start, run = start_board("jetson_tx2"), whole_run(data)
    held = held_out(start, run)
    board, results = fitted(with_sources(start, _sources(held)), [run])
    board = finished(board, {"power": "B", "thermal": "B"})
    certificate = certify(
        board,
        results,
        data={FILE: run.sha256},
        fitted=[run],
        held_out=[],
        notes=(
            (
                "held-out figures: blocks of 640 s in turn, each predicted by a board fitted "
                "on the rest; see report.md"
            ),
        ),
    )
    return Result(board=board, certificate=certificate, report=pages.page(certificate, held))


def whole_run(data: Path | None = None) -> Run:
    """The trace as one run, the fan as its temperatures tell it."""
    start = start_board("jetson_tx2")
    (run,) = read_runs(start, found(SET, data)[FILE])
    return with_settled_fan(start, run)


def held_out(start: Board, run: Run, every: int = 1) -> tuple[Evaluated, ...]:
    """Every block (or each `every`-th) of a run as a board says it that never saw the block."""
    start = with_sources(start, _sources(()))
    cases: list[Evaluated] = []
    for split in splits(run)[::every]:
        board, _ = fitted(start, split.fitted)
        cases += evaluate(board, [split.held_out])
    return tuple(cases)


def fitted(start: Board, runs: Sequence[Run]) -> tuple[Board, tuple[FitResult, FitResult]]:
    """The board with power and heat fitted to some runs, and both results.

    start has the sources `fit_power` and `fit_thermal`.
    """
    volts = [f"clocks.gpu.volts_v[{i}]" for i in range(FIRST_FREE, 13)]
    first = fit_power(start, runs, free=(*POWER, *volts))
    board = with_ramp(start, "gpu", first, "fit_power")
    drawn = rounded(fit_power(board, runs, free=POWER))
    board = drawn.board(board, "fit_power")
    heat = rounded(fit_thermal(board, runs, free=HEAT))
    return heat.board(board, "fit_thermal"), (drawn, heat)


def _sources(held: Sequence[Evaluated]) -> dict[str, Source]:
    of_rails: dict[str, float | str] = {}
    of_zones: dict[str, float | str] = {}
    if held:
        of_rails, of_zones = pages.figures_of(block_errors_of(held), errors_of(held))
    fits = {
        "fit_power": ("Power of every rail", pages.POWER_NOTE, of_rails),
        "fit_thermal": (
            "Thermal network, fan off and at its first level",
            pages.HEAT_NOTE,
            of_zones,
        ),
    }
    return fit_sources("jetson_tx2", SET, fits)
