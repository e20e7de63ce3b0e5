"""The 21 numbers that a student sees of one program: counters, clocks and utilisation alone.

ipc                          instructions per cycle on the present core (counter, clock)
l2d_per_kinsn                L2 accesses per 1000 instructions (counters L2D_CACHE, INST_RETIRED)
target_gips                  QoS target in 1e9 instructions/s
on_0 ... on_7                clock of the core that the program is on, as a share of its top; else 0
others_little, others_big    clock that the other programs of the cluster need for their targets, as
                             a share of its top (counters, targets, clocks)
busy_0 ... busy_7            utilisation of each core (scheduler)

As in the published manager (arXiv 2206.05459, recollection): the program's speed and L2 rate, its
mapping, its target, what others need, the utilisations. Two choices of our own: rates are per
cycle and per instruction, and the one-hot mapping carries the present clock, without which speed
says little. No power sensor, no temperature.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.thermal.chip import Array, Chip
from edgetwin.systems.thermal.view import View

CORES: Final = 8
NAMES: Final = (
    "ipc", "l2d_per_kinsn", "target_gips", *(f"on_{c}" for c in range(CORES)), "others_little",
    "others_big", *(f"busy_{c}" for c in range(CORES)),
)  # fmt: skip
COUNT: Final = len(NAMES)
OWN: Final = slice(3, 3 + CORES)
OTHERS: Final = slice(3 + CORES, 5 + CORES)
BUSY: Final = slice(5 + CORES, 5 + 2 * CORES)
MOST_NEED: Final = 1.5
"""A need beyond the top clock is told up to here: how far beyond matters little."""


def features(view: View, chip: Chip) -> NDArray[np.float32]:
    """Features (n, k, 21) of every job of every board, zero where none runs.

    ValueError for a chip that has not two clusters and eight cores.
    """
    if len(chip.cores) != CORES or chip.clusters != 2:
        raise ValueError(f"{chip.board} has {len(chip.cores)} cores; features need 4 + 4.")
    cluster = np.maximum(view.cluster(chip), 0)
    hz = np.take_along_axis(view.hz, cluster, axis=1)
    found = np.zeros((*view.unit.shape, COUNT), np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        found[:, :, 0] = view.rate / hz
        found[:, :, 1] = np.where(view.rate > 0.0, 1e3 * view.l2d_per_s / view.rate, 0.0)
    found[:, :, 2] = view.target * 1e-9
    on = view.unit[:, :, None] == np.arange(CORES)
    found[:, :, OWN] = on * (hz / chip.top_hz[cluster])[:, :, None]
    found[:, :, OTHERS] = others_need(view, chip)
    found[:, :, BUSY] = view.busy[:, None, :]
    return np.where(view.runs[:, :, None], found, 0.0).astype(np.float32)


def others_need(view: View, chip: Chip) -> Array:
    """Clock that the others of each cluster need, as a share of its top, (n, k, clusters)."""
    need = need_share(view, chip)
    found = np.zeros((*view.unit.shape, chip.clusters))
    for d in range(chip.clusters):
        here = np.where(view.cluster(chip) == d, need, 0.0)
        order = np.sort(here, axis=1)
        most, second = order[:, -1:], order[:, -2:-1] if here.shape[1] > 1 else 0.0 * order
        found[:, :, d] = np.where(here == most, second, most)
    return np.minimum(found, MOST_NEED)


def need_share(view: View, chip: Chip) -> Array:
    """Clock that each job needs on its cluster for its target, as a share of the top, (n, k)."""
    cluster = np.maximum(view.cluster(chip), 0)
    hz = np.take_along_axis(view.hz, cluster, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = hz / chip.top_hz[cluster] * view.target / view.rate
    return np.where(view.runs & (view.rate > 0.0), share, 0.0)
