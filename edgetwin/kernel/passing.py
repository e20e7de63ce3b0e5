"""Time passes under constant inputs: heat, energy, progress of jobs, counters."""

from typing import Any

from edgetwin.kernel.control import below_target
from edgetwin.kernel.sensors import true_zone_c
from hw_models.compiled import jit
from hw_models.heat import exponentials, heat_step
from hw_models.lane_arrays import scratch
from hw_models.lowering import NODES, PARTIAL, STRIDES


@jit
def settle(s: Any, b: Any, t_ns: int) -> None:
    """Let time pass under the present inputs: heat, energy, progress, counters."""
    dt_s = (t_ns - s.t_ns) * 1e-9
    before_j = total(s.energy_j, b.parts)
    heat(s, b, dt_s, _kept(b, t_ns - s.t_ns))
    account(s, b, dt_s, (total(s.energy_j, b.parts) - before_j) / dt_s)
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
def heat(s: Any, b: Any, dt_s: float, kept: int) -> None:
    """One thermal step; kept is where the board has its factors, -1 if it has not."""
    f = s.fan
    if kept >= 0:
        _step(s, b, dt_s, b.decay[f, kept], b.phi1[f, kept], b.phi2[f, kept])
        return
    work = scratch(3, NODES)
    exponentials(b.tau_s[f], dt_s, work[0], work[1], work[2])
    _step(s, b, dt_s, work[0], work[1], work[2])


@jit
def _step(s: Any, b: Any, dt_s: float, decay: Any, phi1: Any, phi2: Any) -> None:
    heat_step(
        b.nodes, b.parts, dt_s, s.modes, s.push, s.leak_w, s.power_w, s.gain_w, b.law,
        b.see[s.fan], b.heat[s.fan], decay, phi1, phi2, s.energy_j, s.change_w,
    )  # fmt: skip


@jit
def total(values: Any, n: int) -> float:
    total = 0.0
    for i in range(n):
        total += values[i]
    return total


@jit
def account(s: Any, b: Any, dt_s: float, mean_w: float) -> None:
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
