"""What happens to a board now and then: it is taken out of its group and given to scalar code.

A visit is a tuple of arrays, AT to WHO: the records of layout and board (1,), the demand rows; the
words of the scalar state that rows hold, a scalar state and itself as floats and whole numbers; the
plans of all boards, and room for what became of their jobs, or none (n_boards, 0); units by demand
row, fastest first (rows, UNITS), -1 for none; and which board is in each lane.

The job of the plan's entry e has the serial 1 + e.
"""

from typing import Any

from edgetwin.kernel.batch_state import put_back, take_out
from edgetwin.kernel.heat import set_fan
from edgetwin.kernel.orders import free_job, set_ambient, start_job, unsettle
from edgetwin.kernel.state import NEVER, SLOTS
from hw_models.compiled import jit, merged
from hw_models.lane_arrays import apart, unowned
from hw_models.limits import fan_by_trips

AT, BOARD, TABLE, FLOAT_WORDS, WHOLE_WORDS, STATE, REAL, WORD, PLANS, LIVES, ORDER, WHO = range(12)
ARRIVAL, DEPARTURE, AMBIENT, CAP, CLOCK_FAULT, TRIP_FAULT, ZONE_FAULT, RAIL_FAULT = range(8)
# What an arrival becomes.
WAITING, RUNNING, ENDED = range(8, 11)


@jit
def turn_fan(f: Any, n: Any, lane: int, b: Any, visit: Any) -> None:
    """The fan goes to the level that trips, or somebody, want."""
    apart()
    f, n, visit = unowned(f), unowned(n), unowned(visit)
    float_words = visit[FLOAT_WORDS]
    whole_words = visit[WHOLE_WORDS]
    state = visit[STATE]
    real = visit[REAL]
    word = visit[WORD]
    take_out(f, n, lane, float_words, whole_words, real, word)
    s = state[0]
    wanted = fan_by_trips(b, s.seen_c, s.fan) if s.fan_manual < 0 else s.fan_manual
    set_fan(s, b, wanted)
    put_back(f, n, lane, float_words, whole_words, real, word)


@jit
def end_jobs(f: Any, n: Any, lane: int, visit: Any) -> None:
    """Jobs that have completed leave their slots; those that wait take them."""
    apart()
    f, n, visit = unowned(f), unowned(n), unowned(visit)
    float_words = visit[FLOAT_WORDS]
    whole_words = visit[WHOLE_WORDS]
    state = visit[STATE]
    real = visit[REAL]
    word = visit[WORD]
    take_out(f, n, lane, float_words, whole_words, real, word)
    s = state[0]
    for j in range(s.slots):
        if s.job_serial[j] > 0 and s.job_unit[j] < 0:
            _end(n, lane, j, visit)
    put_back(f, n, lane, float_words, whole_words, real, word)


@merged
def _end(n: Any, lane: int, slot: int, visit: Any) -> None:
    """Free the slot of a job of the board that is taken out, and start the next that waits."""
    at = visit[AT]
    state = visit[STATE]
    plans = visit[PLANS]
    who = visit[WHO]
    a = at[0]
    s = state[0]
    _finish(n, lane, s.job_serial[slot] - 1, visit, s.job_done[slot], s.job_below_s[slot])
    free_job(state, slot)
    if n[a.waiting, lane] > 0:
        for e in range(n[a.event_end, lane]):
            if plans[who[lane], e].kind == WAITING:
                n[a.waiting, lane] -= 1
                _start(lane, e, visit)
                return


@merged
def _finish(n: Any, lane: int, e: int, visit: Any, done: float, below_s: float) -> None:
    """The job of an entry has ended; what became of it is noted where lives are kept."""
    at = visit[AT]
    state = visit[STATE]
    plans = visit[PLANS]
    lives = visit[LIVES]
    who = visit[WHO]
    n[at[0].finished, lane] += 1
    plans[who[lane], e].kind = ENDED
    if lives.shape[1] > 0:
        lives[who[lane], e].done = done
        lives[who[lane], e].alive_s = (state[0].t_ns - plans[who[lane], e].t_ns) * 1e-9
        lives[who[lane], e].below_s = below_s


@merged
def _start(lane: int, e: int, visit: Any) -> None:
    """Put the job of an entry of the plan into the first free slot of the board taken out."""
    table = visit[TABLE]
    state = visit[STATE]
    plans = visit[PLANS]
    order = visit[ORDER]
    who = visit[WHO]
    entry = plans[who[lane], e]
    s = state[0]
    slot = 0
    while s.job_serial[slot] > 0:
        slot += 1
    unit = entry.where
    if unit < 0:
        unit = _least_loaded(s, order[entry.first])
    entry.kind = RUNNING
    start_job(
        state, slot, 1 + e, unit, entry.first, entry.rows, entry.value, entry.target,
        table[entry.first, 0], (s.t_ns - entry.t_ns) * 1e-9,
    )  # fmt: skip


@merged
def _least_loaded(s: Any, order: Any) -> int:
    """The unit with fewest jobs; among equals the one that comes first in order (-1: no more)."""
    best = -1
    fewest = SLOTS + 1
    for unit in order:
        if unit < 0:
            break
        load = 0
        for j in range(SLOTS):
            if s.job_unit[j] == unit:
                load += 1
        if s.online[unit] and load < fewest:
            best = unit
            fewest = load
    return best


@jit
def happen(f: Any, n: Any, lane: int, visit: Any) -> None:
    """Carry out everything of the board's plan that is due now."""
    apart()
    f, n, visit = unowned(f), unowned(n), unowned(visit)
    at = visit[AT]
    float_words = visit[FLOAT_WORDS]
    whole_words = visit[WHOLE_WORDS]
    state = visit[STATE]
    real = visit[REAL]
    word = visit[WORD]
    plans = visit[PLANS]
    who = visit[WHO]
    a = at[0]
    take_out(f, n, lane, float_words, whole_words, real, word)
    e = n[a.event_next, lane]
    while e < n[a.event_end, lane] and plans[who[lane], e].t_ns <= state[0].t_ns:
        kind = plans[who[lane], e].kind
        if kind == ARRIVAL:
            _arrive(n, lane, e, visit)
        elif kind == DEPARTURE:
            _depart(n, lane, int(plans[who[lane], e].value), visit)
        else:
            _change(plans[who[lane], e], visit)
        e += 1
    n[a.event_next, lane] = e
    put_back(f, n, lane, float_words, whole_words, real, word)
    n[a.event_ns, lane] = NEVER
    if e < n[a.event_end, lane]:
        n[a.event_ns, lane] = plans[who[lane], e].t_ns


@merged
def _arrive(n: Any, lane: int, e: int, visit: Any) -> None:
    """A job comes; it waits when every slot is taken."""
    at = visit[AT]
    state = visit[STATE]
    plans = visit[PLANS]
    who = visit[WHO]
    n[at[0].to_come, lane] -= 1
    is_full = True
    for j in range(SLOTS):
        if state[0].job_serial[j] == 0:
            is_full = False
    if is_full:
        plans[who[lane], e].kind = WAITING
        n[at[0].waiting, lane] += 1
    else:
        _start(lane, e, visit)


@merged
def _depart(n: Any, lane: int, e: int, visit: Any) -> None:
    """A job is stopped unless it has ended by itself."""
    at = visit[AT]
    state = visit[STATE]
    plans = visit[PLANS]
    who = visit[WHO]
    entry = plans[who[lane], e]
    if entry.kind == WAITING:
        n[at[0].waiting, lane] -= 1
        waited_s = (state[0].t_ns - entry.t_ns) * 1e-9
        _finish(n, lane, e, visit, 0.0, waited_s if entry.target > 0.0 else 0.0)
    elif entry.kind == RUNNING:
        for j in range(SLOTS):
            if state[0].job_serial[j] == 1 + e:
                _end(n, lane, j, visit)
                return


@merged
def _change(entry: Any, visit: Any) -> None:
    """The surroundings of the board that is taken out change: ambient, cap, a fault or its end."""
    board = visit[BOARD]
    state = visit[STATE]
    s = state[0]
    if entry.kind == AMBIENT:
        set_ambient(state, board, entry.value)
        return
    if entry.kind == CAP:
        s.cap_w = entry.value
        return
    how = int(entry.value)
    if entry.kind == CLOCK_FAULT:
        s.refused[entry.where] = how
    elif entry.kind == TRIP_FAULT:
        bit = 1 << entry.where
        s.trip_forced = s.trip_forced | bit if how else s.trip_forced & ~bit
    elif entry.kind == ZONE_FAULT:
        s.zone_fault[entry.where] = how
    else:
        s.rail_fault[entry.where] = how
    unsettle(state, board)
