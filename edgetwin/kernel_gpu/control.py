"""Control loops that belong to a board, on many at once: governors, trips, fan, clock changes."""

import torch
from torch import Tensor

from edgetwin.kernel.control import (
    ONDEMAND,
    PERFORMANCE,
    POWERSAVE,
    QOS_DVFS,
    SCHEDUTIL_MARGIN,
    UP_THRESHOLD,
    USERSPACE,
)
from edgetwin.kernel.state import NEVER
from edgetwin.kernel_gpu.boards import Boards
from edgetwin.kernel_gpu.fields import Tensors, merged
from edgetwin.kernel_gpu.inputs import at_level, bandwidth, by_domain


def request(s: Tensors, b: Boards, mask: Tensor, level: Tensor) -> Tensors:
    """Ask clocks for operating points (n, domains); they run after their transition times.

    mask (n, domains) says which clocks are asked.
    """
    level = torch.minimum(torch.minimum(level.clamp(min=0), s["ceiling"]), s["trip_cap"])
    asked = mask & (s["refused"] == 0) & (level != s["target"])
    target = torch.where(asked, level, s["target"])
    wait_ns = at_level(b, "transition_ns", level)
    back = asked & (level == s["level"])
    at_once = asked & ~back & (wait_ns == 0)
    switch_ns = torch.where(asked, s["t_ns"][:, None] + wait_ns, s["switch_ns"])
    return s | {
        "target": target,
        "switch_ns": torch.where(back | at_once, NEVER, switch_ns),
        "level": torch.where(at_once, level, s["level"]),
        "transitions": s["transitions"] + asked.sum(1),
        "dirty": torch.where(at_once.any(1), 1, s["dirty"]),
    }


def polled(s: Tensors, b: Boards) -> Tensor:
    """Boards (n,) that look at their trips in this control period."""
    return (s["off"] == 0) & (s["tick"] % b.poll_ticks == 0)


def fan_wanted(s: Tensors, b: Boards) -> Tensor:
    """The fan level (n,) of the hand, else of the highest trip reached or held by hysteresis."""
    c, fan = _seen_c(s, b), s["fan"][:, None]
    holds = (fan >= b.fixed["trip_fan"]) & (c > b.own["trip_c"] - b.own["trip_hyst_k"])
    asks = b.fixed["turns_fan"] & ((c >= b.own["trip_c"]) | holds)
    none = torch.zeros_like(fan)
    wanted = torch.cat([torch.where(asks, b.fixed["trip_fan"], 0), none], 1).amax(1)
    return torch.where(s["fan_manual"] < 0, wanted, s["fan_manual"])


def _seen_c(s: Tensors, b: Boards) -> Tensor:
    """What every trip goes by, (n, trips): its sensor, infinite where a fault forces it."""
    zone = b.fixed["trip_zone"]
    forced = (s["trip_forced"][:, None] >> zone) & 1
    return torch.where(forced != 0, torch.inf, s["zone_c"][:, zone])


def control(s: Tensors, b: Boards, mask: Tensor) -> Tensors:
    """One control period of boards (n,) begins: trips when polled, then every governor."""
    runs = mask & (s["off"] == 0)
    if b.sizes.trips:
        s = merged(s, mask & polled(s, b), _trips(s, b))
    hz = at_level(b, "freq_hz", s["level"])
    s = merged(s, runs, _demand(s, b, hz))
    s = request(s, b, runs[:, None], _wanted(s, b, hz))
    s = merged(s, runs, {"skip": torch.zeros_like(s["skip"])})
    return s | {"tick": s["tick"] + mask.long()}


def _trips(s: Tensors, b: Boards) -> Tensors:
    """Shutdown, and ceilings of clocks: one level down while too hot, one up when cool again.

    A forced trip never shuts down.
    """
    hot = s["zone_c"][:, b.fixed["trip_zone"]] >= b.own["trip_c"]
    shut = (hot & b.fixed["shuts_down"]).any(1)
    c = _seen_c(s, b)
    step = 1 - 2 * (c >= b.own["trip_c"]).long()
    cool = c < b.own["trip_c"] - b.own["trip_hyst_k"]
    step = torch.where((step > 0) & ~cool, 0, step)
    step = torch.where(b.fixed["throttles"], step.unsqueeze(2), 1).amin(1)
    top = b.fixed["top"]
    cap = torch.minimum((s["trip_cap"] + step).clamp(min=0), top)
    return {
        "off": torch.where(shut, 1, s["off"]),
        "dirty": torch.where(shut, 1, s["dirty"]),
        "trip_cap": cap,
        "throttled": (cap < top).any(1),
    }


def _demand(s: Tensors, b: Boards, hz: Tensor) -> Tensors:
    """What governors look at: utilisation of the last period, clock that targets ask for."""
    busy = by_domain(b, (s["busy_s"] - s["busy_mark_s"]) / (b.period_ns * 1e-9)).to(hz.dtype)
    if b.memory_domain >= 0:
        busy[:, b.memory_domain] = s["traffic"] / bandwidth(b, hz)
    domain = b.fixed["unit_domain"][s["job_unit"].clamp(min=0)]
    counts = (s["job_unit"] >= 0) & (s["job_rate"] > 0.0)
    need_hz = hz.gather(1, domain) * s["job_target"] / s["job_rate"]
    there = counts.unsqueeze(2) & (domain.unsqueeze(2) == b.fixed["domains"])
    need_hz = torch.where(there, need_hz.unsqueeze(2), 0.0).amax(1)
    return {"domain_busy": busy, "domain_need_hz": need_hz, "busy_mark_s": s["busy_s"]}


def _wanted(s: Tensors, b: Boards, hz: Tensor) -> Tensor:
    """The operating point that each domain's governor would like next, (n, domains)."""
    governor, top, now = s["governor"], b.fixed["top"], s["target"]
    busy, table_hz = s["domain_busy"], b.own["freq_hz"]
    low_hz = table_hz[:, :, 0]
    top_hz = table_hz.gather(2, top.expand(len(table_hz), -1).unsqueeze(2)).squeeze(2)
    eager_hz = torch.where(busy > UP_THRESHOLD, torch.inf, low_hz + busy * (top_hz - low_hz))
    ask_hz = torch.where(governor == ONDEMAND, eager_hz, SCHEDUTIL_MARGIN * busy * hz)
    ask_hz = torch.where(governor == QOS_DVFS, s["domain_need_hz"], ask_hz)
    level = _lowest_at_least(b, ask_hz)
    careful = torch.where(s["skip"] != 0, now, now + torch.sign(level - now))
    level = torch.where(governor == QOS_DVFS, careful, level)
    level = torch.where(governor == USERSPACE, s["fixed"], level)
    level = torch.where(governor == POWERSAVE, 0, level)
    return torch.where(governor == PERFORMANCE, top, level)


def _lowest_at_least(b: Boards, hz: Tensor) -> Tensor:
    """The lowest operating point of a domain that runs at hz (n, domains) or faster, else the top.

    A clock that is slower by less than rounding (1e-9, single precision 1e-6) counts as as fast.
    """
    slack = 1e-9 if hz.dtype == torch.float64 else 1e-6
    slower = b.own["freq_hz"] < (hz * (1.0 - slack)).unsqueeze(2)
    below_top = b.fixed["levels"] < b.fixed["top"][:, None]
    return (slower & below_top).sum(2)
