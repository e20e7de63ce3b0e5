"""What the outside may do between two advances, each to the boards of a mask (n,)."""

import torch
from torch import Tensor

from edgetwin.kernel.state import NEVER
from edgetwin.kernel_gpu.boards import Boards
from edgetwin.kernel_gpu.fields import Tensors, merged


def migrate(s: Tensors, b: Boards, mask: Tensor, slot: Tensor, unit: Tensor) -> Tensors:
    """Move running jobs: slot and unit (n,) of each board; jobs stand still for a while."""
    at = b.fixed["slots"] == slot[:, None]
    here = s["job_unit"].gather(1, slot[:, None])[:, 0]
    mask = mask & (here != unit)
    domain = b.fixed["unit_domain"]
    left = b.fixed["domains"] == domain[here.clamp(min=0)][:, None]
    entered = b.fixed["domains"] == domain[unit][:, None]
    wait_ns = b.own["migration_ns"]
    hold_ns = torch.where(wait_ns > 0, s["t_ns"] + wait_ns, 0)
    new = {
        "skip": torch.where(left | entered, 1, s["skip"]),
        "job_unit": torch.where(at, unit[:, None], s["job_unit"]),
        "job_hold_ns": torch.where(at, hold_ns[:, None], s["job_hold_ns"]),
        "migrations": s["migrations"] + 1,
        "dirty": torch.ones_like(s["dirty"]),
    }
    return merged(s, mask, new)


def start_job(s: Tensors, b: Boards, mask: Tensor, slot: Tensor, job: Tensors) -> Tensors:
    """Fill slots (n,) with jobs: serial, unit, first, rows, total, target, waited_s, (n,) each."""
    at = b.fixed["slots"] == slot[:, None]
    total, target, waited_s = job["total"], job["target"], job["waited_s"]
    phase = b.work[b.own["record"], job["first"]]
    zero = torch.zeros_like(total)
    filled = {
        "job_serial": job["serial"], "job_unit": job["unit"], "job_first": job["first"],
        "job_row": job["first"], "job_rows": job["rows"], "job_left": total,
        "job_total": total, "job_phase_left": phase, "job_target": target, "job_rate": zero,
        "job_done": zero, "job_hold_ns": zero, "job_alive_s": waited_s,
        "job_below_s": torch.where(target > 0.0, waited_s, 0.0),
    }  # fmt: skip
    new = {k: torch.where(at, v[:, None].to(s[k].dtype), s[k]) for k, v in filled.items()}
    return merged(s, mask, new | {"dirty": torch.ones_like(s["dirty"])})


def free_job(s: Tensors, b: Boards, mask: Tensor, slot: Tensor) -> Tensors:
    """Forget the jobs in slots (n,)."""
    at = b.fixed["slots"] == slot[:, None]
    new = {
        "job_serial": torch.where(at, 0, s["job_serial"]),
        "job_unit": torch.where(at, -1, s["job_unit"]),
        "job_event_ns": torch.where(at, NEVER, s["job_event_ns"]),
        "dirty": torch.ones_like(s["dirty"]),
    }
    return merged(s, mask, new)
