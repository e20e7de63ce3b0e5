"""What follows from placement and clocks alone: rates, utilisation, traffic, power.

Everything here is constant between two events and computed once for each.
"""

from typing import Any

import numpy as np

from edgetwin.kernel.state import NEVER, SLOTS
from hw_models.compiled import inline, jit
from hw_models.heat import heat_inputs
from hw_models.lane_arrays import scratch
from hw_models.performance import (
    ACTIVITY,
    BYTES,
    COMPUTE,
    IDLE,
    KIND_COLUMNS,
    L2D,
    LAUNCH,
    MEMORY,
    STALL,
    contention,
    roof_s,
)
from hw_models.power import part_powers, switching_w

# Rows of the scratch of `work_rates`: by unit, by domain, by unit, then by job.
_ON_UNIT, _IN_DOMAIN, _LAUNCHING, _LAUNCHED, _COMPUTED, _ROOFED, _TRAFFIC, _ROWS = range(8)


@jit
def refresh(s: Any, b: Any, table: Any) -> None:
    """Recompute every input of the physics after something has changed."""
    s.dirty = 0
    s.calm = min(s.calm, 0)
    s.steady = 0
    work_rates(s, b, table)
    part_inputs(s, b)
    heat_inflow(s, b)
    _next_events(s)


@jit
def work_rates(s: Any, b: Any, table: Any) -> None:
    """Work rate of every job, utilisation and activity of every unit, memory traffic."""
    work = scratch(_ROWS, SLOTS)
    work[_ON_UNIT, :] = 0.0
    work[_IN_DOMAIN, :] = 0.0
    work[_LAUNCHING, :] = 0.0
    on_unit = work[_ON_UNIT]
    in_domain = work[_IN_DOMAIN]
    launching = work[_LAUNCHING]
    for u in range(b.units):
        s.busy[u] = 0.0
        s.activity[u] = 0.0
        s.peak_activity[u] = 0.0
    for j in range(s.slots):
        s.job_rate[j] = 0.0
        s.job_l2d_rate[j] = 0.0
        if _runs(s, j):
            u = s.job_unit[j]
            if on_unit[u] == 0.0:
                in_domain[b.unit_domain[u]] += 1.0
            on_unit[u] += 1.0
    total = 0.0
    for j in range(s.slots):
        if _runs(s, j):
            total += _alone(s, b, table, j, on_unit, work)
    s.traffic = 0.0
    per_bandwidth_s = _per_bandwidth_s(s, b)
    for j in range(s.slots):
        if _runs(s, j):
            others = in_domain[b.unit_domain[s.job_unit[j]]] - 1.0
            moved = (total - work[_TRAFFIC, j]) * per_bandwidth_s
            _run(s, b, table, j, on_unit, others, moved, launching, work)
    for u in range(b.units):
        launch = min(launching[u], 1.0 - s.busy[u])
        s.busy[u] += launch
        s.activity[u] += launch


@inline
def _runs(s: Any, j: int) -> bool:
    """A job makes progress: it sits on a unit, its migration is over, the board is on."""
    return s.job_unit[j] >= 0 and s.job_hold_ns[j] <= s.t_ns and s.off == 0


@inline
def _per_bandwidth_s(s: Any, b: Any) -> float:
    """Seconds that a byte takes at the bandwidth of the present memory clock, 0 without limit."""
    per_byte_s = 0.0
    if b.memory_domain >= 0:
        hz = b.freq_hz[b.memory_domain, s.level[b.memory_domain]]
        per_byte_s = 1.0 / (b.bytes_per_cycle * hz)
    return per_byte_s


@jit
def _alone(s: Any, b: Any, table: Any, j: int, on_unit: Any, work: Any) -> float:
    """Bytes per second that job j would move without contention.

    Fills its column of work: seconds per unit of work for launching, computing at peak, and under
    the roof of compute and memory.
    """
    u = s.job_unit[j]
    k = b.unit_kind[u]
    row = table[s.job_row[j]]
    at = 1 + KIND_COLUMNS * k
    d = b.unit_domain[u]
    compute_s = row[at + COMPUTE] / b.freq_hz[d, s.level[d]]
    roofed_s = compute_s
    if row[at + MEMORY] > 0.0 and b.memory_domain >= 0:
        memory_s = row[at + MEMORY] / b.freq_hz[b.memory_domain, s.level[b.memory_domain]]
        roofed_s = roof_s(compute_s, memory_s, b.pnorm[k])
    launch_s = row[at + IDLE]
    if b.unit_host[u] >= 0:
        h = b.unit_domain[b.unit_host[u]]
        launch_s += row[at + LAUNCH] / b.freq_hz[h, s.level[h]]
    traffic = row[at + BYTES] / ((roofed_s + row[at + STALL] + launch_s) * on_unit[u])
    work[_LAUNCHED, j] = launch_s
    work[_COMPUTED, j] = compute_s
    work[_ROOFED, j] = roofed_s
    work[_TRAFFIC, j] = traffic
    return traffic


@jit
def _run(
    s: Any, b: Any, table: Any, j: int, on_unit: Any, others: float, moved: float,
    launching: Any, work: Any,
) -> None:  # fmt: skip
    """Rate of job j under contention, and what it adds to units and memory.

    others counts the other busy units of its domain, moved is the share of the bandwidth that
    other jobs would use. Launching for an accelerator takes what programs leave of the host.
    """
    u = s.job_unit[j]
    k = b.unit_kind[u]
    row = table[s.job_row[j]]
    at = 1 + KIND_COLUMNS * k
    crowd = contention(others, b.corunner_stall[k], moved, b.bandwidth_stall[k])
    busy_s = work[_ROOFED, j] + row[at + STALL] * crowd
    launch_s = work[_LAUNCHED, j]
    rate = 1.0 / ((busy_s + launch_s) * on_unit[u])
    s.job_rate[j] = rate
    s.job_l2d_rate[j] = rate * row[at + L2D]
    s.traffic += rate * row[at + BYTES]
    computed_s = work[_COMPUTED, j]
    active_s = row[at + ACTIVITY] * (computed_s + b.stall_activity[k] * (busy_s - computed_s))
    s.busy[u] += rate * busy_s
    s.activity[u] += rate * active_s
    host = b.unit_host[u]
    if host >= 0:
        launching[host] += rate * launch_s
        s.peak_activity[u] = max(s.peak_activity[u], active_s / busy_s)


@jit
def part_inputs(s: Any, b: Any) -> None:
    """Switching power and leakage gain of every part, and what peaks add to the mean."""
    part_powers(b, s.level, s.busy, s.activity, s.traffic, s.fan, s.online, s.power_w, s.gain_w)
    s.peak_extra_w = 0.0
    for u in range(b.units):
        more = s.peak_activity[u] - s.activity[u]
        if s.online[u] and b.unit_host[u] >= 0 and more > 0.0:
            d = b.unit_domain[u]
            volt_v = b.volt_v[d, s.level[d]]
            hz = b.freq_hz[d, s.level[d]]
            s.peak_extra_w += switching_w(b.active_f[u], 0.0, more, volt_v, hz)
    if s.off:
        s.power_w[:] = 0.0
        s.gain_w[:] = 0.0


@jit
def heat_inflow(s: Any, b: Any) -> None:
    """Leakage and modal heating under the new inputs."""
    n = b.nodes
    for i in range(n):
        s.push[i] = b.ambient_push_per_k[s.fan, i] * s.ambient_c
    heat_inputs(
        n, b.parts, s.modes, s.power_w, s.gain_w, b.law, s.push, b.see[s.fan], b.heat[s.fan],
        s.leak_w, s.push, s.change_w,
    )  # fmt: skip


@jit
def _next_events(s: Any) -> None:
    """When each job ends, changes phase or resumes, in closed form."""
    for j in range(s.slots):
        s.job_event_ns[j] = NEVER
        if s.job_unit[j] < 0:
            continue
        if s.job_hold_ns[j] > s.t_ns:
            s.job_event_ns[j] = s.job_hold_ns[j]
        elif s.job_rate[j] > 0.0:
            s.job_ends[j] = s.job_left[j] <= s.job_phase_left[j]
            wait_s = min(s.job_left[j], s.job_phase_left[j]) / s.job_rate[j]
            if wait_s < 1e9:
                s.job_event_ns[j] = s.t_ns + max(1, np.int64(np.ceil(wait_s * 1e9)))
