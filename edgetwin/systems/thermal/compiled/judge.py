"""Every move of a board's jobs and what it leads to, in one compiled loop."""

from typing import Any

import numpy as np

from edgetwin.kernel.outlook import go_ahead, go_to_steady_state, least_clocks
from edgetwin.kernel.sensors import true_zone_c
from edgetwin.kernel.state import STATE_DTYPE
from hw_models.compiled import free, jit


@free
def judge(
    states: Any, records: Any, of_board: Any, tables: Any, asked: Any, cores: int, clusters: int,
    longest: int, temp_c: Any, later_c: Any, own: Any, others: Any,
) -> None:  # fmt: skip
    """Fill the four outcomes (n, places, cores) of every move of the jobs asked (n, places)."""
    work = np.zeros(1, STATE_DTYPE)
    for i in range(len(states)):
        b = records[of_board[i]]
        table = tables[of_board[i]]
        work[0] = states[i]
        s = work[0]
        for j in range(s.slots):
            s.job_row[j] = s.job_first[j]
        for j in range(min(s.slots, asked.shape[1])):
            home = s.job_unit[j]
            if not asked[i, j] or home < 0 or home >= cores:
                continue
            for core in range(cores):
                if core != home and is_taken(s, core):
                    continue
                s.job_unit[j] = core
                least_clocks(s, b, table, clusters)
                own[i, j, core] = kept(s, j)
                others[i, j, core] = _others(s, j)
                go_to_steady_state(s, b)
                temp_c[i, j, core] = true_zone_c(s, b, 0)
                if longest > 0:
                    s.modes[:] = states[i].modes
                    go_ahead(s, b, longest)
                    later_c[i, j, core] = true_zone_c(s, b, 0)
            s.job_unit[j] = home


@jit
def is_taken(s: Any, core: int) -> bool:
    """Does some job run on the core?"""
    taken = False
    for j in range(s.slots):
        taken = taken or s.job_unit[j] == core
    return taken


@jit
def kept(s: Any, j: int) -> float:
    """A job's rate over its target, infinite without one."""
    return s.job_rate[j] / s.job_target[j] if s.job_target[j] > 0.0 else np.inf


@jit
def _others(s: Any, j: int) -> float:
    """The least ratio of rate to target among the jobs but one."""
    worst = np.inf
    for k in range(s.slots):
        if k != j and s.job_unit[k] >= 0:
            worst = min(worst, kept(s, k))
    return worst
