"""Jetson Orin Nano: every session as a board says it that was fitted on the other sessions."""

from pathlib import Path
from typing import Any

from benchmarks.fidelity.data import on_data
from calibration.build import start_board
from calibration.jetson_orin_nano.recipe import dynamic_k, held_out, pooled_k, sessions
from edgetwin.studies import Figure, row

FILES = ("orin_nano/msweep01.log", "orin_nano/msweep09.log", "orin_nano/t0a.log")


@on_data(*FILES)
def measure(folder: Path, quick: bool) -> dict[str, Any]:
    """Dynamic RMSE over all zones of the worst session; bias is the ambient's and apart."""
    del quick
    held, as_logged = held_out(start_board("jetson_orin_nano"), sessions(folder))
    return row(
        {"dynamic_rmse_k": Figure(value=max(pooled_k([case]) for case in held), bar=0.3)},
        pooled_k=pooled_k(held),
        by_session={case.run.name: dynamic_k(case) for case in held},
        by_logged_loads_k={case.run.name: pooled_k([case]) for case in as_logged},
        ambient_c={case.run.name: case.ambient_c for case in held},
    )
