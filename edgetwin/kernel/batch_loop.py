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
from edgetwin.kernel.batch_sensors import sample_lanes
from edgetwin.kernel.batch_state import copy_lane
from edgetwin.kernel.batch_visit import AT, BOARD, TABLE, WHO
from edgetwin.kernel.batch_work import WHOLE_ROWS, WORK_ROWS
from edgetwin.kernel.state import SLOTS, STATE_DTYPE
from hw_models.compiled import free, jit
from hw_models.lane_arrays import unowned
from hw_models.lane_functions import bits, floats, load, put
from hw_models.lanes import LANES

# From so many boards of a group on it is quicker to let the group go through its events as it is.
_MANY = 6
# Groups that share a board's record and are taken through a period together.
_TOGETHER = 4


@jit
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
    end_on(f, n, visit, due_lanes(f, n, visit, todo))
    due = todo & (load(n, at.sampled) * b.period_ns <= t_ns)
    if bits(due) != 0:
        refresh_dirty(f, n, at, b, table, w, v, due)
        sample_lanes(f, n, at, b, due)
    happen_on(f, n, visit, bits(todo & (load(n, at.event_ns) <= t_ns)))
    going = todo & (t_ns < end_ns)
    stays = todo & ~going
    if bits(stays) != 0:
        refresh_dirty(f, n, at, b, table, w, v, stays)
        put(n, at.end_ns, stays, -1)
        if bits(going) == 0:
            return 0
    begins = going & (load(n, at.tick) * b.period_ns <= t_ns)
    if bits(begins) != 0:
        control_lanes(f, n, at, b, w, v, visit, begins)
    next_ns = next_change_ns(n, at, b, end_ns)
    stop_ns = t_ns + b.period_ns
    plain = going & (load(n, at.dirty) == 0) & (next_ns >= stop_ns)
    plain = plain & (load(n, at.tick) * b.period_ns == stop_ns) & ~may_coast(n, at, b, next_ns)
    if bits(plain) != 0:
        dt_s = floats(b.period_ns * 1e-9, f)
        mean_w = pass_time(f, n, at, b, w, dt_s, True, plain) / dt_s
        account_lanes(f, n, at, b, dt_s, mean_w, plain)
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
    state = np.zeros(1, STATE_DTYPE)
    room = (
        np.zeros((WORK_ROWS, LANES), f.dtype), np.zeros((WHOLE_ROWS, LANES), np.int64),
        np.zeros(f.shape[1:], f.dtype), np.zeros(n.shape[1:], np.int64),
        np.zeros((LANES, 2), np.int64), np.zeros(LANES, np.int64),
    )  # fmt: skip
    start = first
    while start < last:
        k = start // per_board
        stop = min(start + _TOGETHER, last, (k + 1) * per_board)
        _run_together(
            f, n, at, boards[k : k + 1], tables[k], orders[k], plans, lives, words[0], words[1],
            flowing, state, state.view(np.float64), state.view(np.int64), room, start, stop,
        )  # fmt: skip
        start = stop


@jit
def _run_together(
    f: Any, n: Any, at: Any, board: Any, table: Any, order: Any, plans: Any, lives: Any,
    float_words: Any, whole_words: Any, flowing: Any, state: Any, real: Any, word: Any, room: Any,
    start: int, stop: int,
) -> None:  # fmt: skip
    """Run groups start to stop - 1 of one board. room: what `_one_period` works in."""
    visit = (
        unowned(at), unowned(board), unowned(table), unowned(float_words), unowned(whole_words),
        unowned(state), unowned(real), unowned(word), unowned(plans), unowned(lives),
        unowned(order), unowned(room[5]),
    )  # fmt: skip
    flows = unowned(flowing[0]), unowned(flowing[1]), unowned(flowing[2])
    w, v = unowned(room[0]), unowned(room[1])
    small = (unowned(room[2]), unowned(room[3]))
    small[1][at[0].slots] = SLOTS
    lanes = unowned(room[4])
    floats_all, whole_all = unowned(f), unowned(n)
    while _one_period(floats_all, whole_all, start, stop, w, v, visit, flows, small, lanes):
        pass


@jit
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
        here = which
        if _count(which) < _MANY:
            here = _with_visitors(n[g], at, visit[BOARD][0], which)
        if here:
            go_through(f[g], n[g], w, v, visit, here, True)
        for lane in range(LANES):
            if ((which & ~here) >> lane) & 1:
                slots = max(n[g, at.slots, lane], small[1][at.slots, found])  # before it, too
                _copy(flows, slots, f[g], n[g], lane, small[0], small[1], found)
                lanes[found, 0] = g
                lanes[found, 1] = lane
                found += 1
                if found == LANES:
                    _aside(f, n, w, v, visit, flows, small, lanes)
                    found = 0
    if found:
        _aside(f, n, w, v, visit, flows, small, lanes[:found])
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
def _copy(flows: Any, slots: int, f: Any, n: Any, lane: int, to_f: Any, to_n: Any, to: int) -> None:
    """Copy what flows inside a period from a lane of one group to a lane of another."""
    copy_lane(flows[0][0], flows[1], slots, f, lane, to_f, to)
    copy_lane(flows[0][1], flows[2], slots, n, lane, to_n, to)


@jit
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
        _copy(flows, small[1][at.slots, k], small[0], small[1], k, f[g], n[g], lane)
    for k in range(len(lanes)):
        if (stopped >> k) & 1:
            _go_on(f, n, w, v, visit, lanes[k, 0], lanes[k, 1])


@jit
def _go_on(f: Any, n: Any, w: Any, v: Any, visit: Any, g: int, lane: int) -> None:
    """A board on which jobs have just ended goes on at its own place."""
    for k in range(LANES):
        visit[WHO][k] = g * LANES + k
    end_on(f[g], n[g], visit, 1 << lane)
    go_through(f[g], n[g], w, v, visit, 1 << lane, True)


@jit
def _with_visitors(n: Any, at: Any, b: Any, which: int) -> int:
    """Boards (bits) for which a plan or a quiet stretch is due in this period: all rows count."""
    soon_ns = load(n, at.t_ns) + b.period_ns
    is_calm = (load(n, at.steady) & load(n, at.may_coast)) != 0
    return which & bits(is_calm | (load(n, at.event_ns) <= soon_ns))
