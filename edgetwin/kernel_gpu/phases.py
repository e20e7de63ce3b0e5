"""What happens at one instant, and what time does until the next, on many boards at once.

Each phase takes the state and gives the next one, for boards (n,) that run or are in its mask.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import final

import torch
from torch import Tensor

from edgetwin.kernel.state import NEVER, QOS_SHARE
from edgetwin.kernel_gpu.boards import Boards
from edgetwin.kernel_gpu.control import control
from edgetwin.kernel_gpu.fields import Tensors, in_seconds, merged
from edgetwin.kernel_gpu.heat import heat_step, set_fan, zones_c
from edgetwin.kernel_gpu.inputs import refresh
from edgetwin.kernel_gpu.plans import end_job, happen
from edgetwin.kernel_gpu.sensors import sample

# The code of a board that has not arrived, completed a job or shut down.
RUNNING = -3


def due(s: Tensors, b: Boards) -> Tensors:
    """Do what is due now on boards that run; a completion ends the run of its board."""
    runs, t_ns = (s["code"] == RUNNING)[:, None], s["t_ns"][:, None]
    switches = runs & (s["switch_ns"] <= t_ns)
    due = runs & (s["job_event_ns"] <= t_ns)
    slots, held = b.fixed["slots"], s["job_hold_ns"] > 0
    ends = due & ~held & (s["job_ends"] != 0)
    first = torch.where(ends, slots, len(slots)).amin(1)
    due = due & (slots <= first[:, None])
    ends = ends & (slots == first[:, None])
    turns = due & ~held & ~ends
    row = s["job_row"] + 1
    row = torch.where(row == s["job_first"] + s["job_rows"], s["job_first"], row)
    row = torch.where(turns, row, s["job_row"])
    work = b.work[b.own["record"][:, None], row]
    return s | {
        "level": torch.where(switches, s["target"], s["level"]),
        "switch_ns": torch.where(switches, NEVER, s["switch_ns"]),
        "dirty": torch.where(switches.any(1) | due.any(1), 1, s["dirty"]),
        "job_event_ns": torch.where(due, NEVER, s["job_event_ns"]),
        "job_hold_ns": torch.where(due, 0, s["job_hold_ns"]),
        "job_done": torch.where(ends, s["job_done"] + s["job_left"], s["job_done"]),
        "job_left": torch.where(ends, 0.0, s["job_left"]),
        "job_unit": torch.where(ends, -1, s["job_unit"]),
        "job_row": row,
        "job_phase_left": torch.where(turns, work, s["job_phase_left"]),
        "code": torch.where(ends.any(1), first, s["code"]),
    }


def settle(s: Tensors, b: Boards, mask: Tensor) -> Tensors:
    """Let time pass on some boards to their next events: heat, energy, progress, counters."""
    next_ns = torch.cat([s["switch_ns"], s["job_event_ns"]], 1).amin(1)
    for other_ns in (s["event_ns"], s["end_ns"], s["tick"] * b.period_ns):
        next_ns = torch.minimum(next_ns, other_ns)
    dt_s = in_seconds(next_ns - s["t_ns"])
    new = heat_step(s, b, dt_s.to(s["modes"].dtype))
    mean_w = (new["energy_j"] - s["energy_j"]).sum(1) / dt_s
    new |= _progress(s, dt_s) | _counters(s | new, b, dt_s, mean_w)
    return merged(s, mask, new | {"t_ns": next_ns})


def _progress(s: Tensors, dt_s: Tensor) -> Tensors:
    """What jobs and units have done in dt_s (n,)."""
    each_s = dt_s[:, None]
    here = (s["job_serial"] > 0) & (s["job_unit"] >= 0)
    work = torch.where(here, torch.minimum(s["job_rate"] * each_s, s["job_left"]), 0.0)
    aims = here & (s["job_target"] > 0.0)
    below = aims & (s["job_rate"] < QOS_SHARE * s["job_target"])
    return {
        "job_left": s["job_left"] - work,
        "job_phase_left": (s["job_phase_left"] - work).clamp(min=0.0),
        "job_done": s["job_done"] + work,
        "job_alive_s": s["job_alive_s"] + here * each_s,
        "job_below_s": s["job_below_s"] + below * each_s,
        "aimed_s": s["aimed_s"] + aims.sum(1) * dt_s,
        "below_s": s["below_s"] + below.sum(1) * dt_s,
        "busy_s": s["busy_s"] + s["busy"] * each_s,
    }


def _counters(s: Tensors, b: Boards, dt_s: Tensor, mean_w: Tensor) -> Tensors:
    """Peaks, and the time above the cap and under throttling."""
    peak_w = b.own["drawn_per_w"] * (mean_w + s["peak_extra_w"])
    over = peak_w > s["cap_w"]
    beyond = torch.where(over, peak_w / s["cap_w"] - 1.0, 0.0)
    return {
        "peak_w": torch.maximum(s["peak_w"], peak_w),
        "over_cap_s": s["over_cap_s"] + over * dt_s,
        "overshoot": torch.maximum(s["overshoot"], beyond),
        "throttled_s": s["throttled_s"] + (s["throttled"] != 0) * dt_s,
        "peak_c": torch.maximum(s["peak_c"], zones_c(s, b)),
    }


@final
@dataclass(frozen=True, kw_only=True)
class Phases:
    """What happens at one instant and until the next, each for all boards."""

    due: Callable[[Tensors, Boards], Tensors] = due
    refresh: Callable[[Tensors, Boards, Tensor], Tensors] = refresh
    sample: Callable[[Tensors, Boards, Tensor], Tensors] = sample
    happen: Callable[[Tensors, Boards, Tensor], Tensors] = happen
    end_job: Callable[[Tensors, Boards, Tensor, Tensor], Tensors] = end_job
    set_fan: Callable[[Tensors, Boards, Tensor, Tensor], Tensors] = set_fan
    control: Callable[[Tensors, Boards, Tensor], Tensors] = control
    settle: Callable[[Tensors, Boards, Tensor], Tensors] = settle


@cache
def phases(compiled: bool) -> Phases:
    """The phases as they are written, or fused by torch.compile for batches of any size."""
    plain = Phases()
    if not compiled:
        return plain
    names = [field.name for field in fields(Phases)]
    return Phases(**{name: torch.compile(getattr(plain, name), dynamic=True) for name in names})
