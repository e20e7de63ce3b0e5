"""What the sensors of many boards say, as rows of numbers (n_boards, columns)."""

from typing import Any

import numpy as np

from edgetwin.kernel.lanes import LANES
from hw_models.compiled import free, jit

# Fixed head of a row; after it temperatures, rails and clocks in board order.
T_S, ENERGY_J, THROTTLED, CAP_W, OVER_CAP, QOS, REWARD_A, REWARD_B, FAN, DROPPED, HEAD = range(11)


@free
def read_groups(
    f: Any, n: Any, at: Any, boards: Any, per_board: int, first: int, last: int, readings: Any
) -> None:
    """Fill the rows of `readings` of the boards of groups first to last - 1."""
    for g in range(first, last):
        for lane in range(LANES):
            i = g * LANES + lane
            if i < len(readings):
                read_board(f[g], n[g], lane, at[0], boards[g // per_board], readings[i])


@jit
def read_board(f: Any, n: Any, lane: int, at: Any, b: Any, row: Any) -> None:
    """Write what the sensors of one board say now behind the head, and the head's entries."""
    aimed_s = f[at.aimed_s, lane] - f[at.mark_aimed_s, lane]
    step_s = (n[at.t_ns, lane] - n[at.mark_ns, lane]) * 1e-9
    below_s = f[at.below_s, lane] - f[at.mark_below_s, lane]
    over_s = f[at.over_cap_s, lane] - f[at.mark_over_cap_s, lane]
    row[QOS] = below_s / aimed_s if aimed_s > 0.0 else 0.0
    row[OVER_CAP] = over_s / step_s if step_s > 0.0 else 0.0
    row[T_S] = n[at.t_ns, lane] * 1e-9
    total_j = 0.0
    for p in range(b.parts):
        total_j += f[at.energy_j + p, lane]
    row[ENERGY_J] = total_j
    row[THROTTLED] = n[at.throttled, lane]
    row[CAP_W] = f[at.cap_w, lane]
    row[FAN] = n[at.fan, lane]
    row[DROPPED] = 0.0
    k = HEAD
    for z in range(b.zones):
        row[k] = f[at.zone_c + z, lane]
        if np.isnan(row[k]):
            row[DROPPED] = 1.0
        k += 1
    for r in range(b.rails):
        row[k] = f[at.rail_w + r, lane]
        if np.isnan(row[k]):
            row[DROPPED] = 1.0
        k += 1
    for d in range(b.domains):
        row[k] = b.freq_hz[d, n[at.level + d, lane]]
        k += 1


