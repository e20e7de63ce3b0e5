"""Jetson TX2: every block of the trace as a board says it that was fitted on the rest of it."""

from functools import cache
from pathlib import Path
from typing import Any, Final

from benchmarks.fidelity.data import on_data
from calibration.build import start_board
from calibration.jetson_tx2.pages import steadiness
from calibration.jetson_tx2.recipe import FILE, held_out, whole_run
from edgetwin.studies import Figure, row
from hw_models.certificate.evaluated import Evaluated
from hw_models.certificate.figures import block_errors_of, errors_of

_INPUT: Final = "power_w.vdd_in"
_QUICK_EVERY: Final = 4


@on_data(FILE)
def measure_power(folder: Path, quick: bool) -> dict[str, Any]:
    """MAPE and |NMBE| of VDD_IN in means over 20 s, all held-out blocks of 640 s pooled."""
    held = _held_out(folder, quick)
    power = block_errors_of(held)[_INPUT]
    kinds = steadiness(held)
    loops = kinds["loop"] > 0.5
    return row(
        {
            "mape": Figure(value=power.mape or 0.0, bar=0.04),
            "nmbe": Figure(value=abs(power.nmbe or 0.0), bar=0.02),
        },
        by_block={run.run.name: block_errors_of([run])[_INPUT].mape for run in held},
        nmbe_by_block={run.run.name: block_errors_of([run])[_INPUT].nmbe for run in held},
        loop_mape=float(abs(kinds["error"][loops]).mean()),
        kernels_mape=float(abs(kinds["error"][~loops]).mean()),
        n=power.n,
    )


@on_data(FILE)
def measure_temperature(folder: Path, quick: bool) -> dict[str, Any]:
    """MAE and P95 of every zone, open loop over all held-out blocks of 640 s, the worst zone."""
    held = _held_out(folder, quick)
    zones = {k: v["all"] for k, v in errors_of(held).items() if k.startswith("temps_c.")}
    return row(
        {
            "mae_k": Figure(value=max(zone.mae for zone in zones.values()), bar=1.0),
            "p95_k": Figure(value=max(zone.p95 for zone in zones.values()), bar=2.0),
        },
        mae_k={name: zone.mae for name, zone in zones.items()},
        p95_k={name: zone.p95 for name, zone in zones.items()},
        by_block={run.run.name: _worst_mae_k(run) for run in held},
        ambient_c={run.run.name: run.ambient_c for run in held},
    )


def _worst_mae_k(run: Evaluated) -> float:
    rows = errors_of([run])
    return max(by["all"].mae for name, by in rows.items() if name.startswith("temps_c."))


@cache
def _held_out(folder: Path, quick: bool) -> tuple[Evaluated, ...]:
    start = start_board("jetson_tx2")
    return held_out(start, whole_run(folder), every=_QUICK_EVERY if quick else 1)
