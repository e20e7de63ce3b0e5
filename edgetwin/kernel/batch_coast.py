"""Jumps of LANES boards over quiet stretches: `coast` of coast.py over lanes."""

from typing import Any

from edgetwin.kernel.batch_account import account_lanes
from edgetwin.kernel.batch_heat import pass_time, true_zone_lanes
from edgetwin.kernel.batch_inputs import slots_in_use
from edgetwin.kernel.batch_sensors import multiples, sample_lanes
from edgetwin.kernel.batch_work import KEPT
from edgetwin.kernel.coast import FIRST, LONGEST, ROUGH, SHORTER, SMOOTH, TRIP_MARGIN_K
from hw_models.compiled import jit, merged
from hw_models.lane_arrays import apart, unowned
from hw_models.lane_functions import bits, floats, load, put, store, where, whole
from hw_models.lowering import FAN, NODES, PARTS, THROTTLE

_PUSH, _LEAK = KEPT + NODES, KEPT + 2 * NODES
_DRAWN = _LEAK + PARTS


@jit
def coast_lanes(f: Any, n: Any, at: Any, b: Any, w: Any, next_ns: Any, mask: Any) -> Any:
    """Jump over control periods in which nothing can change; the boards for which time passed."""
    apart()
    f, n, w = unowned(f), unowned(n), unowned(w)
    end = multiples(next_ns, b.period_ns, b.law)
    going = mask & ~_near_trip(f, n, at, b)
    moved = going & ~going
    longest = whole(FIRST)
    while True:
        now = load(n, at.sampled) - 1
        going = going & (now < end)
        if bits(going) == 0:
            break
        step = min(longest, _sensor_stop(b, now, end) - now)
        t_ns = load(n, at.t_ns)
        dt_ns = (now + step) * b.period_ns - t_ns
        dt_s = floats(where(going, dt_ns, b.period_ns), f) * 1e-9
        _keep(f, at, b, w)
        mean_w = pass_time(f, n, at, b, w, dt_s, False, going) / dt_s
        near = going & _near_trip(f, n, at, b)
        change_w = _leak_change_w(f, at, b, w)
        rough = going & ~near & (step > 1) & (change_w > mean_w * ROUGH)
        _take_back(f, at, b, w, near | rough)
        going = going & ~near
        longest = where(rough, max(multiples(step, SHORTER, b.law), 1), longest)
        done = going & ~rough
        if bits(done) != 0:
            account_lanes(f, n, at, b, dt_s, mean_w, slots_in_use(n, at), done)
            put(n, at.t_ns, done, t_ns + dt_ns)
            put(n, at.sampled, done, load(n, at.sampled) + step - 1)
            sample_lanes(f, n, at, b, done)
            is_past_period = done & (dt_ns >= b.period_ns)
            for u in range(b.units):
                mark_s = load(f, at.busy_s + u) - load(f, at.busy + u) * (b.period_ns * 1e-9)
                put(f, at.busy_mark_s + u, is_past_period, mark_s)
            moved = moved | done
            per_tick_w = change_w / max(floats(step, f), 1.0)
            longest = where(done, _longest(per_tick_w, mean_w), longest)
    put(n, at.tick, moved, load(n, at.sampled) - 1)
    return moved


@merged
def _longest(change_w_per_tick: Any, mean_w: Any) -> Any:
    """The ticks over which leakage is going to change by SMOOTH of the power, 1 to LONGEST."""
    least_w = mean_w * (SMOOTH / LONGEST)
    ticks = whole(mean_w * SMOOTH / max(change_w_per_tick, least_w))
    return max(ticks, 1)


@merged
def _leak_change_w(f: Any, at: Any, b: Any, w: Any) -> Any:
    """How much leakage has changed in a step."""
    change_w = floats(0.0, w)
    for p in range(b.parts):
        change_w += abs(load(f, at.leak_w + p) - load(w, _LEAK + p))
    return change_w


@merged
def _keep(f: Any, at: Any, b: Any, w: Any) -> None:
    """Remember what a thermal step changes."""
    for i in range(b.nodes):
        store(w, KEPT + i, load(f, at.modes + i))
        store(w, _PUSH + i, load(f, at.push + i))
    for p in range(b.parts):
        store(w, _LEAK + p, load(f, at.leak_w + p))
        store(w, _DRAWN + p, load(f, at.energy_j + p))


@merged
def _take_back(f: Any, at: Any, b: Any, w: Any, mask: Any) -> None:
    """Undo a thermal step of the boards in mask."""
    if bits(mask) == 0:
        return
    for i in range(b.nodes):
        put(f, at.modes + i, mask, load(w, KEPT + i))
        put(f, at.push + i, mask, load(w, _PUSH + i))
    for p in range(b.parts):
        put(f, at.leak_w + p, mask, load(w, _LEAK + p))
        put(f, at.energy_j + p, mask, load(w, _DRAWN + p))


@merged
def _sensor_stop(b: Any, now: Any, end: Any) -> Any:
    """The next tick that a coasting step may not cross: where a sensor is read last."""
    stop = end
    for z in range(b.zones):
        last = multiples(end, b.zone_ticks[z], b.law) * b.zone_ticks[z]
        stop = where(last > now, min(stop, last), stop)
    for r in range(b.rails):
        last = multiples(end, b.rail_ticks[r], b.law) * b.rail_ticks[r]
        before = last - b.rail_ticks[r]
        first = where(before > now, before, where(last > now, last, stop))
        stop = min(stop, first)
    return stop


@merged
def _near_trip(f: Any, n: Any, at: Any, b: Any) -> Any:
    """Is some temperature close to where the board would do something, or past it?"""
    near = load(n, at.throttled) != 0
    is_automatic = load(n, at.fan_manual) < 0
    fan = load(n, at.fan)
    for i in range(b.trips):
        z = b.trip_zone[i]
        margin = TRIP_MARGIN_K + b.zone_step_k[z] + 5.0 * b.zone_noise_k[z]
        c = true_zone_lanes(f, n, at, b, z) + b.zone_offset_k[z]
        low = b.trip_c[i] - b.trip_hyst_k[i]
        if b.trip_kind[i] == FAN:
            turned = fan >= b.trip_fan[i]
            close = (turned & (c < low + margin)) | (~turned & (c > b.trip_c[i] - margin))
            near = near | (is_automatic & close)
        elif b.trip_kind[i] == THROTTLE:
            near = near | (c > low - margin)
        else:
            near = near | (c > b.trip_c[i] - margin)
    return near
