"""What the plans of many boards do on the way: jobs come, wait, end or leave; surroundings change.

batch_visit.py on tensors. A board is in the middle of its plan: event_next, event_end, event_ns,
waiting, finished, to_come (n,) and plan_status (n, entries) in its state. The job of entry e has
the serial 1 + e.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from edgetwin.kernel.batch_visit import (
    AMBIENT,
    ARRIVAL,
    CAP,
    CLOCK_FAULT,
    DEPARTURE,
    ENDED,
    RAIL_FAULT,
    RUNNING,
    TRIP_FAULT,
    WAITING,
    ZONE_FAULT,
)
from edgetwin.kernel.state import NEVER, SLOTS
from edgetwin.kernel_gpu.boards import Boards
from edgetwin.kernel_gpu.fields import FIELDS, UNUSED, Tensors, in_seconds, merged
from edgetwin.kernel_gpu.heat import flush_heat
from edgetwin.kernel_gpu.orders import free_job, start_job

NO_ENTRY = np.dtype(
    [(name, "i8") for name in ("t_ns", "first", "rows", "where", "kind")]
    + [("value", "f8"), ("target", "f8")]
)
COUNTS = ("event_next", "event_end", "event_ns", "finished", "waiting", "to_come")


def progress_of(entries: NDArray[Any], ends: NDArray[np.int64], device: torch.device) -> Tensors:
    """Where boards are at the start of their plans: entries (n, k) of PLAN_DTYPE, ends (n,)."""
    n, room = entries.shape
    counts = {name: np.zeros(n, np.int64) for name in COUNTS}
    there = np.arange(room) < ends[:, None]
    counts["event_end"] = ends
    counts["event_ns"] = np.where(ends > 0, entries["t_ns"][:, 0], NEVER)
    counts["to_come"] = np.sum(there & (entries["kind"] == ARRIVAL), axis=1)
    found = {name: torch.from_numpy(value).to(device) for name, value in counts.items()}
    found["plan_status"] = torch.zeros((n, room), dtype=torch.int64, device=device)
    return found


def plan_of(entries: NDArray[Any], device: torch.device) -> Tensors:
    """What never changes of the entries (n, k) of PLAN_DTYPE, a tensor for each field."""
    names = ("t_ns", "first", "rows", "where", "kind")
    whole = {name: entries[name].astype(np.int64) for name in names}
    real = {name: entries[name].astype(np.float64) for name in ("value", "target")}
    return {name: torch.from_numpy(v).to(device) for name, v in (whole | real).items()}


def happen(s: Tensors, b: Boards, mask: Tensor) -> Tensors:
    """Carry out the next entry of the plans of boards (n,)."""
    at = s["event_next"].clamp(max=b.plan["t_ns"].shape[1] - 1)
    entry = _entry(b, at)
    kind = entry["kind"]
    s = _arrive(s, b, mask & (kind == ARRIVAL), at)
    s = _depart(s, b, mask & (kind == DEPARTURE), entry["value"])
    s = _change(s, b, mask & (kind >= AMBIENT), entry)
    following = b.plan["t_ns"].gather(1, (at + 1).clamp(max=len(b.plan["t_ns"][0]) - 1)[:, None])
    event_ns = torch.where(at + 1 < s["event_end"], following[:, 0], NEVER)
    return merged(s, mask, {"event_next": at + 1, "event_ns": event_ns})


def end_job(s: Tensors, b: Boards, mask: Tensor, slot: Tensor) -> Tensors:
    """Free the slots (n,) of jobs that are over, and start the next that waits."""
    serial = s["job_serial"].gather(1, slot[:, None])[:, 0]
    s = _with_status(s, mask, serial - 1, ENDED)
    s = merged(s, mask, {"finished": s["finished"] + 1})
    s = free_job(s, b, mask, slot)
    places = torch.arange(s["plan_status"].shape[1], device=slot.device)
    first = torch.where(s["plan_status"] == WAITING, places, len(places)).amin(1)
    waits = mask & (s["waiting"] > 0)
    s = merged(s, waits, {"waiting": s["waiting"] - 1})
    return _start(s, b, waits, first.clamp(max=len(places) - 1))


def _entry(b: Boards, at: Tensor) -> Tensors:
    """The fields of one entry of every plan, (n,) each."""
    return {name: values.gather(1, at[:, None])[:, 0] for name, values in b.plan.items()}


def _with_status(s: Tensors, mask: Tensor, at: Tensor, status: int) -> Tensors:
    """The state with another status of the plans' entries at (n,)."""
    places = torch.arange(s["plan_status"].shape[1], device=at.device)
    here = mask[:, None] & (places == at[:, None])
    return s | {"plan_status": torch.where(here, status, s["plan_status"])}


def _arrive(s: Tensors, b: Boards, mask: Tensor, at: Tensor) -> Tensors:
    """A job comes; it waits when every slot is taken."""
    full = (s["job_serial"] > 0).all(1)
    s = merged(s, mask, {"to_come": s["to_come"] - 1, "waiting": s["waiting"] + full.long()})
    return _start(_with_status(s, mask & full, at, WAITING), b, mask & ~full, at)


def _start(s: Tensors, b: Boards, mask: Tensor, at: Tensor) -> Tensors:
    """Put the jobs of entries (n,) into the first free slots."""
    entry, slots = _entry(b, at), b.fixed["slots"]
    free = torch.where(s["job_serial"] == 0, slots, len(slots)).amin(1).clamp(max=len(slots) - 1)
    chosen = _least_loaded(s, b, entry["first"])
    job = {
        "serial": at + 1,
        "unit": torch.where(entry["where"] < 0, chosen, entry["where"]),
        "first": entry["first"],
        "rows": entry["rows"],
        "total": entry["value"],
        "target": entry["target"],
        "waited_s": in_seconds(s["t_ns"] - entry["t_ns"]),
    }
    return _with_status(start_job(s, b, mask, free, job), mask, at, RUNNING)


def _least_loaded(s: Tensors, b: Boards, first: Tensor) -> Tensor:
    """The unit with fewest jobs, (n,); among equals the one that runs demand row first fastest."""
    order = b.orders[b.own["record"], first]
    unit = order.clamp(min=0)
    load = (s["job_unit"].unsqueeze(2) == b.fixed["units"]).sum(1).gather(1, unit)
    able = (order >= 0) & (s["online"].gather(1, unit) != 0)
    rank = torch.where(able, load * len(b.fixed["units"]) + b.fixed["units"], NEVER)
    return unit.gather(1, rank.argmin(1, keepdim=True))[:, 0]


def _depart(s: Tensors, b: Boards, mask: Tensor, entry: Tensor) -> Tensors:
    """The jobs of entries (n,) are stopped unless they have ended by themselves."""
    at = entry.clamp(0, s["plan_status"].shape[1] - 1).long()
    status = s["plan_status"].gather(1, at[:, None])[:, 0]
    waits, runs = mask & (status == WAITING), mask & (status == RUNNING)
    s = _with_status(s, waits, at, ENDED)
    s = merged(s, waits, {"waiting": s["waiting"] - 1, "finished": s["finished"] + 1})
    mine = s["job_serial"] == 1 + at[:, None]
    return end_job(s, b, runs, mine.long().argmax(1))


def _change(s: Tensors, b: Boards, mask: Tensor, entry: Tensors) -> Tensors:
    """The surroundings change: ambient, cap, a fault or its end."""
    kind, where, value = entry["kind"], entry["where"][:, None], entry["value"]
    warmer = mask & (kind == AMBIENT)
    s = merged(flush_heat(s, b, warmer), warmer, {"ambient_c": value, "dirty": mask.long()})
    s = merged(s, mask & (kind == CAP), {"cap_w": value})
    how, bit = value.long(), torch.ones_like(kind) << entry["where"].clamp(min=0)
    forced = torch.where(how != 0, s["trip_forced"] | bit, s["trip_forced"] & ~bit)
    s = merged(s, mask & (kind == TRIP_FAULT), {"trip_forced": forced})
    for fault, name in (
        (CLOCK_FAULT, "refused"),
        (ZONE_FAULT, "zone_fault"),
        (RAIL_FAULT, "rail_fault"),
    ):
        here = torch.arange(s[name].shape[1], device=where.device) == where
        new = torch.where(here, how[:, None], s[name])
        s = merged(s, mask & (kind == fault), {name: new})
    return s


def slots_for(entries: NDArray[Any], ends: NDArray[np.int64]) -> int:
    """No more slots than a board has, nor than jobs ever come: entries (n, k), ends (n,)."""
    there = np.arange(entries.shape[1]) < ends[:, None]
    comes = np.sum(there & (entries["kind"] == ARRIVAL), axis=1)
    return min(SLOTS, int(comes.max(initial=1)))


def with_room(s: Tensors, b: Boards, slots: int, entries: int) -> tuple[Tensors, Boards]:
    """State and boards with at least so many slots, and entries of plans, per board."""
    more = max(0, slots - b.sizes.slots)
    held = {k: pad(s[k], (0, more), value=UNUSED.get(k, 0)) for k in FIELDS["slots"]}
    plan = b.plan or plan_of(np.zeros((len(s["t_ns"]), 1), NO_ENTRY), s["t_ns"].device)
    longer = max(0, entries - plan["t_ns"].shape[1])
    held["plan_status"] = pad(s["plan_status"], (0, max(0, entries - s["plan_status"].shape[1])))
    sizes = replace(b.sizes, slots=b.sizes.slots + more)
    index = torch.arange(sizes.slots, device=s["t_ns"].device)
    return s | held, replace(
        b,
        sizes=sizes,
        fixed=b.fixed | {"slots": index},
        plan={k: pad(v, (0, longer)) for k, v in plan.items()},
    )
