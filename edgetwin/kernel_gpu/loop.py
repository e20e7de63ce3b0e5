"""The event loop of many boards: each goes from its own event to its next, all at the same time.

What happens at one instant happens in the order of edgetwin/kernel/loop.py. Boards wait for
nobody: while one is in the middle of a control period another may be seconds ahead. When few are
left that have not arrived, those alone go on.
"""

import torch
from torch import Tensor

from edgetwin.kernel.loop import REACHED, SHUT_DOWN
from edgetwin.kernel_gpu.boards import Boards
from edgetwin.kernel_gpu.control import fan_wanted, polled
from edgetwin.kernel_gpu.fields import Tensors
from edgetwin.kernel_gpu.phases import RUNNING, Phases

# No fewer boards go on alone: a pass costs the same for one as for so many.
_FEW = 32


def advance(s: Tensors, b: Boards, end_ns: Tensor, f: Phases) -> tuple[Tensors, Tensor]:
    """Run every board until its end_ns (n,); the state and codes (n,) as the scalar kernel's.

    REACHED, a slot whose job has completed (told again until it is freed) or SHUT_DOWN (once).
    Boards with plans always arrive: what their plans say for end_ns has happened then, and those
    whose end_ns has passed are left alone.
    """
    slots = b.fixed["slots"]
    told = (s["job_serial"] > 0) & (s["job_unit"] < 0)
    slot = torch.where(told, slots, len(slots)).amin(1)
    code = torch.where(slot < len(slots), slot, RUNNING)
    if b.plan:
        code = torch.where(s["t_ns"] > end_ns, REACHED, RUNNING)
    s = _run(s | {"code": code, "end_ns": end_ns}, b, f)
    return {k: v for k, v in s.items() if k not in ("code", "end_ns")}, s["code"]


def _run(s: Tensors, b: Boards, f: Phases) -> Tensors:
    """Pass after pass until no board runs any more.

    A half, a quarter ... of the boards goes on alone, so that few sizes of tensors occur.
    """
    while True:
        runs = s["code"] == RUNNING
        left, size = int(runs.sum()), len(runs)
        if left == 0:
            return s
        while size // 2 >= max(left, _FEW):
            size //= 2
        if size < len(runs):
            index = torch.cat([runs.nonzero()[:, 0], (~runs).nonzero()[:, 0]])[:size]
            some = _run({k: v[index] for k, v in s.items()}, b.take(index), f)
            return {k: v.index_copy(0, index, some[k]) for k, v in s.items()}
        s = _pass(s, b, f)


def _pass(s: Tensors, b: Boards, f: Phases) -> Tensors:
    """One event of every board that runs, and its way to the next."""
    s = _due(s, b, f)
    runs = s["code"] == RUNNING
    sees = runs & (s["sampled"] * b.period_ns <= s["t_ns"])
    if sees.any():
        s = f.sample(_fresh(s, b, f, sees), b, sees)
    while (due := runs & (s["event_ns"] <= s["t_ns"])).any():
        s = f.happen(s, b, due)
    arrived = runs & (s["t_ns"] >= s["end_ns"])
    begins = runs & ~arrived & (s["tick"] * b.period_ns <= s["t_ns"])
    if begins.any():
        s = _begin(s, b, f, begins)
    s = _fresh(s, b, f, runs & (s["code"] == RUNNING))
    s = s | {"code": torch.where(arrived, REACHED, s["code"])}
    return f.settle(s, b, s["code"] == RUNNING)


def _due(s: Tensors, b: Boards, f: Phases) -> Tensors:
    """What is due on boards that run; boards with plans deal with completions themselves."""
    s = f.due(s, b)
    while b.plan and (done := s["code"] >= 0).any():
        s = f.end_job(s, b, done, s["code"].clamp(min=0))
        s = f.due(s | {"code": torch.where(done, RUNNING, s["code"])}, b)
    return s


def _fresh(s: Tensors, b: Boards, f: Phases, mask: Tensor) -> Tensors:
    """The inputs of some boards as they are now."""
    stale = mask & (s["dirty"] != 0)
    return f.refresh(s, b, stale) if stale.any() else s


def _begin(s: Tensors, b: Boards, f: Phases, mask: Tensor) -> Tensors:
    """A control period of some boards; whoever shuts down stops there."""
    was_off = s["off"]
    if b.sizes.fans > 1:
        level = fan_wanted(s, b)
        turns = mask & polled(s, b) & (level != s["fan"])
        s = f.set_fan(s, b, turns, level) if turns.any() else s
    s = f.control(s, b, mask)
    if b.plan:
        return s
    return s | {"code": torch.where(s["off"] != was_off, SHUT_DOWN, s["code"])}
