"""The event loop of many boards: loop.py over lanes, every board at its own time.

A group of LANES boards goes from event to event; each board takes its own next step, so that an
event of one does not cut the step of another.
"""

from typing import Any

import numpy as np

from edgetwin.kernel.batch_account import account_lanes
from edgetwin.kernel.batch_coast import coast_lanes
from edgetwin.kernel.batch_control import control_lanes
from edgetwin.kernel.batch_heat import pass_time
from edgetwin.kernel.batch_inputs import refresh_lanes, slots_in_use
from edgetwin.kernel.batch_sensors import is_multiple, sample_lanes
from edgetwin.kernel.batch_visit import end_jobs, happen
from edgetwin.kernel.batch_work import WHOLE_ROWS, WORK_ROWS
from edgetwin.kernel.lanes import LANES, bits, floats, load, pick, put, where, whole
from edgetwin.kernel.state import NEVER, STATE_DTYPE
from hw_models.compiled import free, jit


@jit
def run_group(f: Any, n: Any, w: Any, v: Any, visit: Any) -> None:
    """Run every board of a group until its own end_ns."""
    at = visit[0][0]
    b = visit[1][0]
    table = visit[2]
    end_ns = load(n, at.end_ns)
    todo = load(n, at.t_ns) <= end_ns
    while bits(todo) != 0:
        _due(f, n, at, b, table, visit, todo)
        t_ns = load(n, at.t_ns)
        due = todo & (load(n, at.sampled) * b.period_ns <= t_ns)
        if bits(due) != 0:
            _refresh(f, n, at, b, table, w, v, due)
            sample_lanes(f, n, at, b, due)
        _happen(f, n, visit, bits(todo & (load(n, at.event_ns) <= t_ns)))
        going = todo & (t_ns < end_ns)
        begins = going & (load(n, at.tick) * b.period_ns <= t_ns)
        if bits(begins) != 0:
            control_lanes(f, n, at, b, visit, begins)
        _refresh(f, n, at, b, table, w, v, todo)
        todo = going
        if bits(todo) != 0:
            _pass(f, n, at, b, w, end_ns, todo)


@jit
def _refresh(
    f: Any, n: Any, at: Any, b: Any, table: Any, w: Any, v: Any, mask: Any
) -> None:
    """Recompute the inputs of boards in mask where something has changed."""
    dirty = mask & (load(n, at.dirty) != 0)
    if bits(dirty) != 0:
        refresh_lanes(f, n, at, b, table, w, v, dirty)


@jit
def _happen(f: Any, n: Any, visit: Any, which: int) -> None:
    """Carry out what the plans of these boards (bits) have for now."""
    for lane in range(LANES):
        if (which >> lane) & 1:
            happen(f, n, lane, visit)


@jit
def _due(f: Any, n: Any, at: Any, b: Any, table: Any, visit: Any, todo: Any) -> None:
    """Do what is due now: clocks, ends of migrations, phases, completions."""
    t_ns = load(n, at.t_ns)
    for d in range(b.domains):
        now = todo & (load(n, at.switch_ns + d) <= t_ns)
        if bits(now) != 0:
            put(n, at.level + d, now, load(n, at.target + d))
            put(n, at.switch_ns + d, now, NEVER)
            put(n, at.dirty, now, 1)
    ended = todo & ~todo
    for j in range(slots_in_use(n, at)):
        now = todo & (load(n, at.job_event_ns + j) <= t_ns)
        if bits(now) != 0:
            ended = ended | _job_due(f, n, at, table, j, now)
    which = bits(ended)
    for lane in range(LANES):
        if (which >> lane) & 1:
            end_jobs(f, n, lane, visit)


@jit
def _job_due(f: Any, n: Any, at: Any, table: Any, j: int, now: Any) -> Any:
    """The jobs in a slot resume, change phase or end; the boards where they end."""
    put(n, at.dirty, now, 1)
    put(n, at.job_event_ns + j, now, NEVER)
    held = now & (load(n, at.job_hold_ns + j) > 0)
    put(n, at.job_hold_ns + j, held, 0)
    ends = now & ~held & (load(n, at.job_ends + j) != 0)
    put(f, at.job_done + j, ends, load(f, at.job_done + j) + load(f, at.job_left + j))
    put(f, at.job_left + j, ends, 0.0)
    put(n, at.job_unit + j, ends, -1)
    turns = now & ~held & ~ends
    first = load(n, at.job_first + j)
    row = load(n, at.job_row + j) + 1
    row = where(row == first + load(n, at.job_rows + j), first, row)
    put(n, at.job_row + j, turns, row)
    flat = table.reshape(-1)
    phase = pick(flat, where(turns, row, 0) * table.shape[1])
    put(f, at.job_phase_left + j, turns, phase)
    return ends


@jit
def _pass(f: Any, n: Any, at: Any, b: Any, w: Any, end_ns: Any, todo: Any) -> None:
    """Time passes to the next event or control period, or over a quiet stretch."""
    t_ns = load(n, at.t_ns)
    next_ns = min(load(n, at.event_ns), end_ns)
    for d in range(b.domains):
        next_ns = min(next_ns, load(n, at.switch_ns + d))
    for j in range(slots_in_use(n, at)):
        next_ns = min(next_ns, load(n, at.job_event_ns + j))
    calm = todo & ((load(n, at.steady) & load(n, at.may_coast)) != 0)
    calm = calm & (next_ns - t_ns > 2 * b.period_ns)
    if bits(calm) != 0:
        calm = calm & is_multiple(t_ns, b.period_ns, b.law)
        todo = todo & ~coast_lanes(f, n, at, b, w, next_ns, calm)
        if bits(todo) == 0:
            return
    stop_ns = min(next_ns, load(n, at.tick) * b.period_ns)
    took_ns = where(todo, stop_ns - t_ns, b.period_ns)
    is_period = bits(took_ns == whole(b.period_ns)) == (1 << LANES) - 1
    dt_s = floats(took_ns, f) * 1e-9
    mean_w = pass_time(f, n, at, b, w, dt_s, is_period, todo) / dt_s
    account_lanes(f, n, at, b, dt_s, mean_w, todo)
    put(n, at.t_ns, todo, stop_ns)


@free
def run_groups(
    f: Any, n: Any, at: Any, boards: Any, tables: Any, orders: Any, plans: Any, words: Any,
    first: int, last: int, per_board: int,
) -> None:  # fmt: skip
    """Run groups first to last - 1, each board until its own end_ns; needs no Python.

    f (groups, float_rows, LANES) and n (groups, whole_rows, LANES); boards (k,) records, tables
    (k, rows, columns), orders (k, rows, UNITS), each for per_board groups in turn; plans
    (n_boards, entries); words: those of floats and of whole numbers, see `Layout`.
    """
    w = np.zeros((WORK_ROWS, LANES), f.dtype)
    v = np.zeros((WHOLE_ROWS, LANES), np.int64)
    state = np.zeros(1, STATE_DTYPE)
    real = state.view(np.float64)
    word = state.view(np.int64)
    for g in range(first, last):
        k = g // per_board
        visit = (
            at, boards[k : k + 1], tables[k], words[0], words[1], state, real, word, plans,
            orders[k], g * LANES,
        )  # fmt: skip
        run_group(f[g], n[g], w, v, visit)
