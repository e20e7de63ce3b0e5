"""What a manager of placement and clocks must know of a board: its cores and their clusters."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from hw_models.board import Board

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """The CPU clusters of a board, slowest first as on the board, and their cores.

    cluster (n_cores,) the cluster of each core; freqs_hz and volts_v (n_clusters, most levels),
    filled up with the top; levels (n_clusters,); top_hz (n_clusters,).
    """

    board: str
    cores: tuple[str, ...]
    domains: tuple[str, ...]
    kinds: tuple[str, ...]
    cluster: Whole
    freqs_hz: Array
    volts_v: Array
    levels: Whole
    top_hz: Array

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return len(self.domains)

    def hz(self, level: Whole) -> Array:
        """Clocks (..., n_clusters) at operating points (..., n_clusters)."""
        return self.freqs_hz[np.arange(self.clusters), level]

    def level_for(self, cluster: int, need_hz: Array) -> Whole:
        """The lowest operating points that run at need_hz or faster, else the top."""
        freqs_hz = self.freqs_hz[cluster, : self.levels[cluster]]
        found = np.searchsorted(freqs_hz, np.asarray(need_hz) * (1.0 - 1e-9))
        return np.asarray(np.minimum(found, self.levels[cluster] - 1))


def chip_of(board: Board) -> Chip:
    """The cores of a board; ValueError unless they form two clusters that can be told apart."""
    kinds = board.performance.cores
    cores = [u for u in board.unit_list if u.kind in kinds]
    domains = tuple(dict.fromkeys(u.domain for u in cores))
    if len(domains) != 2 or tuple(board.clocks)[:2] != domains:
        raise ValueError(
            f"{board.name} has {len(domains)} CPU clusters; placement is managed on boards with "
            "two, such as hikey970."
        )
    most = max(len(board.clocks[d].freqs_hz.value) for d in domains)
    clocks = [board.clocks[d] for d in domains]
    return Chip(
        board=board.name,
        cores=tuple(u.name for u in cores),
        domains=domains,
        kinds=tuple(next(u.kind for u in cores if u.domain == d) for d in domains),
        cluster=np.array([domains.index(u.domain) for u in cores]),
        freqs_hz=np.array([_filled(c.freqs_hz.array, most) for c in clocks]),
        volts_v=np.array([_filled(c.volts_v.array, most) for c in clocks]),
        levels=np.array([len(c.freqs_hz.value) for c in clocks]),
        top_hz=np.array([c.freqs_hz.array[-1] for c in clocks]),
    )


def _filled(values: Array, length: int) -> Array:
    return np.pad(values, (0, length - len(values)), mode="edge")
