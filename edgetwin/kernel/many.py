"""Many boards of one kind, each to a time of its own, in one call."""

from typing import Any

import numpy as np

from edgetwin.kernel.loop import advance
from edgetwin.kernel.orders import free_job, start_job
from edgetwin.kernel.sensors import true_zone_c
from hw_models.compiled import jit


@jit
def advance_many(states: Any, board: Any, table: Any, which: Any, end_ns: Any, found: Any) -> None:
    """Advance every chosen board to its own end; found (k,) is what `advance` said of it.

    states (n,) STATE_DTYPE, board and table as in `advance`, which (k,) indices into states, each
    once, end_ns (k,). A board whose job completes or that shuts down stays at that instant.
    """
    for i in range(which.shape[0]):
        one = states[which[i] : which[i] + 1]
        found[i] = advance(one, board, table, end_ns[i])


@jit
def start_many(
    states: Any, which: Any, unit: Any, first: Any, rows: Any, total: Any, phase: Any
) -> None:
    """Fill slot 0 of every chosen board with a job without a target; arguments (k,)."""
    for i in range(which.shape[0]):
        one = states[which[i] : which[i] + 1]
        start_job(one, 0, 1, unit[i], first[i], rows[i], total[i], 0.0, phase[i], 0.0)


@jit
def free_many(states: Any, which: Any) -> None:
    """Empty slot 0 of every chosen board."""
    for i in range(which.shape[0]):
        free_job(states[which[i] : which[i] + 1], 0)


@jit
def hottest_many(states: Any, board: Any, which: Any, hottest_c: Any) -> None:
    """Fill the true temperature of the hottest zone of every chosen board, (k,)."""
    b = board[0]
    for i in range(which.shape[0]):
        s = states[which[i]]
        hottest_c[i] = -np.inf
        for z in range(b.zones):
            hottest_c[i] = max(hottest_c[i], true_zone_c(s, b, z))
