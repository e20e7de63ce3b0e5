"""What follows from placement and clocks alone: rates, utilisation, traffic, power.

Everything here is constant between two events and computed once for each.
"""

from typing import Any

import numpy as np

from edgetwin.kernel.state import NEVER
from hw_models.compiled import inline, jit
from hw_models.lowering import DOMAINS, UNITS
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
from hw_models.thermal import heat_inputs


@jit
def refresh(s: Any, b: Any, table: Any) -> None:
    """Recompute every input of the physics after something has changed."""
    s.dirty = 0
    s.calm = min(s.calm, 0)
    s.steady = 0
    _rates(s, b, table)
    _power(s, b)
    _heat_inputs(s, b)
    _next_events(s)


@jit
def _rates(s: Any, b: Any, table: Any) -> None:
    """Work rate of every job, utilisation and activity of every unit, memory traffic."""
    on_unit = np.zeros(UNITS)
    launching = np.zeros(UNITS)
    for j in range(s.slots):
        if _runs(s, j):
            on_unit[s.job_unit[j]] += 1.0
    for u in range(b.units):
        s.busy[u] = 0.0
        s.activity[u] = 0.0
        s.peak_activity[u] = 0.0
    in_domain = np.zeros(DOMAINS)
    for u in range(b.units):
        if on_unit[u] > 0.0:
            in_domain[b.unit_domain[u]] += 1.0
    traffic = _alone(s, b, table, on_unit)
    total = traffic.sum()
    s.traffic = 0.0
    bandwidth = _bandwidth(s, b)
    for j in range(s.slots):
        s.job_rate[j] = 0.0
        s.job_l2d_rate[j] = 0.0
        if _runs(s, j):
            others = in_domain[b.unit_domain[s.job_unit[j]]] - 1.0
            moved = (total - traffic[j]) / bandwidth
            _run(s, b, table, j, on_unit, others, moved, launching)
    for u in range(b.units):
        launch = min(launching[u], 1.0 - s.busy[u])
        s.busy[u] += launch
        s.activity[u] += launch


@inline
def _runs(s: Any, j: int) -> bool:
    """A job makes progress: it sits on a unit, its migration is over, the board is on."""
    return s.job_unit[j] >= 0 and s.job_hold_ns[j] <= s.t_ns and s.off == 0


@jit
def _bandwidth(s: Any, b: Any) -> float:
    """Memory bandwidth at the present memory clock in bytes per second."""
    d = b.memory_domain
    if d < 0:
        return np.inf
    return b.bytes_per_cycle * b.freq_hz[d, s.level[d]]


@jit
def _alone(s: Any, b: Any, table: Any, on_unit: Any) -> Any:
    """Bytes per second each job would move without contention, (slots,)."""
    traffic = np.zeros(s.slots)
    for j in range(s.slots):
        if _runs(s, j):
            u = s.job_unit[j]
            busy_s, launch_s, _ = _times(s, b, table, j, 1.0)
            at = 1 + KIND_COLUMNS * b.unit_kind[u]
            traffic[j] = table[s.job_row[j], at + BYTES] / ((busy_s + launch_s) * on_unit[u])
    return traffic


@jit
def _times(s: Any, b: Any, table: Any, j: int, crowd: float) -> Any:
    """Seconds per unit of work of job j: busy on its unit, launching, and computing at peak."""
    u = s.job_unit[j]
    k = b.unit_kind[u]
    row = table[s.job_row[j]]
    at = 1 + KIND_COLUMNS * k
    d = b.unit_domain[u]
    compute_s = row[at + COMPUTE] / b.freq_hz[d, s.level[d]]
    memory_s = 0.0
    if row[at + MEMORY] > 0.0 and b.memory_domain >= 0:
        memory_s = row[at + MEMORY] / b.freq_hz[b.memory_domain, s.level[b.memory_domain]]
    launch_s = row[at + IDLE]
    if b.unit_host[u] >= 0:
        h = b.unit_domain[b.unit_host[u]]
        launch_s += row[at + LAUNCH] / b.freq_hz[h, s.level[h]]
    busy_s = roof_s(compute_s, memory_s, b.pnorm[k]) + row[at + STALL] * crowd
    return busy_s, launch_s, compute_s


@jit
def _run(
    s: Any, b: Any, table: Any, j: int, on_unit: Any, others: float, moved: float, launching: Any
) -> None:
    """Rate of job j under contention, and what it adds to units and memory.

    others counts the other busy units of its domain, moved is the share of the bandwidth that
    other jobs would use. Launching for an accelerator takes what programs leave of the host.
    """
    u = s.job_unit[j]
    k = b.unit_kind[u]
    crowd = contention(others, b.corunner_stall[k], moved, b.bandwidth_stall[k])
    busy_s, launch_s, compute_s = _times(s, b, table, j, crowd)
    row = table[s.job_row[j]]
    at = 1 + KIND_COLUMNS * k
    rate = 1.0 / ((busy_s + launch_s) * on_unit[u])
    s.job_rate[j] = rate
    s.job_l2d_rate[j] = rate * row[at + L2D]
    s.traffic += rate * row[at + BYTES]
    share = compute_s / busy_s
    active = row[at + ACTIVITY] * (share + b.stall_activity[k] * (1.0 - share))
    s.busy[u] += rate * busy_s
    s.activity[u] += rate * busy_s * active
    s.peak_activity[u] = max(s.peak_activity[u], active)
    host = b.unit_host[u]
    if host >= 0:
        launching[host] += rate * launch_s


@jit
def _power(s: Any, b: Any) -> None:
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
def _heat_inputs(s: Any, b: Any) -> None:
    """Leakage and modal heating under the new inputs."""
    n = b.nodes
    m = b.parts
    inflow = np.empty(n)
    for i in range(n):
        inflow[i] = b.ambient_push_per_k[s.fan, i] * s.ambient_c
    heat_inputs(
        s.modes[:n], s.power_w[:m], s.gain_w[:m], b.law, inflow, b.see[s.fan], b.heat[s.fan],
        s.leak_w[:m], s.push[:n],
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
