"""What happens inside a control period, on LANES boards at once, each at its own time."""

from typing import Any

from edgetwin.kernel.batch_account import account_lanes
from edgetwin.kernel.batch_coast import coast_lanes
from edgetwin.kernel.batch_heat import pass_time
from edgetwin.kernel.batch_inputs import refresh_lanes, slots_in_use
from edgetwin.kernel.batch_visit import AT, BOARD, PLANS, TABLE, WHO, end_jobs, happen
from edgetwin.kernel.state import NEVER
from hw_models.compiled import jit, merged
from hw_models.lane_arrays import apart, unowned
from hw_models.lane_functions import (
    bits,
    floats,
    lane_numbers,
    load,
    put,
    where,
    whole,
)
from hw_models.lanes import LANES


@jit
def go_through(f: Any, n: Any, w: Any, v: Any, visit: Any, which: int, is_whole: bool) -> int:
    """Take boards (bits) through the events of their period, to its end or to their own end.

    Unless all rows are here (is_whole) a board stops where a job ends; those that did (bits).
    """
    apart()
    f, n, w, v, visit = unowned(f), unowned(n), unowned(w), unowned(v), unowned(visit)
    at = visit[AT][0]
    b = visit[BOARD][0]
    table = visit[TABLE]
    end_ns = load(n, at.end_ns)
    live = _chosen(which)
    stopped = 0
    while True:
        slots = slots_in_use(n, at)
        refresh_dirty(f, n, at, b, table, w, v, live)
        _pass(f, n, at, b, w, slots, end_ns, live)
        t_ns = load(n, at.t_ns)
        live = live & (t_ns < end_ns) & (t_ns < load(n, at.tick) * b.period_ns)
        if bits(live) == 0:
            return stopped
        ended = due_lanes(f, n, visit, slots, live)
        if is_whole:
            end_on(f, n, visit, ended)
            happen_on(f, n, visit, bits(live & (load(n, at.event_ns) <= t_ns)))
        else:
            stopped |= ended
            live = live & ~_chosen(ended)


@merged
def _chosen(which: int) -> Any:
    """Boards (bits) as lanes of truth."""
    return ((whole(which) >> lane_numbers()) & 1) != 0


@merged
def refresh_dirty(f: Any, n: Any, at: Any, b: Any, table: Any, w: Any, v: Any, mask: Any) -> None:
    """Recompute the inputs of boards in mask where something has changed."""
    dirty = mask & (load(n, at.dirty) != 0)
    if bits(dirty) != 0:
        refresh_lanes(f, n, at, b, table, w, v, dirty)


@merged
def happen_on(f: Any, n: Any, visit: Any, which: int) -> None:
    """Carry out what the plans of these boards (bits) have for now."""
    for lane in range(LANES):
        if (which >> lane) & 1:
            happen(f, n, lane, visit)


@merged
def due_lanes(f: Any, n: Any, visit: Any, slots: int, todo: Any) -> int:
    """Do what is due now: clocks, ends of migrations, phases; the boards (bits) where jobs end."""
    at = visit[AT][0]
    b = visit[BOARD][0]
    t_ns = load(n, at.t_ns)
    for d in range(b.domains):
        now = todo & (load(n, at.switch_ns + d) <= t_ns)
        if bits(now) != 0:
            put(n, at.level + d, now, load(n, at.target + d))
            put(n, at.switch_ns + d, now, NEVER)
            put(n, at.dirty, now, 1)
    ended = todo & ~todo
    for j in range(slots):
        now = todo & (load(n, at.job_event_ns + j) <= t_ns)
        if bits(now) != 0:
            ended = ended | _job_due(f, n, at, visit, j, now)
    return bits(ended)


@merged
def end_on(f: Any, n: Any, visit: Any, which: int) -> None:
    """Free the slots of jobs that have completed on these boards (bits)."""
    for lane in range(LANES):
        if (which >> lane) & 1:
            end_jobs(f, n, lane, visit)


@merged
def _job_due(f: Any, n: Any, at: Any, visit: Any, j: int, now: Any) -> Any:
    """The jobs in a slot resume, change phase or end; the boards where they end."""
    put(n, at.dirty, now, 1)
    put(n, at.job_event_ns + j, now, NEVER)
    held = now & (load(n, at.job_hold_ns + j) > 0)
    put(n, at.job_hold_ns + j, held, 0)
    ends = now & ~held & (load(n, at.job_ends + j) != 0)
    put(f, at.job_done + j, ends, load(f, at.job_done + j) + load(f, at.job_left + j))
    put(f, at.job_left + j, ends, 0.0)
    put(n, at.job_unit + j, ends, -1)
    turns = bits(now & ~held & ~ends)
    for lane in range(LANES):
        if (turns >> lane) & 1:
            _turn_phase(f, n, lane, at, visit, j)
    return ends


@jit
def _turn_phase(f: Any, n: Any, lane: int, at: Any, visit: Any, j: int) -> None:
    """The program in a slot goes on with its next phase; after its last the first follows."""
    table = visit[TABLE]
    plans = visit[PLANS]
    who = visit[WHO]
    entry = plans[who[lane], n[at.job_serial + j, lane] - 1]
    row = n[at.job_row + j, lane] + 1
    if row == entry.first + entry.rows:
        row = entry.first
    n[at.job_row + j, lane] = row
    f[at.job_phase_left + j, lane] = table[row, 0]


@merged
def next_change_ns(n: Any, at: Any, b: Any, slots: int, end_ns: Any) -> Any:
    """When the next input changes, if not by a governor."""
    next_ns = min(load(n, at.event_ns), end_ns)
    for d in range(b.domains):
        next_ns = min(next_ns, load(n, at.switch_ns + d))
    for j in range(slots):
        next_ns = min(next_ns, load(n, at.job_event_ns + j))
    return next_ns


@merged
def may_coast(n: Any, at: Any, b: Any, next_ns: Any) -> Any:
    """Boards at rest with more than two periods to their next event."""
    far = next_ns - load(n, at.t_ns) > 2 * b.period_ns
    return far & ((load(n, at.steady) & load(n, at.may_coast)) != 0)


@merged
def _pass(f: Any, n: Any, at: Any, b: Any, w: Any, slots: int, end_ns: Any, todo: Any) -> None:
    """Time passes to the next event or control period, or over a quiet stretch."""
    t_ns = load(n, at.t_ns)
    next_ns = next_change_ns(n, at, b, slots, end_ns)
    calm = todo & may_coast(n, at, b, next_ns)
    if bits(calm) != 0:
        todo = todo & ~coast_lanes(f, n, at, b, w, next_ns, calm)
        if bits(todo) == 0:
            return
    stop_ns = min(next_ns, load(n, at.tick) * b.period_ns)
    dt_s = floats(where(todo, stop_ns - t_ns, b.period_ns), f) * 1e-9
    mean_w = pass_time(f, n, at, b, w, dt_s, False, todo) / dt_s
    account_lanes(f, n, at, b, dt_s, mean_w, slots, todo)
    put(n, at.t_ns, todo, stop_ns)
