"""Trips, fan and governors of LANES boards: control.py over lanes."""

from typing import Any

import numpy as np

from edgetwin.kernel.batch_sensors import is_multiple
from edgetwin.kernel.batch_visit import turn_fan
from edgetwin.kernel.batch_work import JOB_NEED, MOVES_IN
from edgetwin.kernel.control import (
    ONDEMAND,
    PERFORMANCE,
    POWERSAVE,
    QOS_DVFS,
    SCHEDUTIL,
    SCHEDUTIL_MARGIN,
    UP_THRESHOLD,
    USERSPACE,
)
from edgetwin.kernel.state import NEVER
from hw_models.compiled import merged
from hw_models.lane_functions import bits, floats, load, pick, put, store, where, whole
from hw_models.lanes import LANES
from hw_models.lowering import FAN, SHUTDOWN, THROTTLE


@merged
def request_lanes(n: Any, at: Any, b: Any, d: int, level: Any, mask: Any) -> None:
    """Ask a clock domain for operating points; see `request`."""
    cap = min(load(n, at.ceiling + d), load(n, at.trip_cap + d))
    level = min(max(level, 0), cap)
    new = mask & (load(n, at.refused + d) == 0) & (level != load(n, at.target + d))
    if bits(new) == 0:
        return
    wait_ns = pick(b.transition_ns[d], max(level, 0))
    is_there = level == load(n, at.level + d)
    now = new & ~is_there & (wait_ns == 0)
    put(n, at.target + d, new, level)
    put(n, at.steady, new, 0)
    put(n, at.transitions, new, load(n, at.transitions) + 1)
    switch_ns = where(is_there | (wait_ns == 0), NEVER, load(n, at.t_ns) + wait_ns)
    put(n, at.switch_ns + d, new, switch_ns)
    put(n, at.level + d, now, level)
    put(n, at.dirty, now, 1)


@merged
def control_lanes(
    f: Any, n: Any, at: Any, b: Any, w: Any, v: Any, visit: Any, slots: int, mask: Any
) -> None:
    """One control period begins for the boards in mask: trips and fan, then every governor."""
    calm = load(n, at.calm)
    put(n, at.steady, mask, where(calm >= 0, 1, 0))
    put(n, at.calm, mask, calm + 1)
    tick = load(n, at.tick)
    put(n, at.tick, mask, tick + 1)
    on = mask & (load(n, at.off) == 0)
    if bits(on) == 0:
        return
    polled = on & is_multiple(tick, b.poll_ticks, b.law)
    if bits(polled) != 0:
        _trips(f, n, at, b, visit, polled)
    _demand(f, n, at, b, on)
    changed = on & ((calm <= 0) | (load(n, at.dirty) != 0))
    if bits(changed) != 0:  # else as in the period before
        _traffic(f, n, at, b, changed)
        _needs(f, n, at, b, w, v, slots, changed)
    just_changed = on & (calm == 0)
    if bits(just_changed) != 0:
        put(n, at.steady, just_changed & _looks_back(f, n, at, b), 0)
    for d in range(b.domains):
        if b.levels[d] > 1:
            request_lanes(n, at, b, d, _wanted(f, n, at, b, d), on)
        changing = on & (load(n, at.switch_ns + d) < NEVER)
        put(n, at.steady, changing, 0)
        put(n, at.skip + d, on, 0)
    put(n, at.steady, on & (load(n, at.dirty) != 0), 0)


@merged
def _looks_back(f: Any, n: Any, at: Any, b: Any) -> Any:
    """The boards of which some governor goes by the past period; see `_looks_back`."""
    found = whole(0) != 0
    for d in range(b.domains):
        found = found | (load(n, at.skip + d) != 0)
    for u in range(b.units):
        d = b.unit_domain[u]
        g = load(n, at.governor + d)
        is_used = load(f, at.domain_busy + d) + load(f, at.busy + u) > 0.0
        found = found | (is_used & ((g == ONDEMAND) | (g == SCHEDUTIL)))
    return found


@merged
def _trips(f: Any, n: Any, at: Any, b: Any, visit: Any, mask: Any) -> None:
    """Throttle, fan and shutdown by what the sensors report; see `_trips` of control.py."""
    for i in range(b.trips):
        if b.trip_kind[i] == SHUTDOWN:
            hot = mask & (load(f, at.zone_c + b.trip_zone[i]) >= b.trip_c[i])
            put(n, at.off, hot, 1)
            put(n, at.dirty, hot, 1)
    forced = load(n, at.trip_forced)
    for z in range(b.zones):
        is_forced = ((forced >> z) & 1) != 0
        put(f, at.seen_c + z, mask, where(is_forced, np.inf, load(f, at.zone_c + z)))
    _throttle(f, n, at, b, mask)
    if b.fans > 1:
        _fan(f, n, at, b, visit, mask)


@merged
def _throttle(f: Any, n: Any, at: Any, b: Any, mask: Any) -> None:
    """Lower the ceiling of a domain by one level while too hot, raise it when cool again."""
    throttled = whole(0)
    for d in range(b.domains):
        step = whole(1)
        for i in range(b.trips):
            if b.trip_kind[i] == THROTTLE and b.trip_domain[i, d]:
                c = load(f, at.seen_c + b.trip_zone[i])
                warm = ~(c < b.trip_c[i] - b.trip_hyst_k[i])
                step = where(warm, min(step, 0), step)
                step = where(c >= b.trip_c[i], -1, step)
        before = load(n, at.trip_cap + d)
        top = b.levels[d] - 1
        cap = min(max(before + step, 0), top)
        put(n, at.trip_cap + d, mask, cap)
        put(n, at.steady, mask & (cap != before), 0)
        throttled = where(cap < top, 1, throttled)
    put(n, at.throttled, mask, throttled)


@merged
def _fan(f: Any, n: Any, at: Any, b: Any, visit: Any, mask: Any) -> None:
    """Turn the fans that the trips, or somebody, want at another level; see `fan_by_trips`."""
    fan = load(n, at.fan)
    wanted = whole(0)
    for i in range(b.trips):
        if b.trip_kind[i] == FAN:
            c = load(f, at.seen_c + b.trip_zone[i])
            holds = (fan >= b.trip_fan[i]) & (c > b.trip_c[i] - b.trip_hyst_k[i])
            wanted = where((c >= b.trip_c[i]) | holds, max(wanted, b.trip_fan[i]), wanted)
    manual = load(n, at.fan_manual)
    wanted = where(manual < 0, wanted, manual)
    turned = bits(mask & (wanted != fan))
    for lane in range(LANES):
        if (turned >> lane) & 1:
            turn_fan(f, n, lane, b, visit)


@merged
def _demand(f: Any, n: Any, at: Any, b: Any, mask: Any) -> None:
    """Utilisation of every domain in the last period, but for that of the memory."""
    per_period_hz = 1.0 / (b.period_ns * 1e-9)
    for d in range(b.domains):
        most = floats(0.0, f)
        for u in range(b.units):
            if b.unit_domain[u] == d:
                busy_s = load(f, at.busy_s + u)
                most = max(most, (busy_s - load(f, at.busy_mark_s + u)) * per_period_hz)
                put(f, at.busy_mark_s + u, mask, busy_s)
        if d != b.memory_domain:
            put(f, at.domain_busy + d, mask, most)


@merged
def _traffic(f: Any, n: Any, at: Any, b: Any, mask: Any) -> None:
    """Utilisation of the memory as it is now."""
    d = b.memory_domain
    if d >= 0:
        hz = pick(b.freq_hz[d], load(n, at.level + d))
        put(f, at.domain_busy + d, mask, load(f, at.traffic) / (hz * b.bytes_per_cycle))


@merged
def _needs(f: Any, n: Any, at: Any, b: Any, w: Any, v: Any, slots: int, mask: Any) -> None:
    """The clock that the targets of the programs in every domain ask for, where a governor asks."""
    asked = mask & ~mask
    for d in range(b.domains):
        asked = asked | (mask & (load(n, at.governor + d) == QOS_DVFS))
    if bits(asked) == 0:
        return
    for j in range(slots):
        unit = load(n, at.job_unit + j)
        rate = load(f, at.job_rate + j)
        moves = (unit >= 0) & (rate > 0.0)
        store(v, MOVES_IN + j, where(moves, pick(b.unit_domain, max(unit, 0)), -1))
        store(w, JOB_NEED + j, where(moves, load(f, at.job_target + j) / rate, 0.0))
    for d in range(b.domains):
        hz = floats(pick(b.freq_hz[d], load(n, at.level + d)), f)
        most = floats(0.0, f)
        for j in range(slots):
            most = max(most, where(load(v, MOVES_IN + j) == d, load(w, JOB_NEED + j), 0.0))
        put(f, at.domain_need_hz + d, asked, hz * most)


@merged
def _wanted(f: Any, n: Any, at: Any, b: Any, d: int) -> Any:
    """The operating points that the governors of a domain would like next; see `_wanted`."""
    top = b.levels[d] - 1
    g = load(n, at.governor + d)
    level = where(g == PERFORMANCE, top, 0)
    level = where(g == USERSPACE, load(n, at.fixed + d), level)
    is_still = (g == PERFORMANCE) | (g == POWERSAVE) | (g == USERSPACE)
    if bits(~is_still) == 0 or top == 0:
        return level
    busy = load(f, at.domain_busy + d)
    low_hz = b.freq_hz[d, 0]
    some_hz = busy * (b.freq_hz[d, top] - low_hz) + low_hz
    ondemand_hz = where(busy > UP_THRESHOLD, np.inf, some_hz)
    schedutil_hz = SCHEDUTIL_MARGIN * busy * pick(b.freq_hz[d], load(n, at.level + d))
    hz = where(g == ONDEMAND, ondemand_hz, schedutil_hz)
    is_qos = g == QOS_DVFS
    hz = where(is_qos, load(f, at.domain_need_hz + d), hz)
    goal = _lowest_at_least(b, d, hz)
    now = load(n, at.target + d)
    step = where(goal > now, 1, 0) - where(goal < now, 1, 0)
    qos = now + where(load(n, at.skip + d) != 0, 0, step)
    return where(is_still, level, where(is_qos, qos, goal))


@merged
def _lowest_at_least(b: Any, d: int, hz: Any) -> Any:
    """The lowest operating point of a domain that runs at hz or faster, else the top."""
    level = whole(0)
    least_hz = hz * (1.0 - 1e-9)
    for k in range(b.levels[d] - 1):
        level = level + where(least_hz > b.freq_hz[d, k], 1, 0)
    return level
