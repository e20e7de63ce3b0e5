"""What a step of a vector environment asks of every action, and of every episode at its end."""

from typing import Any

from hw_models.compiled import free
from hw_models.lanes import LANES


@free
def are_inside(parts: Any, ends: Any) -> bool:
    """Are all parts of actions (n, parts) from 0 up to, but without, their ends (parts,)?"""
    inside = True
    for i in range(len(parts)):
        for k in range(len(ends)):
            inside = inside and 0 <= parts[i, k] < ends[k]
    return inside


@free
def end_steps(
    n: Any, at: Any, frozen: Any, end_ns: Any, most_steps: int, steps: Any, rewards: Any,
    terminated: Any, truncated: Any, done: Any,
) -> bool:  # fmt: skip
    """Count the steps, say which episodes are cut short or done; is any?

    Boards in frozen have only begun: no reward, no end. All but n and at are (n_boards,).
    """
    t_ns = at[0].t_ns
    some = False
    for i in range(len(done)):
        if frozen[i]:
            steps[i] = 0
            rewards[i] = 0.0
            terminated[i] = truncated[i] = done[i] = False
            continue
        steps[i] += 1
        g, lane = divmod(i, LANES)
        truncated[i] = n[g, t_ns, lane] >= end_ns[i] or steps[i] >= most_steps
        done[i] = terminated[i] or truncated[i]
        some = some or done[i]
    return some
