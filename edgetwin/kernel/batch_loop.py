"""The event loop of many boards: loop.py over lanes, every board at its own time.

Boards go from control period to control period in groups of LANES. Where nothing happens inside
the period all go together (`_begin_period`). The few boards to which something happens are put
side by side in a group of their own, so that they do not keep others waiting (batch_events.py).
"""

from typing import Any

import numpy as np

from edgetwin.kernel.batch_account import account_lanes
from edgetwin.kernel.batch_control import control_lanes
from edgetwin.kernel.batch_events import (
    due_lanes,
    end_on,
    go_through,
    happen_on,
    may_coast,
    next_change_ns,
    refresh_dirty,
)
from edgetwin.kernel.batch_heat import pass_time
from edgetwin.kernel.batch_inputs import slots_in_use
from edgetwin.kernel.batch_sensors import sample_lanes
from edgetwin.kernel.batch_state import bring_lane, send_lane
from edgetwin.kernel.batch_visit import AT, BOARD, TABLE, WHO
from edgetwin.kernel.batch_work import WHOLE_ROWS, WORK_ROWS
from edgetwin.kernel.state import NEVER, SLOTS, STATE_DTYPE
from hw_models.compiled import free, jit, merged
from hw_models.lane_arrays import unowned
from hw_models.lane_functions import bits, floats, load, put
from hw_models.lanes import LANES

# From so many boards of a group on it is quicker to let the group go through its events as it is.
_MANY = 5
# Groups that share a board's record and are taken through a period together.
_TOGETHER = 16


@merged
def _begin_period(f: Any, n: Any, w: Any, v: Any, visit: Any) -> int:
    """All that is due now, then the whole period where nothing happens inside it.

    The boards (bits) to which something happens, and that have not begun their period.
    """
    at = visit[AT][0]
    b = visit[BOARD][0]
    table = visit[TABLE]
    end_ns = load(n, at.end_ns)
    t_ns = load(n, at.t_ns)
    todo = t_ns <= end_ns
    if bits(todo) == 0:
        return 0
    slots = slots_in_use(n, at)
    end_on(f, n, visit, due_lanes(f, n, visit, slots, todo))
    due = todo & (load(n, at.sampled) * b.period_ns <= t_ns)
    if bits(due) != 0:
        refresh_dirty(f, n, at, b, table, w, v, due)
        sample_lanes(f, n, at, b, due)
    happen_on(f, n, visit, bits(todo & (load(n, at.event_ns) <= t_ns)))
    slots = slots_in_use(n, at)
    going = todo & (t_ns < end_ns)
    stays = todo & ~going
    if bits(stays) != 0:
        refresh_dirty(f, n, at, b, table, w, v, stays)
        put(n, at.end_ns, stays, -1)
        if bits(going) == 0:
            return 0
    begins = going & (load(n, at.tick) * b.period_ns <= t_ns)
    if bits(begins) != 0:
        control_lanes(f, n, at, b, w, v, visit, slots, begins)
    next_ns = next_change_ns(n, at, b, slots, end_ns)
    stop_ns = t_ns + b.period_ns
    plain = going & (load(n, at.dirty) == 0) & (next_ns >= stop_ns)
    plain = plain & (load(n, at.tick) * b.period_ns == stop_ns) & ~may_coast(n, at, b, next_ns)
    if bits(plain) != 0:
        dt_s = floats(b.period_ns * 1e-9, f)
        mean_w = pass_time(f, n, at, b, w, dt_s, True, plain) / dt_s
        account_lanes(f, n, at, b, dt_s, mean_w, slots, plain)
        put(n, at.t_ns, plain, stop_ns)
    return bits(going & ~plain)


@free
def run_groups(
    f: Any, n: Any, at: Any, boards: Any, tables: Any, orders: Any, plans: Any, lives: Any,
    words: Any, flowing: Any, first: int, last: int, per_board: int,
) -> None:  # fmt: skip
    """Run groups first to last - 1, each board until its own end_ns; needs no Python.

    f (groups, float_rows, LANES) and n (groups, whole_rows, LANES); boards (k,) records, tables
    (k, rows, columns), orders (k, rows, UNITS), each for per_board groups in turn; plans
    (n_boards, entries), lives (n_boards, entries or 0); words: those of floats and of whole
    numbers, and flowing: see `Layout`. Boards that share a record go together, as many as stay in
    the cache.
    """
    boards, tables, orders = unowned((boards, tables, orders))
    state = np.zeros(1, STATE_DTYPE)
    real, word = state.view(np.float64), state.view(np.int64)
    room = (
        np.zeros((WORK_ROWS, LANES), f.dtype), np.zeros((WHOLE_ROWS, LANES), np.int64),
        np.zeros(f.shape[1:], f.dtype), np.zeros(n.shape[1:], np.int64),
        np.zeros((LANES, 2), np.int64), np.zeros(LANES, np.int64),
    )  # fmt: skip
    a = at[0]
    room[3][a.job_unit : a.job_unit + SLOTS] = -1
    room[3][a.job_event_ns : a.job_event_ns + SLOTS] = NEVER
    start = first
    while start < last:
        k = start // per_board
        stop = min(start + _TOGETHER, last, (k + 1) * per_board)
        _run_together(
            f, n, at, boards[k : k + 1], tables[k], orders[k], plans, lives, words[0], words[1],
            flowing, state, real, word, room, start, stop,
        )  # fmt: skip
        start = stop


@jit
def _run_together(
    f: Any, n: Any, at: Any, board: Any, table: Any, order: Any, plans: Any, lives: Any,
    float_words: Any, whole_words: Any, flowing: Any, state: Any, real: Any, word: Any, room: Any,
    start: int, stop: int,
) -> None:  # fmt: skip
    """Run groups start to stop - 1 of one board. room: what `_one_period` works in."""
    f, n, flows = unowned(f), unowned(n), unowned(flowing)
    w, v, small_f, small_n, lanes, who = unowned(room)
    visit = unowned(
        (at, board, table, float_words, whole_words, state, real, word, plans, lives, order, who)
    )
    while _one_period(f, n, start, stop, w, v, visit, flows, (small_f, small_n), lanes):
        pass


@merged
def _one_period(
    f: Any, n: Any, start: int, stop: int, w: Any, v: Any, visit: Any, flows: Any, small: Any,
    lanes: Any,
) -> bool:  # fmt: skip
    """One period of groups start to stop - 1, as far as they still go; False if none does.

    flows: see `Layout.flowing`; small: floats and whole numbers of one group; lanes (LANES, 2):
    room for group and lane.
    """
    who = visit[WHO]
    at = visit[AT][0]
    is_going = False
    found = 0
    for g in range(start, stop):
        for lane in range(LANES):
            who[lane] = g * LANES + lane
        which = _begin_period(f[g], n[g], w, v, visit)
        is_going = is_going or bits(load(n[g], at.t_ns) <= load(n[g], at.end_ns)) != 0
        calm = _calm(n[g], at, visit[BOARD][0], which)
        moving = bits(load(n[g], at.t_ns) < load(n[g], at.end_ns)) & ~calm
        if calm and moving:  # those at rest wait, to be taken over quiet stretches together
            which &= ~calm
            calm = 0
        here = which
        if _count(which) < _MANY:
            here = calm | _with_plans(n[g], at, visit[BOARD][0], which)
        if here:
            go_through(f[g], n[g], w, v, visit, here, True)
        for lane in range(LANES):
            if ((which & ~here) >> lane) & 1:
                before = small[1][at.slots, found]  # jobs that were there are to go, too
                slots = max(n[g, at.slots, lane], before)
                is_dirty = n[g, at.dirty, lane] != 0
                bring_lane(flows[0], flows[1], is_dirty, slots, f[g], lane, small[0], found)
                bring_lane(flows[2], flows[3], is_dirty, slots, n[g], lane, small[1], found)
                lanes[found, 0] = g
                lanes[found, 1] = lane
                found += 1
                if found == LANES:
                    _aside(f, n, w, v, visit, flows, small, lanes)
                    found = 0
    if found:
        _aside(f, n, w, v, visit, flows, small, lanes[:found])
    return is_going


@merged
def _count(which: int) -> int:
    """How many bits are set."""
    found = 0
    while which:
        which &= which - 1
        found += 1
    return found


@merged
def _aside(f: Any, n: Any, w: Any, v: Any, visit: Any, flows: Any, small: Any, lanes: Any) -> None:
    """Take boards in a group of their own through the events of their period, and put them back.

    lanes (k, 2): group and lane where each of them is at home.
    """
    at = visit[AT][0]
    for k in range(len(lanes)):
        visit[WHO][k] = lanes[k, 0] * LANES + lanes[k, 1]
    small[1][at.may_coast] = 0
    stopped = go_through(small[0], small[1], w, v, visit, (1 << len(lanes)) - 1, False)
    for k in range(len(lanes)):
        g, lane = lanes[k, 0], lanes[k, 1]
        slots = small[1][at.slots, k]
        send_lane(flows[0], flows[1], slots, small[0], k, f[g], lane)
        send_lane(flows[2], flows[3], slots, small[1], k, n[g], lane)
    for k in range(len(lanes)):
        if (stopped >> k) & 1:
            _go_on(f, n, w, v, visit, lanes[k, 0], lanes[k, 1])


@merged
def _go_on(f: Any, n: Any, w: Any, v: Any, visit: Any, g: int, lane: int) -> None:
    """A board on which jobs have just ended goes on at its own place."""
    for k in range(LANES):
        visit[WHO][k] = g * LANES + k
    end_on(f[g], n[g], visit, 1 << lane)
    go_through(f[g], n[g], w, v, visit, 1 << lane, True)


@merged
def _calm(n: Any, at: Any, b: Any, which: int) -> int:
    """Boards (bits) that a quiet stretch lies before."""
    if which == 0:
        return 0
    next_ns = next_change_ns(n, at, b, slots_in_use(n, at), load(n, at.end_ns))
    return which & bits(may_coast(n, at, b, next_ns))


@merged
def _with_plans(n: Any, at: Any, b: Any, which: int) -> int:
    """Boards (bits) for which something of their plan is due in this period: all rows count."""
    soon_ns = load(n, at.t_ns) + b.period_ns
    return which & bits(load(n, at.event_ns) <= soon_ns)
