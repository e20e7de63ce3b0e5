"""Jumps over quiet stretches, in which no governor, no event and no trip can change anything."""

from typing import Any

from edgetwin.kernel.passing import account, heat, total
from edgetwin.kernel.sensors import sample, true_zone_c
from hw_models.compiled import jit
from hw_models.lane_arrays import scratch
from hw_models.lowering import FAN, NODES, PARTS, THROTTLE

# Leakage is linear in time within a step: a step is as long as it may change by SMOOTH of the
# power, going on as before, and is taken back if it changed by more than ROUGH. That keeps energy
# to 1e-5 (tests/properties/test_coasting.py).
SMOOTH, ROUGH = 2e-4, 4e-4
# Control periods of the first step, when the quickest nodes have settled, and of the longest; a
# step that was taken back is tried again at a part of its length.
FIRST, LONGEST, SHORTER = 4, 256, 4
TRIP_MARGIN_K = 0.5
_WIDTH = max(NODES, PARTS)


@jit
def coast(s: Any, b: Any, next_ns: int) -> bool:
    """Jump over control periods in which nothing can change, in growing steps.

    Steps end on the grid of control periods, where a sensor will be read last at the latest. A step
    that comes near a trip, or was too long for the leakage, is taken back. True if time has passed.
    """
    end = next_ns // b.period_ns
    if _near_trip(s, b):
        return False
    work = scratch(4, _WIDTH)
    moved = False
    longest = FIRST
    while s.sampled - 1 < end:
        now = s.sampled - 1
        step = min(longest, _sensor_stop(b, now, end) - now)
        dt_ns = (now + step) * b.period_ns - s.t_ns
        dt_s = dt_ns * 1e-9
        _keep(s, b, work)
        before_j = total(s.energy_j, b.parts)
        heat(s, b, dt_s, -1)
        if _near_trip(s, b):
            _take_back(s, b, work)
            break
        mean_w = (total(s.energy_j, b.parts) - before_j) / dt_s
        change_w = _leak_change_w(s, b, work[2])
        if step > 1 and change_w > ROUGH * mean_w:
            _take_back(s, b, work)
            longest = max(1, step // SHORTER)
            continue
        account(s, b, dt_s, mean_w)
        s.t_ns += dt_ns
        s.sampled += step - 1
        sample(s, b)
        if dt_ns >= b.period_ns:
            for u in range(b.units):
                s.busy_mark_s[u] = s.busy_s[u] - s.busy[u] * b.period_ns * 1e-9
        moved = True
        longest = _longest(change_w / step, mean_w)
    if moved:
        s.tick = s.sampled - 1
    return moved


@jit
def _longest(change_w_per_tick: float, mean_w: float) -> int:
    """The ticks over which leakage is going to change by SMOOTH of the power, 1 to LONGEST."""
    if change_w_per_tick * LONGEST <= SMOOTH * mean_w:
        return LONGEST
    return max(1, int(SMOOTH * mean_w / change_w_per_tick))


@jit
def _leak_change_w(s: Any, b: Any, before_w: Any) -> float:
    """How much leakage has changed in a step."""
    change_w = 0.0
    for p in range(b.parts):
        change_w += abs(s.leak_w[p] - before_w[p])
    return change_w


@jit
def _keep(s: Any, b: Any, work: Any) -> None:
    """Remember what a thermal step changes."""
    for i in range(b.nodes):
        work[0, i] = s.modes[i]
        work[1, i] = s.push[i]
    for p in range(b.parts):
        work[2, p] = s.leak_w[p]
        work[3, p] = s.energy_j[p]


@jit
def _take_back(s: Any, b: Any, work: Any) -> None:
    """Undo a thermal step."""
    for i in range(b.nodes):
        s.modes[i] = work[0, i]
        s.push[i] = work[1, i]
    for p in range(b.parts):
        s.leak_w[p] = work[2, p]
        s.energy_j[p] = work[3, p]


@jit
def _sensor_stop(b: Any, now: int, end: int) -> int:
    """The next tick that a coasting step may not cross: where a sensor is read last.

    A rail tells its mean since the sample before, so that one counts, too.
    """
    stop = end
    for z in range(b.zones):
        last = end // b.zone_ticks[z] * b.zone_ticks[z]
        if last > now:
            stop = min(stop, last)
    for r in range(b.rails):
        last = end // b.rail_ticks[r] * b.rail_ticks[r]
        if last - b.rail_ticks[r] > now:
            stop = min(stop, last - b.rail_ticks[r])
        elif last > now:
            stop = min(stop, last)
    return stop


@jit
def _near_trip(s: Any, b: Any) -> bool:
    """Is some temperature close to where the board would do something, or past it?"""
    if s.throttled:
        return True
    for i in range(b.trips):
        z = b.trip_zone[i]
        margin = TRIP_MARGIN_K + b.zone_step_k[z] + 5.0 * b.zone_noise_k[z]
        c = true_zone_c(s, b, z) + b.zone_offset_k[z]
        low = b.trip_c[i] - b.trip_hyst_k[i] - margin
        if b.trip_kind[i] == FAN and s.fan_manual < 0 and s.fan >= b.trip_fan[i]:
            if c < b.trip_c[i] - b.trip_hyst_k[i] + margin:
                return True
        elif b.trip_kind[i] == THROTTLE:
            if c > low:
                return True
        elif (b.trip_kind[i] != FAN or s.fan_manual < 0) and c > b.trip_c[i] - margin:
            return True
    return False
