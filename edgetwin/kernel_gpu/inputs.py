"""What follows from placement and clocks alone, on many boards: rates, utilisation, power."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from edgetwin.kernel.state import NEVER
from edgetwin.kernel_gpu.boards import Boards
from edgetwin.kernel_gpu.fields import Tensors, merged
from edgetwin.kernel_gpu.heat import heat_inputs
from hw_models.performance import ACTIVITY, BYTES, COMPUTE, IDLE, L2D, LAUNCH, MEMORY, STALL


def refresh(s: Tensors, b: Boards, mask: Tensor) -> Tensors:
    """Recompute every input of the physics on boards (n,) where something has changed."""
    new = {"dirty": torch.zeros_like(s["dirty"])}
    for part in (_rates, _power, heat_inputs, _next_events):
        new |= part(s | new, b)
    return merged(s, mask, new)


def at_level(b: Boards, name: str, level: Tensor) -> Tensor:
    """A column of the table of operating points at each domain's level, (n, domains)."""
    table = b.own[name].expand(len(level), -1, -1)
    return table.gather(2, level.unsqueeze(2)).squeeze(2)


def bandwidth(b: Boards, hz: Tensor) -> Tensor:
    """Memory bandwidth in bytes per second, (n,), infinite where no clock limits it."""
    if b.memory_domain < 0:
        return torch.full_like(hz[:, 0], torch.inf)
    return b.own["bytes_per_cycle"] * hz[:, b.memory_domain]


def by_unit(sits: Tensor, values: Tensor) -> Tensor:
    """Sums of values (n, slots) over the jobs of each unit, (n, units); sits (n, slots, units)."""
    return (sits * values.unsqueeze(2)).sum(1)


@final
@dataclass(frozen=True, kw_only=True)
class _Jobs:
    """Jobs that run, (n, slots) each but for sits (n, slots, units), their units and demand."""

    runs: Tensor
    sits: Tensor
    unit: Tensor
    kind: Tensor
    demand: Tensor
    share: Tensor


def _jobs(s: Tensors, b: Boards) -> _Jobs:
    runs = (s["job_unit"] >= 0) & (s["job_hold_ns"] <= s["t_ns"][:, None])
    runs = runs & (s["off"] == 0)[:, None]
    unit = s["job_unit"].clamp(min=0)
    sits = (unit.unsqueeze(2) == b.fixed["units"]) & runs.unsqueeze(2)
    kind = b.fixed["unit_kind"][unit]
    demand = b.body[b.own["record"][:, None], s["job_row"] * b.sizes.kinds + kind]
    share = sits.sum(1).gather(1, unit)
    return _Jobs(runs=runs, sits=sits, unit=unit, kind=kind, demand=demand, share=share)


def _rates(s: Tensors, b: Boards) -> Tensors:
    """Work rate of every job, utilisation and activity of every unit, memory traffic."""
    jobs, hz = _jobs(s, b), at_level(b, "freq_hz", s["level"])
    d = jobs.demand
    compute_s, roof_s, launch_s = _times(b, jobs, hz)

    def rate_of(busy_s: Tensor) -> Tensor:
        return torch.where(jobs.runs, 1.0 / ((busy_s + launch_s) * jobs.share), 0.0)

    def of_running(values: Tensor) -> Tensor:
        return torch.where(jobs.runs, values, 0.0)

    alone = of_running(rate_of(roof_s + d[:, :, STALL]) * d[:, :, BYTES])
    busy_s = roof_s + d[:, :, STALL] * _contention(b, jobs, alone, bandwidth(b, hz))
    rate = rate_of(busy_s)
    share = compute_s / busy_s
    stalled = b.own["stall_activity"].expand(len(hz), -1).gather(1, jobs.kind)
    active = of_running(d[:, :, ACTIVITY] * (share + stalled * (1.0 - share)))
    used = of_running(rate * busy_s)
    busy = by_unit(jobs.sits, used)
    launching = by_unit(jobs.sits, of_running(rate * launch_s)) @ b.fixed["host_is"].to(hz.dtype)
    launch = torch.minimum(launching, 1.0 - busy)
    shared = s["activity"][:, b.sizes.units :]
    return {
        "job_rate": rate,
        "job_l2d_rate": of_running(rate * d[:, :, L2D]),
        "traffic": of_running(rate * d[:, :, BYTES]).sum(1),
        "busy": busy + launch,
        "activity": torch.cat([by_unit(jobs.sits, used * active) + launch, shared], 1),
        "peak_activity": (jobs.sits * active.unsqueeze(2)).amax(1) * b.fixed["has_host"],
    }


def _times(b: Boards, jobs: _Jobs, hz: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Seconds per unit of work: computing at peak, roofline, launching; (n, slots) each."""
    d, unit = jobs.demand, jobs.unit
    unit_domain, host = b.fixed["unit_domain"], b.fixed["host"]
    compute_s = d[:, :, COMPUTE] / hz.gather(1, unit_domain[unit])
    roof_s = compute_s
    if b.memory_domain >= 0:
        memory_s = d[:, :, MEMORY] / hz[:, b.memory_domain, None]
        q = b.own["pnorm"].expand(len(hz), -1).gather(1, jobs.kind)
        long_s = torch.maximum(compute_s, memory_s)
        both_s = long_s * (1.0 + (torch.minimum(compute_s, memory_s) / long_s) ** q) ** (1.0 / q)
        roof_s = torch.where(memory_s > 0.0, both_s, compute_s)
    launch_s = d[:, :, LAUNCH] / hz.gather(1, unit_domain[host[unit]])
    launch_s = torch.where(b.fixed["has_host"][unit], launch_s, 0.0)
    return compute_s, roof_s, d[:, :, IDLE] + launch_s


def _contention(b: Boards, jobs: _Jobs, traffic: Tensor, most: Tensor) -> Tensor:
    """Factor on stall time: other busy units of the domain, others' share of the bandwidth."""
    in_use = (jobs.sits.any(1).unsqueeze(2) & b.fixed["unit_in_domain"]).sum(1)
    others = in_use.gather(1, b.fixed["unit_domain"][jobs.unit]) - 1.0
    moved = (traffic.sum(1, keepdim=True) - traffic) / most[:, None]
    by_corunner = b.own["corunner_stall"].expand(len(traffic), -1).gather(1, jobs.kind)
    by_traffic = b.own["bandwidth_stall"].expand(len(traffic), -1).gather(1, jobs.kind)
    return 1.0 + by_corunner * others + by_traffic * moved.clamp(max=1.0)


def _power(s: Tensors, b: Boards) -> Tensors:
    """Switching power and leakage gain of every part, and what peaks add to the mean."""
    u, part_domain = b.sizes.units, b.fixed["part_domain"]
    hz, volt_v = at_level(b, "freq_hz", s["level"]), at_level(b, "volt_v", s["level"])
    square_hz = (volt_v * volt_v * hz)[:, part_domain]
    activity = _with_shared(s, b, hz)
    clocked_w = (b.own["active_f"] * activity + b.own["idle_f"]) * square_hz
    leak = at_level(b, "leak_factor", s["level"])[:, part_domain]
    is_clocked = b.fixed["is_clocked"]
    power_w = torch.where(is_clocked, clocked_w, b.own["constant_w"])
    square = (volt_v * volt_v)[:, part_domain[:u]]
    power_w[:, :u] += b.own["byte_f"] * s["traffic"][:, None] * s["busy"] * square
    gain_w = b.own["leak_w"] * torch.where(is_clocked, leak, 1.0)
    on = torch.ones_like(power_w)
    on[:, :u] = s["online"].to(on.dtype)
    power_w, gain_w = power_w * on, gain_w * on
    if b.memory_part >= 0:
        power_w[:, b.memory_part] += s["traffic"] * b.own["energy_per_byte_j"]
    if b.fan_part >= 0:
        fan_w = b.own["fan_w"].expand(len(power_w), -1).gather(1, s["fan"][:, None])
        power_w[:, b.fan_part] = fan_w[:, 0]
    more = (s["peak_activity"] - s["activity"][:, :u]).clamp(min=0.0)
    peaks = b.own["active_f"][:, :u] * more * square_hz[:, :u] * on[:, :u] * b.fixed["has_host"]
    runs = (s["off"] == 0)[:, None]
    return {
        "activity": activity,
        "power_w": torch.where(runs, power_w, 0.0),
        "gain_w": torch.where(runs, gain_w, 0.0),
        "peak_extra_w": peaks.sum(1),
    }


def _with_shared(s: Tensors, b: Boards, hz: Tensor) -> Tensor:
    """Activity (n, parts): of units as they are, of shared parts that of the busiest unit."""
    activity = s["activity"].clone()
    busiest = by_domain(b, s["busy"])
    for d, part in b.shared:
        is_memory = d == b.memory_domain
        used = (s["traffic"] / bandwidth(b, hz)).clamp(max=1.0) if is_memory else busiest[:, d]
        activity[:, part] = used
    return activity


def by_domain(b: Boards, values: Tensor) -> Tensor:
    """The largest of values (n, units) in every domain, (n, domains), at least zero."""
    spread = torch.where(b.fixed["unit_in_domain"], values.unsqueeze(2), 0.0)
    return spread.amax(1).clamp(min=0.0)


def _next_events(s: Tensors, _: Boards) -> Tensors:
    """When each job ends, changes phase or resumes, in closed form."""
    here, hold_ns, t_ns = s["job_unit"] >= 0, s["job_hold_ns"], s["t_ns"][:, None]
    held = here & (hold_ns > t_ns)
    rate = s["job_rate"].to(s["job_left"].dtype)
    runs = here & ~held & (rate > 0.0)
    wait_s = torch.minimum(s["job_left"], s["job_phase_left"]) / rate
    soon = runs & (wait_s < 1e9)
    wait_ns = torch.ceil(torch.where(soon, wait_s, 0.0) * 1e9).long().clamp(min=1)
    event_ns = torch.where(held, hold_ns, torch.where(soon, t_ns + wait_ns, NEVER))
    ends = (s["job_left"] <= s["job_phase_left"]).long()
    return {"job_event_ns": event_ns, "job_ends": torch.where(runs, ends, s["job_ends"])}
