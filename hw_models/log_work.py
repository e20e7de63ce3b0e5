"""What a busy accelerator does, as far as the loads of a log tell: one loop, or kernels one by one.

A utilisation counts the time in which something runs, not how much. A loop (inference of one
network, training) keeps its accelerator full for minutes, and what it draws goes with the traffic
of the memory, as both count its rounds. Where kernels are launched, timed and compared (TensorRT
building an engine, cuDNN's search), the load breaks every few seconds; each kernel waits for
arithmetic or for memory, and draws much or little.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.trace import Trace

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]

# The load of a unit that never rests, as tegrastats prints it: 99.
FULL: Final = 0.98
# An engine is searched with breaks of seconds; a loop that lasts this long has none.
UNBROKEN_S: Final = 40.0
# Who ran the jobs of a trace says so in its meta: `work = loops`.
WORK, LOOPS = "work", "loops"


def looping(board: "Board", trace: Trace, busy: Array, notes: list[str]) -> Array:
    """1 where a unit runs a loop, 0 where kernels one by one, (rows, n_units).

    Told from busy (rows, n_units) for units whose board file knows the difference, where the log
    has the memory's load and does not say that all of its work was loops.
    """
    loop = np.ones(busy.shape)
    if trace.meta.get(WORK) == LOOPS or "memory_busy" not in trace.columns:
        return loop
    for u, unit in enumerate(board.unit_list):
        if board.power.units[unit.group].kernel_capacitance_f is not None:
            loop[:, u] = _unbroken(trace.columns["t_s"], busy[:, u])
            if ((loop[:, u] < 1.0) & (busy[:, u] > 0.0)).any():
                notes.append(
                    f"what {unit.name} does is not in the log: taken as one loop where its load "
                    f"stays full for {UNBROKEN_S:.0f} s, as kernels one by one elsewhere"
                )
    return loop


def _unbroken(t_s: Array, busy: Array) -> Array:
    """1 within stretches of full load that last long enough, (rows,)."""
    is_full = busy >= FULL
    stretch = np.concatenate([[0], np.cumsum(np.diff(is_full.astype(np.int64)) != 0)])
    first, last = (np.full(stretch[-1] + 1, side * np.inf) for side in (1.0, -1.0))
    np.minimum.at(first, stretch, t_s)
    np.maximum.at(last, stretch, t_s)
    is_long = (last - first)[stretch] >= UNBROKEN_S
    return np.asarray(is_full & is_long, dtype=np.float64)
