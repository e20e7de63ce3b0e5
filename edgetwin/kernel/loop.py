"""The event loop of one board, compiled: from event to event, exactly.

What happens at one instant happens in this order: completions, phase changes and clocks that
become due; sensors; then, outside, arrivals and the policy's knobs; then trips, fan and
governors; then rates and power are recomputed and time passes.
"""

from typing import Any

from edgetwin.kernel.coast import coast
from edgetwin.kernel.control import control, switch
from edgetwin.kernel.inputs import refresh
from edgetwin.kernel.passing import settle
from edgetwin.kernel.sensors import sample
from edgetwin.kernel.state import NEVER
from hw_models.compiled import jit

REACHED, SHUT_DOWN = -1, -2


@jit
def advance(state: Any, board: Any, table: Any, end_ns: int) -> int:
    """Run until end_ns (REACHED), a job's completion (its slot >= 0) or SHUT_DOWN (once).

    A completion is told again until its slot is freed; no time passes before.
    state (1,) STATE_DTYPE, board (1,) BOARD_DTYPE, table (n_rows, columns) demand rows.
    """
    s = state[0]
    b = board[0]
    for j in range(s.slots):
        if s.job_serial[j] > 0 and s.job_unit[j] < 0:
            return j
    while True:
        done = _due(s, b, table)
        if done >= 0:
            return done
        if s.sampled * b.period_ns <= s.t_ns:
            if s.dirty:
                refresh(s, b, table)
            sample(s, b)
        if s.t_ns >= end_ns:
            if s.dirty:
                refresh(s, b, table)
            return REACHED
        if s.tick * b.period_ns <= s.t_ns:
            was_off = s.off
            control(s, b)
            if s.off != was_off:
                return SHUT_DOWN
        if s.dirty:
            refresh(s, b, table)
        next_ns = _next_ns(s, b, end_ns)
        calm = s.steady and s.may_coast
        far = next_ns - s.t_ns > 2 * b.period_ns
        if calm and far and coast(s, b, next_ns):
            continue
        settle(s, b, min(next_ns, s.tick * b.period_ns))


@jit
def _next_ns(s: Any, b: Any, end_ns: int) -> int:
    """When the next input changes, if not by a governor."""
    t = end_ns
    for d in range(b.domains):
        t = min(t, s.switch_ns[d])
    for j in range(s.slots):
        t = min(t, s.job_event_ns[j])
    return t


@jit
def _due(s: Any, b: Any, table: Any) -> int:
    """Do what is due now; the slot of a job that has just completed, or -1."""
    for d in range(b.domains):
        if s.switch_ns[d] <= s.t_ns:
            switch(s, d)
    for j in range(s.slots):
        if s.job_event_ns[j] > s.t_ns:
            continue
        s.dirty = 1
        s.job_event_ns[j] = NEVER
        if s.job_hold_ns[j] > 0:
            s.job_hold_ns[j] = 0
        elif s.job_ends[j]:
            s.job_done[j] += s.job_left[j]
            s.job_left[j] = 0.0
            s.job_unit[j] = -1
            return j
        else:
            s.job_row[j] += 1
            if s.job_row[j] == s.job_first[j] + s.job_rows[j]:
                s.job_row[j] = s.job_first[j]
            s.job_phase_left[j] = table[s.job_row[j], 0]
    return -1
