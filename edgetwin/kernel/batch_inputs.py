"""Rates, utilisation, traffic and power of LANES boards: `refresh` of inputs.py over lanes."""

from typing import Any

from edgetwin.kernel.batch_heat import heat_inputs_lanes
from edgetwin.kernel.batch_power import powers_lanes
from edgetwin.kernel.batch_work import (
    CLOCK_HZ,
    CLOCK_V,
    DEMAND,
    DOMAIN,
    IN_DOMAIN,
    JOB_ACTIVE,
    JOB_BUSY,
    JOB_BYTES,
    JOB_LAUNCH,
    JOB_SHARE,
    JOB_STALL,
    JOB_TRAFFIC,
    KIND,
    LAUNCHING,
    LEAK_SHARE,
    ON_UNIT,
    RUNS_ON,
)
from edgetwin.kernel.state import NEVER
from hw_models.compiled import jit, merged
from hw_models.lane_arrays import apart, unowned
from hw_models.lane_functions import (
    bits,
    floats,
    highest,
    load,
    pick,
    pick_row,
    put,
    store,
    upwards,
    where,
    whole,
)
from hw_models.lowering import KINDS
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
    both_s,
    contention,
)


@jit
def refresh_lanes(f: Any, n: Any, at: Any, b: Any, table: Any, w: Any, v: Any, mask: Any) -> None:
    """Recompute every input of the physics of the boards in mask."""
    apart()
    f, n, table, w, v = unowned(f), unowned(n), unowned(table), unowned(w), unowned(v)
    put(n, at.dirty, mask, 0)
    put(n, at.calm, mask, min(load(n, at.calm), 0))
    put(n, at.steady, mask, 0)
    slots = slots_in_use(n, at)
    _clocks(n, at, b, w)
    _crowds(n, at, b, w, v, slots)
    is_host_used = _alone(n, at, b, table, w, v, slots)
    _rates(f, at, b, table, w, v, slots, mask)
    _usage(f, n, at, b, w, v, slots, is_host_used, mask)
    powers_lanes(f, n, at, b, w, mask)
    heat_inputs_lanes(f, n, at, b, w, mask)
    _next_events(f, n, at, slots, mask)


@merged
def slots_in_use(n: Any, at: Any) -> int:
    """The most job slots that any of the boards uses."""
    return highest(load(n, at.slots))


@merged
def _clocks(n: Any, at: Any, b: Any, w: Any) -> None:
    """Clock, voltage and leakage factor of every domain at its present operating point."""
    for d in range(b.domains):
        level = load(n, at.level + d)
        store(w, CLOCK_HZ + d, pick(b.freq_hz[d], level))
        store(w, CLOCK_V + d, pick(b.volt_v[d], level))
        store(w, LEAK_SHARE + d, pick(b.leak_factor[d], level))


@merged
def _crowds(n: Any, at: Any, b: Any, w: Any, v: Any, slots: int) -> None:
    """Where each job runs (-1: nowhere), jobs on every unit, busy units of every domain."""
    t_ns = load(n, at.t_ns)
    on = load(n, at.off) == 0
    for j in range(slots):
        unit = load(n, at.job_unit + j)
        runs = (unit >= 0) & (load(n, at.job_hold_ns + j) <= t_ns) & on
        store(v, RUNS_ON + j, where(runs, unit, -1))
    for d in range(b.domains):
        store(w, IN_DOMAIN + d, 0.0)
    for u in range(b.units):
        jobs = floats(0.0, w)
        for j in range(slots):
            jobs += where(load(v, RUNS_ON + j) == u, floats(1.0, w), floats(0.0, w))
        store(w, ON_UNIT + u, jobs)
        d = b.unit_domain[u]
        store(w, IN_DOMAIN + d, load(w, IN_DOMAIN + d) + min(jobs, 1.0))


@merged
def _alone(n: Any, at: Any, b: Any, table: Any, w: Any, v: Any, slots: int) -> bool:
    """Traffic each job would make without contention, its compute and launch time (work rows).

    JOB_BUSY gets the time without stalls, JOB_ACTIVE the compute time, JOB_LAUNCH the launch
    time. True if some job runs on an accelerator.
    """
    columns = table.shape[1]
    is_host_used = False
    for j in range(slots):
        unit = load(v, RUNS_ON + j)
        runs = unit >= 0
        u = max(unit, 0)
        kind = pick(b.unit_kind, u)
        domain = pick(b.unit_domain, u)
        base = load(n, at.job_row + j) * columns + kind * KIND_COLUMNS + 1
        share = pick_row(w, u + ON_UNIT)
        hz = _of_domain(b, w, CLOCK_HZ, domain)
        store(v, KIND + j, kind)
        store(v, DOMAIN + j, domain)
        store(v, DEMAND + j, base)
        store(w, JOB_SHARE + j, share)
        compute_s = pick(table, base + COMPUTE) / hz
        launch_s = floats(0.0, w)
        roof = compute_s
        if bits(runs & (kind >= b.cores)) != 0:
            is_host_used = True
            roof, launch_s = _on_accelerator(b, table, base, u, kind, compute_s, w)
        stall_s = pick(table, base + STALL)
        seconds = (roof + stall_s + launch_s) * share
        moved_b = pick(table, base + BYTES)
        store(w, JOB_STALL + j, stall_s)
        store(w, JOB_BYTES + j, moved_b)
        moved = where(runs, moved_b / seconds, 0.0)
        store(w, JOB_TRAFFIC + j, moved)
        store(w, JOB_BUSY + j, roof)
        store(w, JOB_ACTIVE + j, compute_s)
        store(w, JOB_LAUNCH + j, launch_s)
    return is_host_used


@merged
def _of_domain(b: Any, w: Any, first: int, domain: Any) -> Any:
    """The number of every lane's domain, from work rows that hold one for each from first on."""
    found = load(w, first)
    for d in range(1, b.domains):
        found = where(domain == d, load(w, first + d), found)
    return found


@merged
def _of_kind(numbers: Any, kind: Any) -> Any:
    """The number of every lane's kind of unit: few enough to choose among all."""
    found = floats(numbers[0], numbers)
    for k in range(1, KINDS):
        found = where(kind == k, floats(numbers[k], numbers), found)
    return found


@merged
def _on_accelerator(
    b: Any, table: Any, base: Any, u: Any, kind: Any, compute_s: Any, w: Any
) -> Any:
    """Roofline time and launch time per unit of work where jobs use memory and host."""
    roof = compute_s
    if b.memory_domain >= 0:
        cycles = pick(table, base + MEMORY)
        memory_s = where(cycles > 0.0, cycles / load(w, CLOCK_HZ + b.memory_domain), 0.0)
        roof = where(memory_s == 0.0, roof, both_s(compute_s, memory_s, pick(b.pnorm, kind)))
    host = pick(b.unit_host, u)
    host_hz = _of_domain(b, w, CLOCK_HZ, pick(b.unit_domain, max(host, 0)))
    launch_s = where(host >= 0, pick(table, base + LAUNCH) / host_hz, 0.0)
    return roof, pick(table, base + IDLE) + launch_s


@merged
def _rates(f: Any, at: Any, b: Any, table: Any, w: Any, v: Any, slots: int, mask: Any) -> None:
    """Work rate of every job under contention; what it adds to its unit, to the work rows.

    JOB_BUSY becomes the utilisation, JOB_ACTIVE the share of it that is active, JOB_LAUNCH the
    utilisation of the host.
    """
    all_traffic = floats(0.0, w)
    for j in range(slots):
        all_traffic += load(w, JOB_TRAFFIC + j)
    per_bandwidth = floats(0.0, w)
    if b.memory_domain >= 0:
        per_bandwidth = 1.0 / (b.bytes_per_cycle * load(w, CLOCK_HZ + b.memory_domain))
    made = floats(0.0, w)
    for j in range(slots):
        runs = load(v, RUNS_ON + j) >= 0
        kind = load(v, KIND + j)
        base = load(v, DEMAND + j)
        others = _of_domain(b, w, IN_DOMAIN, load(v, DOMAIN + j)) - 1.0
        moved = (all_traffic - load(w, JOB_TRAFFIC + j)) * per_bandwidth
        crowd = contention(
            others, _of_kind(b.corunner_stall, kind), moved, _of_kind(b.bandwidth_stall, kind)
        )
        busy_s = load(w, JOB_BUSY + j) + load(w, JOB_STALL + j) * crowd
        launch_s = load(w, JOB_LAUNCH + j)
        rate = 1.0 / ((busy_s + launch_s) * load(w, JOB_SHARE + j))
        rate = where(runs, rate, 0.0)
        put(f, at.job_rate + j, mask, rate)
        put(f, at.job_l2d_rate + j, mask, where(runs, rate * pick(table, base + L2D), 0.0))
        made += where(runs, rate * load(w, JOB_BYTES + j), 0.0)
        share = load(w, JOB_ACTIVE + j) / busy_s
        active = pick(table, base + ACTIVITY) * (
            share + _of_kind(b.stall_activity, kind) * (1.0 - share)
        )
        store(w, JOB_BUSY + j, where(runs, rate * busy_s, 0.0))
        store(w, JOB_ACTIVE + j, where(runs, active, 0.0))
        store(w, JOB_LAUNCH + j, where(runs, rate * launch_s, 0.0))
    put(f, at.traffic, mask, made)


@merged
def _usage(
    f: Any, n: Any, at: Any, b: Any, w: Any, v: Any, slots: int, is_host_used: bool, mask: Any
) -> None:
    """Utilisation and activity of every unit; launching takes what programs leave of the host."""
    for u in range(b.units):
        busy = floats(0.0, w)
        active = floats(0.0, w)
        peak = floats(0.0, w)
        for j in range(slots):
            here = load(v, RUNS_ON + j) == u
            share = where(here, load(w, JOB_BUSY + j), 0.0)
            busy += share
            active += share * load(w, JOB_ACTIVE + j)
            if b.unit_host[u] >= 0:
                peak = max(peak, where(here, load(w, JOB_ACTIVE + j), 0.0))
        put(f, at.busy + u, mask, busy)
        put(f, at.activity + u, mask, active)
        put(f, at.peak_activity + u, mask, peak)
        store(w, LAUNCHING + u, 0.0)
    if not is_host_used:
        return
    for u in range(b.units):
        host = b.unit_host[u]
        if host >= 0:
            launching = load(w, LAUNCHING + host)
            for j in range(slots):
                launching += where(load(v, RUNS_ON + j) == u, load(w, JOB_LAUNCH + j), 0.0)
            store(w, LAUNCHING + host, launching)
    for u in range(b.units):
        busy = load(f, at.busy + u)
        more = min(load(w, LAUNCHING + u), 1.0 - busy)
        put(f, at.busy + u, mask, busy + more)
        put(f, at.activity + u, mask, load(f, at.activity + u) + more)


@merged
def _next_events(f: Any, n: Any, at: Any, slots: int, mask: Any) -> None:
    """When each job ends, changes phase or resumes, in closed form."""
    t_ns = load(n, at.t_ns)
    for j in range(slots):
        rate = load(f, at.job_rate + j)
        left = load(f, at.job_left + j)
        phase_left = load(f, at.job_phase_left + j)
        hold_ns = load(n, at.job_hold_ns + j)
        here = load(n, at.job_unit + j) >= 0
        held = here & (hold_ns > t_ns)
        moves = here & ~held & (rate > 0.0)
        wait_s = min(left, phase_left) / rate
        soon = moves & (wait_s < 1e9)
        wait_ns = whole(upwards(where(soon, wait_s, 0.0) * 1e9))
        event_ns = where(soon, t_ns + max(wait_ns, 1), NEVER)
        put(n, at.job_event_ns + j, mask, where(held, hold_ns, event_ns))
        put(n, at.job_ends + j, mask & moves, where(left <= phase_left, 1, 0))
