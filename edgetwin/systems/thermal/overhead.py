"""What managing costs on the board: inference on the NPU and caches that refill after a move.

Both are part of the twin's answer: an inference heats the NPU in every epoch and delays the move
it decides on, and a moved program stands still until the caches of its new core are filled.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.simulator.jobs import DemandTable
from edgetwin.systems.thermal.chip import Chip
from hw_models.board import Board, changed
from hw_models.jobs import Application

L2_BYTES: Final = {"cortex-a73": 2 * 2**20, "cortex-a53": 2**20}
"""Second-level caches that the programs were profiled with (hw_models/workloads/README.md)."""

REFILL_BYTES_PER_S: Final = 2e9
"""Assumed: lines of 64 bytes, four of them in flight, 130 ns each from memory."""

PART: Final = "manager"


def with_inference(board: Board, period_s: float) -> Board:
    """The board while a policy network decides every period_s: its joules as heat at the NPU.

    [performance.inference] says what one batched call takes. ValueError where it says nothing.
    """
    inference = board.performance.inference
    if inference is None:
        raise ValueError(f"{board.name} states no [performance.inference]; choose hikey970.")
    data = board.model_dump(by_alias=True)
    data["power"]["baseline"][PART] = {
        "node": board.unit(inference.unit).node,
        "power_w": {
            "value": inference.energy_j.value / period_s,
            "std": 0.0,  # so that draws from the posterior stay those of the board without it
            "source": inference.energy_j.source,
        },
    }
    return changed(board, data)


def refill_s(footprint_bytes: float, kind: str) -> float:
    """How long a program waits for the caches of a kind of core: what it uses of the L2."""
    return min(footprint_bytes, L2_BYTES.get(kind, 0)) / REFILL_BYTES_PER_S


def refills_ns(table: DemandTable, chip: Chip) -> NDArray[np.int64]:
    """Refill times in ns by first demand row and cluster, (rows, clusters)."""
    found = np.zeros((len(table.rows), chip.clusters), np.int64)
    for first, job in table.jobs():
        if isinstance(job, Application):
            times_s = [refill_s(job.profile.footprint_bytes, kind) for kind in chip.kinds]
            found[first] = np.round(np.array(times_s) * 1e9)
    return found
