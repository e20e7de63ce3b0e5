"""HiKey 960 cluster power: one frequency left out at a time, and both core counts with it."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fidelity.data import on_data
from edgetwin.studies import Figure, row
from hw_models.board import Board, load_board
from hw_models.fit import fit_cluster_power, predict_cluster_power
from hw_models.tables import ClusterPowerTable, read_cluster_power_table

FILE = "hikey960/power_perf_n1_n4.csv"
GROUPS = {"Cortex-A53": "a53", "Cortex-A73": "a73"}


@on_data(FILE)
def measure(folder: Path, quick: bool) -> dict[str, Any]:
    """MAPE on the points of the clock that was left out, per cluster, over all clocks."""
    board, table = load_board("hikey960"), read_cluster_power_table(folder / FILE)
    errors = {core: left_out(board, table.of(core), core) for core in GROUPS}
    return row(
        {core: Figure(value=float(e.mean()), bar=0.05) for core, e in errors.items()},
        worst={core: float(e.max()) for core, e in errors.items()},
        by_clock={core: e.mean(axis=1).tolist() for core, e in errors.items()},
        n={core: e.size for core, e in errors.items()},
    )


def left_out(board: Board, table: ClusterPowerTable, core: str) -> np.ndarray[Any, Any]:
    """Shares by which the points of a clock are missed without it, (n_clocks, n_counts)."""
    found = []
    for hz in np.unique(table.freq_hz):
        rest = table.take(np.flatnonzero(table.freq_hz != hz))
        held = table.take(np.flatnonzero(table.freq_hz == hz))
        result = fit_cluster_power(board, rest, {core: GROUPS[core]})
        said = predict_cluster_power(
            board, result, core, GROUPS[core],
            freq_hz=held.freq_hz, opp_v=held.opp_v, n_cpus=held.n_cpus,
        )  # fmt: skip
        found.append(np.abs(said.mean / held.power_w - 1))
    return np.array(found)
