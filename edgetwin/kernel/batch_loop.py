"""The event loop of many boards: loop.py over lanes, every board at its own time.

Boards go from control period to control period in groups of LANES. Where nothing happens inside
the period all go together (`_begin_period`). The few boards to which something happens are put
side by side in a group of their own, so that they do not keep others waiting (`_go_through`).
"""

from typing import Any

import numpy as np

from edgetwin.kernel.batch_account import account_lanes
from edgetwin.kernel.batch_coast import coast_lanes
from edgetwin.kernel.batch_control import control_lanes
from edgetwin.kernel.batch_heat import pass_time
from edgetwin.kernel.batch_inputs import refresh_lanes, slots_in_use
from edgetwin.kernel.batch_sensors import is_multiple, sample_lanes
from edgetwin.kernel.batch_state import copy_rows
from edgetwin.kernel.batch_visit import end_jobs, happen
from edgetwin.kernel.batch_work import WHOLE_ROWS, WORK_ROWS
from edgetwin.kernel.lanes import (
    LANES,
    bits,
    floats,
    lane_numbers,
    load,
    pick,
    put,
    where,
    whole,
)
from edgetwin.kernel.state import NEVER, SLOTS, STATE_DTYPE
from hw_models.compiled import free, jit

# From so many boards of a group on it is quicker to let the group go through its events as it is.
_MANY = 6
# Groups that share a board's record and are taken through a period together.
_TOGETHER = 4


@jit
def _begin_period(f: Any, n: Any, w: Any, v: Any, visit: Any) -> int:
    """All that is due now, then the whole period where nothing happens inside it.

    The boards (bits) to which something happens, and that have not begun their period.
    """
    at = visit[0][0]
    b = visit[1][0]
    table = visit[2]
    end_ns = load(n, at.end_ns)
    t_ns = load(n, at.t_ns)
    todo = t_ns <= end_ns
    if bits(todo) == 0:
        return 0
    _end(f, n, visit, _due(f, n, at, b, table, todo))
    due = todo & (load(n, at.sampled) * b.period_ns <= t_ns)
    if bits(due) != 0:
        _refresh(f, n, at, b, table, w, v, due)
        sample_lanes(f, n, at, b, due)
    _happen(f, n, visit, bits(todo & (load(n, at.event_ns) <= t_ns)))
    going = todo & (t_ns < end_ns)
    stays = todo & ~going
    if bits(stays) != 0:
        _refresh(f, n, at, b, table, w, v, stays)
        put(n, at.end_ns, stays, -1)
        if bits(going) == 0:
            return 0
    begins = going & (load(n, at.tick) * b.period_ns <= t_ns)
    if bits(begins) != 0:
        control_lanes(f, n, at, b, visit, begins)
    next_ns = _next_ns(n, at, b, end_ns)
    stop_ns = t_ns + b.period_ns
    plain = going & (load(n, at.dirty) == 0) & (next_ns >= stop_ns)
    plain = plain & (load(n, at.tick) * b.period_ns == stop_ns) & ~_may_coast(n, at, b, next_ns)
    if bits(plain) != 0:
        dt_s = floats(b.period_ns * 1e-9, f)
        mean_w = pass_time(f, n, at, b, w, dt_s, True, plain) / dt_s
        account_lanes(f, n, at, b, dt_s, mean_w, plain)
        put(n, at.t_ns, plain, stop_ns)
    return bits(going & ~plain)


@jit
def _go_through(f: Any, n: Any, w: Any, v: Any, visit: Any, which: int, is_whole: bool) -> int:
    """Take boards (bits) through the events of their period, to its end or to their own end.

    Unless all rows are here (is_whole) a board stops where a job ends; those that did (bits).
    """
    at = visit[0][0]
    b = visit[1][0]
    table = visit[2]
    end_ns = load(n, at.end_ns)
    live = _chosen(which)
    stopped = 0
    while True:
        _refresh(f, n, at, b, table, w, v, live)
        _pass(f, n, at, b, w, end_ns, live)
        t_ns = load(n, at.t_ns)
        live = live & (t_ns < end_ns) & (t_ns < load(n, at.tick) * b.period_ns)
        if bits(live) == 0:
            return stopped
        ended = _due(f, n, at, b, table, live)
        if is_whole:
            _end(f, n, visit, ended)
            _happen(f, n, visit, bits(live & (load(n, at.event_ns) <= t_ns)))
        else:
            stopped |= ended
            live = live & ~_chosen(ended)


@jit
def _chosen(which: int) -> Any:
    """Boards (bits) as lanes of truth."""
    return ((whole(which) >> lane_numbers()) & 1) != 0


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
def _due(f: Any, n: Any, at: Any, b: Any, table: Any, todo: Any) -> int:
    """Do what is due now: clocks, ends of migrations, phases; the boards (bits) where jobs end."""
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
    return bits(ended)


@jit
def _end(f: Any, n: Any, visit: Any, which: int) -> None:
    """Free the slots of jobs that have completed on these boards (bits)."""
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
def _next_ns(n: Any, at: Any, b: Any, end_ns: Any) -> Any:
    """When the next input changes, if not by a governor."""
    next_ns = min(load(n, at.event_ns), end_ns)
    for d in range(b.domains):
        next_ns = min(next_ns, load(n, at.switch_ns + d))
    for j in range(slots_in_use(n, at)):
        next_ns = min(next_ns, load(n, at.job_event_ns + j))
    return next_ns


@jit
def _may_coast(n: Any, at: Any, b: Any, next_ns: Any) -> Any:
    """Boards at rest with more than two periods to their next event."""
    far = next_ns - load(n, at.t_ns) > 2 * b.period_ns
    return far & ((load(n, at.steady) & load(n, at.may_coast)) != 0)


@jit
def _pass(f: Any, n: Any, at: Any, b: Any, w: Any, end_ns: Any, todo: Any) -> None:
    """Time passes to the next event or control period, or over a quiet stretch."""
    t_ns = load(n, at.t_ns)
    next_ns = _next_ns(n, at, b, end_ns)
    calm = todo & _may_coast(n, at, b, next_ns)
    if bits(calm) != 0:
        calm = calm & is_multiple(t_ns, b.period_ns, b.law)
        todo = todo & ~coast_lanes(f, n, at, b, w, next_ns, calm)
        if bits(todo) == 0:
            return
    stop_ns = min(next_ns, load(n, at.tick) * b.period_ns)
    dt_s = floats(where(todo, stop_ns - t_ns, b.period_ns), f) * 1e-9
    mean_w = pass_time(f, n, at, b, w, dt_s, False, todo) / dt_s
    account_lanes(f, n, at, b, dt_s, mean_w, todo)
    put(n, at.t_ns, todo, stop_ns)


@free
def run_groups(
    f: Any, n: Any, at: Any, boards: Any, tables: Any, orders: Any, plans: Any, words: Any,
    rows: Any, first: int, last: int, per_board: int,
) -> None:  # fmt: skip
    """Run groups first to last - 1, each board until its own end_ns; needs no Python.

    f (groups, float_rows, LANES) and n (groups, whole_rows, LANES); boards (k,) records, tables
    (k, rows, columns), orders (k, rows, UNITS), each for per_board groups in turn; plans
    (n_boards, entries); words: those of floats and of whole numbers, and rows: see `Layout`. Boards that
    share a record go together, as many as stay in the cache.
    """
    w = np.zeros((WORK_ROWS, LANES), f.dtype)
    v = np.zeros((WHOLE_ROWS, LANES), np.int64)
    state = np.zeros(1, STATE_DTYPE)
    real = state.view(np.float64)
    word = state.view(np.int64)
    who = np.zeros(LANES, np.int64)
    small = (np.zeros(f.shape[1:], f.dtype), np.zeros(n.shape[1:], np.int64))
    lanes = np.zeros((_TOGETHER * LANES, 2), np.int64)
    start = first
    while start < last:
        k = start // per_board
        stop = min(start + _TOGETHER, last, (k + 1) * per_board)
        visit = (
            at, boards[k : k + 1], tables[k], words[0], words[1], state, real, word, plans,
            orders[k], who,
        )  # fmt: skip
        while _one_period(f, n, start, stop, w, v, visit, rows, small, lanes):
            pass
        start = stop


@jit
def _one_period(
    f: Any, n: Any, start: int, stop: int, w: Any, v: Any, visit: Any, rows: Any, small: Any,
    lanes: Any,
) -> bool:  # fmt: skip
    """One period of groups start to stop - 1, as far as they still go; False if none does.

    rows: see `Layout`; small: floats and whole numbers of one group; lanes (boards, 2): room for group and lane.
    """
    who = visit[10]
    at = visit[0][0]
    is_going = False
    found = 0
    for g in range(start, stop):
        for lane in range(LANES):
            who[lane] = g * LANES + lane
        which = _begin_period(f[g], n[g], w, v, visit)
        is_going = is_going or bits(load(n[g], at.t_ns) <= load(n[g], at.end_ns)) != 0
        if _count(which) >= _MANY:
            _go_through(f[g], n[g], w, v, visit, which, True)
            continue
        for lane in range(LANES):
            if (which >> lane) & 1:
                lanes[found, 0] = g
                lanes[found, 1] = lane
                found += 1
    for k in range(0, found, LANES):
        _aside(f, n, w, v, visit, rows, small, lanes[k : min(k + LANES, found)])
    return is_going


@jit
def _count(which: int) -> int:
    """How many bits are set."""
    found = 0
    while which:
        which &= which - 1
        found += 1
    return found


@jit
def _aside(f: Any, n: Any, w: Any, v: Any, visit: Any, rows: Any, small: Any, lanes: Any) -> None:
    """Take boards at lanes (k, 2) through the events of their period in a group of their own."""
    at = visit[0][0]
    who = visit[10]
    slots = 0
    is_rare = False
    for k in range(len(lanes)):
        g, lane = lanes[k, 0], lanes[k, 1]
        who[k] = g * LANES + lane
        slots = max(slots, n[g, at.slots, lane])
        is_rare = is_rare or _has_visitors(n[g], at, visit[1][0], lane)
    for k in range(len(lanes), LANES):
        small[1][at.slots, k] = 0
    everyone = (1 << len(lanes)) - 1
    if is_rare:
        copy_rows(rows[4], rows[5], SLOTS, f, lanes, small[0], False)
        copy_rows(rows[6], rows[7], SLOTS, n, lanes, small[1], False)
        _go_through(small[0], small[1], w, v, visit, everyone, True)
        copy_rows(rows[4], rows[5], SLOTS, f, lanes, small[0], True)
        copy_rows(rows[6], rows[7], SLOTS, n, lanes, small[1], True)
        return
    copy_rows(rows[0], rows[1], slots, f, lanes, small[0], False)
    copy_rows(rows[2], rows[3], slots, n, lanes, small[1], False)
    small[1][at.may_coast] = 0
    stopped = _go_through(small[0], small[1], w, v, visit, everyone, False)
    copy_rows(rows[0], rows[1], slots, f, lanes, small[0], True)
    copy_rows(rows[2], rows[3], slots, n, lanes, small[1], True)
    for k in range(len(lanes)):
        if (stopped >> k) & 1:
            _go_on(f, n, w, v, visit, lanes[k, 0], lanes[k, 1])


@jit
def _go_on(f: Any, n: Any, w: Any, v: Any, visit: Any, g: int, lane: int) -> None:
    """A board on which jobs have just ended goes on at its own place."""
    for k in range(LANES):
        visit[10][k] = g * LANES + k
    _end(f[g], n[g], visit, 1 << lane)
    _go_through(f[g], n[g], w, v, visit, 1 << lane, True)


@jit
def _has_visitors(n: Any, at: Any, b: Any, lane: int) -> bool:
    """Do a plan or a quiet stretch await this board in this period, so that all rows count?"""
    soon_ns = n[at.t_ns, lane] + b.period_ns
    is_calm = n[at.steady, lane] != 0 and n[at.may_coast, lane] != 0
    return is_calm or n[at.event_ns, lane] <= soon_ns
