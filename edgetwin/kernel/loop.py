"""The event loop of one board, compiled: from event to event, exactly.

What happens at one instant happens in this order: completions, phase changes and clocks that
become due; sensors; then, outside, arrivals and the policy's knobs; then trips, fan and
governors; then rates and power are recomputed and time passes.
"""

from typing import Any

import numpy as np

from edgetwin.kernel.control import below_target, control, switch
from edgetwin.kernel.inputs import refresh
from edgetwin.kernel.sensors import sample, true_zone_c
from edgetwin.kernel.state import NEVER
from hw_models.compiled import jit
from hw_models.heat import exponentials, heat_step
from hw_models.lowering import FAN, NODES, PARTIAL, PARTS, STRIDES, THROTTLE

REACHED, SHUT_DOWN = -1, -2
# Leakage is linear in time within a step: a step is as long as it may change by SMOOTH of the
# power, going on as before, and is taken back if it changed by more than ROUGH. That keeps energy
# to 1e-5 (tests/properties/test_coasting.py).
SMOOTH, ROUGH = 4e-4, 8e-4
TRIP_MARGIN_K = 0.5


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
        calm = s.steady and s.may_coast and s.t_ns % b.period_ns == 0
        far = next_ns - s.t_ns > 2 * b.period_ns
        if calm and far and _coast(s, b, next_ns):
            continue
        _settle(s, b, min(next_ns, s.tick * b.period_ns))


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


@jit
def _settle(s: Any, b: Any, t_ns: int) -> None:
    """Let time pass under the present inputs: heat, energy, progress, counters."""
    dt_s = (t_ns - s.t_ns) * 1e-9
    before_j = _total(s.energy_j, b.parts)
    _heat(s, b, dt_s, _kept(b, t_ns - s.t_ns))
    _account(s, b, dt_s, (_total(s.energy_j, b.parts) - before_j) / dt_s)
    s.t_ns = t_ns


@jit
def _kept(b: Any, length_ns: int) -> int:
    """Where the board keeps the factors of a step within a period, -1 if it does not."""
    if length_ns == b.period_ns:
        return 0
    for k in range(PARTIAL):
        if b.partial_ns[k] == length_ns:
            return len(STRIDES) + k
    return -1


@jit
def _heat(s: Any, b: Any, dt_s: float, kept: int) -> None:
    """One thermal step; kept is where the board has its factors, -1 if it has not."""
    f = s.fan
    if kept >= 0:
        _step(s, b, dt_s, b.decay[f, kept], b.phi1[f, kept], b.phi2[f, kept])
        return
    work = np.empty((3, NODES))
    exponentials(b.rate_hz[f], dt_s, work[0], work[1], work[2])
    _step(s, b, dt_s, work[0], work[1], work[2])


@jit
def _step(s: Any, b: Any, dt_s: float, decay: Any, phi1: Any, phi2: Any) -> None:
    heat_step(
        b.nodes, b.parts, dt_s, s.modes, s.push, s.leak_w, s.power_w, s.gain_w, b.law,
        b.see[s.fan], b.heat[s.fan], b.rate_hz[s.fan], decay, phi1, phi2, s.energy_j,
        s.modes_integral, s.change_w,
    )  # fmt: skip


@jit
def _total(values: Any, n: int) -> float:
    total = 0.0
    for i in range(n):
        total += values[i]
    return total


@jit
def _account(s: Any, b: Any, dt_s: float, mean_w: float) -> None:
    """Progress of jobs and units, and the counters behind the key figures."""
    for j in range(s.slots):
        if s.job_serial[j] > 0 and s.job_unit[j] >= 0:
            work = min(s.job_rate[j] * dt_s, s.job_left[j])
            s.job_left[j] -= work
            s.job_phase_left[j] = max(0.0, s.job_phase_left[j] - work)
            s.job_done[j] += work
            s.job_alive_s[j] += dt_s
            if s.job_target[j] > 0.0:
                s.aimed_s += dt_s
                if below_target(s.job_rate[j], s.job_target[j]):
                    s.job_below_s[j] += dt_s
                    s.below_s += dt_s
    for u in range(b.units):
        s.busy_s[u] += s.busy[u] * dt_s
    peak_w = b.drawn_per_w * (mean_w + s.peak_extra_w)
    s.peak_w = max(s.peak_w, peak_w)
    if peak_w > s.cap_w:
        s.over_cap_s += dt_s
        s.overshoot = max(s.overshoot, peak_w / s.cap_w - 1.0)
    if s.throttled:
        s.throttled_s += dt_s
    for z in range(b.zones):
        s.peak_c[z] = max(s.peak_c[z], true_zone_c(s, b, z))


@jit
def _coast(s: Any, b: Any, next_ns: int) -> bool:
    """Jump over control periods in which nothing can change, in growing steps.

    Steps stay on the grid of control periods and end where a sensor will be read last. A step
    that comes near a trip, or was too long for the leakage, is taken back. True if time has passed.
    """
    end = next_ns // b.period_ns
    if _near_trip(s, b):
        return False
    work = np.empty((5, max(NODES, PARTS)))
    moved = False
    stride = 1  # one whole period has passed since something changed
    while s.sampled - 1 < end:
        now = s.sampled - 1
        room = _sensor_stop(b, now, end) - now
        step = min(STRIDES[stride], room)
        _keep(s, b, work)
        before_j = _total(s.energy_j, b.parts)
        dt_s = step * b.period_ns * 1e-9
        _heat(s, b, dt_s, stride if step == STRIDES[stride] else -1)
        if _near_trip(s, b):
            _take_back(s, b, work)
            break
        mean_w = (_total(s.energy_j, b.parts) - before_j) / dt_s
        change_w = _leak_change_w(s, b, work[2])
        if stride > 0 and change_w > ROUGH * mean_w:
            _take_back(s, b, work)
            stride -= 1
            continue
        _account(s, b, dt_s, mean_w)
        s.t_ns += step * b.period_ns
        s.sampled += step - 1
        sample(s, b)
        for u in range(b.units):
            s.busy_mark_s[u] = s.busy_s[u] - s.busy[u] * b.period_ns * 1e-9
        moved = True
        stride = _next_stride(change_w / step, mean_w)
    if moved:
        s.tick = s.sampled - 1
    return moved


@jit
def _next_stride(change_w_per_tick: float, mean_w: float) -> int:
    """The longest stride over which leakage is going to change by SMOOTH of the power or less."""
    stride = 0
    while stride + 1 < len(STRIDES) and change_w_per_tick * STRIDES[stride + 1] <= SMOOTH * mean_w:
        stride += 1
    return stride


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
        work[4, i] = s.modes_integral[i]
    for p in range(b.parts):
        work[2, p] = s.leak_w[p]
        work[3, p] = s.energy_j[p]


@jit
def _take_back(s: Any, b: Any, work: Any) -> None:
    """Undo a thermal step."""
    for i in range(b.nodes):
        s.modes[i] = work[0, i]
        s.push[i] = work[1, i]
        s.modes_integral[i] = work[4, i]
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
