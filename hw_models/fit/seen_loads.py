"""Loads as the rails show them, where a log's loads do not say what the work draws.

A GPU that is 98 % busy draws 4 W with one network and 5.4 W with another, and many logs lack the
memory's traffic. Both enter the power of a board linearly, so the rails of each reading say what
they were: least squares over the rails, weighted by their noise.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.prepared import prepared
from hw_models.fit.runs import Run
from hw_models.openloop import rails_at_temperatures
from hw_models.recorded import Recorded

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]

_LEAST_W = 0.02


def with_seen_loads(board: "Board", run: Run) -> Run:
    """The run with the load of its accelerators and its traffic as the measured rails show them.

    A load may exceed 1 where the work draws more than the board file expects of a busy unit.
    Readings without a rail keep what was logged. ValueError where the run has no rail, or the
    board says what traffic costs inside an accelerator (then both do not enter linearly).
    """
    seen, names = run.recorded, list(board.sensors.rails)
    known = [r for r, name in enumerate(names) if name in seen.rails_w]
    if not known:
        raise ValueError(f"{run.name} has no rail of {board.name}; loads cannot be seen in it.")
    units = _accelerators(board)
    nodes_c = prepared(board, run).nodes_c
    still = _with(seen, units, np.zeros((len(seen.t_s), len(units))), 0.0)
    base_w = rails_at_temperatures(board.lower(), still, nodes_c)[:, known]
    columns = [
        rails_at_temperatures(board.lower(), _with(still, [u], 1.0, 0.0), nodes_c)[:, known]
        - base_w
        for u in units
    ]
    most = _bandwidth(board, seen)
    columns.append(
        rails_at_temperatures(board.lower(), _with(still, [], 0.0, most), nodes_c)[:, known]
        - base_w
    )
    measured_w = np.stack([seen.rails_w[names[r]] for r in known], axis=1)
    noise = np.array([board.sensors.rails[names[r]].noise.value for r in known])
    share = _solved(np.stack(columns, axis=2), measured_w - base_w, noise * measured_w + _LEAST_W)
    is_whole = np.isfinite(share.sum(axis=1))
    busy = np.where(is_whole[:, None], share[:, :-1], seen.busy[:, units])
    traffic = np.where(is_whole, share[:, -1] * most, seen.traffic)
    return replace(run, recorded=_with(seen, units, busy, traffic))


def _accelerators(board: "Board") -> list[int]:
    found = []
    for u, unit in enumerate(board.unit_list):
        if unit.kind in board.performance.accelerators:
            if board.power.units[unit.group].byte_capacitance_f is not None:
                raise ValueError(
                    f"{unit.name} of {board.name} draws by load times traffic; its log says both, "
                    "use them."
                )
            found.append(u)
    return found


def _with(
    seen: Recorded, units: list[int], busy: Array | float, traffic: Array | float
) -> Recorded:
    loads = seen.busy.copy()
    loads[:, units] = busy
    return replace(seen, busy=loads, traffic=np.broadcast_to(traffic, seen.t_s.shape).copy())


def _bandwidth(board: "Board", seen: Recorded) -> Array:
    """All that the memory can move at its clock, (rows,) bytes per second."""
    memory = board.power.memory
    if memory is None:
        return np.zeros(len(seen.t_s))
    at = list(board.clocks).index(memory.domain)
    hz = board.clocks[memory.domain].freqs_hz.array[seen.level[:, at]]
    return np.asarray(hz * board.performance.bandwidth_bytes_per_cycle.value)


def _solved(columns: Array, asked_w: Array, noise_w: Array) -> Array:
    """Non-negative shares (rows, k) of columns (rows, rails, k) that make up asked_w (rows, rails).

    A share that would be negative is 0 and the others are solved again.
    """
    a, y = columns / noise_w[:, :, None], asked_w / noise_w
    free = np.ones(columns.shape[::2], dtype=bool)
    share = np.zeros(columns.shape[::2])
    for _ in range(columns.shape[2]):
        active = a * free[:, None, :]
        gram = np.einsum("nri,nrj->nij", active, active) + 1e-9 * np.eye(a.shape[2])
        share = np.linalg.solve(gram, np.einsum("nri,nr->ni", active, y)[:, :, None])[:, :, 0]
        free &= ~(share < 0.0)
    return np.where(np.isnan(y.sum(axis=1))[:, None], np.nan, np.maximum(share, 0.0))
