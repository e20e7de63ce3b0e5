"""Which fields of a board's state the batch holds as tensors, and the way there and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgetwin.kernel.state import NEVER, STATE_DTYPE, State

Tensors = dict[str, Tensor]

# Fields of STATE_DTYPE by what they are counted over; "" is one number per board.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "": (
        "t_ns", "tick", "sampled", "dirty", "off", "key", "may_coast", "ambient_c", "cap_w",
        "fan_manual", "trip_forced", "fan", "throttled", "traffic", "heat_out_j",
        "ambient_since_ns", "peak_extra_w", "migrations", "transitions", "aimed_s", "below_s",
        "throttled_s", "over_cap_s", "overshoot", "mark_below_s", "mark_aimed_s",
        "mark_over_cap_s", "mark_ns", "peak_w",
    ),
    "domains": (
        "governor", "fixed", "ceiling", "refused", "level", "target", "switch_ns", "trip_cap",
        "domain_busy", "domain_need_hz", "skip",
    ),
    "units": ("online", "busy", "busy_s", "busy_mark_s", "peak_activity"),
    "slots": (
        "job_serial", "job_unit", "job_first", "job_rows", "job_row", "job_hold_ns",
        "job_event_ns", "job_ends", "job_left", "job_phase_left", "job_rate", "job_target",
        "job_done", "job_alive_s", "job_below_s", "job_l2d_rate", "job_total",
    ),
    "nodes": ("modes", "push", "modes_mark"),
    "parts": ("activity", "power_w", "gain_w", "leak_w", "energy_j", "energy_mark_j"),
    "zones": ("zone_c", "zone_fault", "zone_integral", "peak_c"),
    "rails": ("rail_w", "rail_fault", "rail_mark_j", "rail_mark_ns"),
}  # fmt: skip
# What only the scalar kernel needs: notes for its jumps over quiet stretches, and scratch.
LEFT_OUT = ("calm", "steady", "slots", "seen_c", "change_w")
# Sums over a whole run stay in double precision whatever the physics is computed in.
COUNTERS = frozenset(
    {
        "energy_j", "busy_s", "busy_mark_s", "job_left", "job_phase_left", "job_done",
        "job_alive_s", "job_below_s", "job_total", "energy_mark_j", "zone_integral",
        "heat_out_j", "rail_mark_j", "aimed_s", "below_s", "throttled_s", "over_cap_s",
        "mark_below_s", "mark_aimed_s", "mark_over_cap_s",
    }
)  # fmt: skip


# What the scalar records hold where a board has nothing.
UNUSED = {
    "job_unit": -1, "job_event_ns": NEVER, "switch_ns": NEVER, "ceiling": -1, "trip_cap": -1,
    "peak_c": -np.inf,
}  # fmt: skip


@final
@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How many of each a board has; the same for every board of a batch."""

    nodes: int
    parts: int
    units: int
    domains: int
    levels: int
    fans: int
    zones: int
    rails: int
    trips: int
    kinds: int
    slots: int


def tensors_of(states: State, sizes: Sizes, device: torch.device, real: torch.dtype) -> Tensors:
    """State records (n,) as tensors, (n,) or (n, size) each; floats in `real` but for counters."""
    found = {}
    for over, names in FIELDS.items():
        for name in names:
            values = states[name][:, : getattr(sizes, over)] if over else states[name]
            held = torch.from_numpy(signed(values)).to(device)
            # Strides of torch also where a board has none: another stride is compiled anew.
            found[name] = held.clone(memory_format=torch.contiguous_format)
            if found[name].is_floating_point() and name not in COUNTERS:
                found[name] = found[name].to(real)
    return found


def records_of(s: Tensors) -> State:
    """Tensors as state records (n,), from which the scalar kernel goes on.

    It looks at every sensor and trip once more before it jumps over a quiet stretch.
    """
    states = np.zeros(len(s["t_ns"]), STATE_DTYPE)
    for name, value in UNUSED.items():
        states[name] = value
    for fields in FIELDS.values():
        for name in fields:
            values = s[name].cpu().numpy()
            where: Any = ... if values.ndim == 1 else (slice(None), slice(0, values.shape[1]))
            states[name][where] = values.view(np.uint64) if name == "key" else values
    states["slots"] = slots_in_use(states)
    states["calm"] = -1
    return states


def slots_in_use(states: State) -> NDArray[np.int64]:
    """One more than the highest slot that holds a job, (n,)."""
    held = states["job_serial"] > 0
    return np.asarray(np.where(held, np.arange(1, held.shape[1] + 1), 0).max(axis=1))


def signed(values: Any) -> Any:
    """A contiguous copy; unsigned words keep their bits as signed ones, for want of their own."""
    copy = np.array(values, order="C")
    return copy.view(np.int64) if copy.dtype == np.uint64 else copy


def merged(s: Tensors, mask: Tensor, new: Tensors) -> Tensors:
    """The state with the new fields where the mask (n,) is set; every field keeps its type."""
    held = dict(s)
    for name, value in new.items():
        where = mask if value.dim() == 1 else mask[:, None]
        held[name] = torch.where(where, value.to(s[name].dtype), s[name])
    return held


def in_seconds(span_ns: Tensor) -> Tensor:
    """Whole nanoseconds in seconds, in double precision (a product with a float would not be)."""
    return span_ns.to(torch.float64) * 1e-9
