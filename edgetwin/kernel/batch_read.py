"""What the sensors of many boards say, as rows of numbers (n_boards, columns)."""

from typing import Any

import numpy as np

from hw_models.compiled import free, inline, merged
from hw_models.lane_arrays import turn, unowned
from hw_models.lane_functions import floats, load, pick, store, where
from hw_models.lanes import LANES

# Fixed head of a row; after it temperatures, rails and clocks in board order.
T_S, ENERGY_J, THROTTLED, CAP_W, OVER_CAP, QOS, REWARD_A, REWARD_B, FAN, DROPPED, HEAD = range(11)


@inline
def is_nan(value: Any) -> Any:
    """True where lanes of floats hold no number."""
    return ~(value == value)  # noqa: PLR0124  as NaN is no number, it is not even itself


@free
def read_groups(
    f: Any, n: Any, at: Any, boards: Any, per_board: int, first: int, last: int, seen: Any,
    readings: Any,
) -> None:  # fmt: skip
    """Fill the rows of `readings` of boards that are seen, of groups first to last - 1."""
    columns = np.zeros((readings.shape[1], LANES))
    f, n, boards, seen, readings = unowned((f, n, boards, seen, readings))
    for g in range(first, last):
        read_group(f[g], n[g], at[0], boards[g // per_board], columns)
        write_rows(columns, g * LANES, seen, readings)


@merged
def write_rows(columns: Any, first: int, seen: Any, out: Any) -> None:
    """Write columns (numbers, LANES) of a group to the rows of out from first on.

    Only those of boards that are seen, (n_boards,); out (n_boards, numbers) may end in the group.
    """
    if len(columns) >= LANES and all_seen(first, seen, out):
        for k in range(0, len(columns) - LANES, LANES):
            turn(columns, k, out, first, k)
        turn(columns, len(columns) - LANES, out, first, len(columns) - LANES)
        return
    for lane in range(min(LANES, len(out) - first)):
        if seen[first + lane]:
            for k in range(len(columns)):
                out[first + lane, k] = columns[k, lane]


@merged
def all_seen(first: int, seen: Any, out: Any) -> bool:
    """Are all LANES boards from first on there, as rows of out, and seen?"""
    found = len(out) - first >= LANES
    for i in range(first, min(first + LANES, len(out))):
        found = found and seen[i]
    return found


@merged
def read_group(f: Any, n: Any, at: Any, b: Any, columns: Any) -> None:
    """Write what the sensors of a group say to columns (columns, LANES): head, then the rest."""
    aimed_s = load(f, at.aimed_s) - load(f, at.mark_aimed_s)
    below_s = load(f, at.below_s) - load(f, at.mark_below_s)
    over_s = load(f, at.over_cap_s) - load(f, at.mark_over_cap_s)
    t_ns = load(n, at.t_ns)
    step_s = floats(t_ns - load(n, at.mark_ns), columns) * 1e-9
    store(columns, QOS, where(aimed_s > 0.0, below_s / aimed_s, 0.0))
    store(columns, OVER_CAP, where(step_s > 0.0, over_s / step_s, 0.0))
    store(columns, T_S, floats(t_ns, columns) * 1e-9)
    total_j = floats(0.0, f)
    for p in range(b.parts):
        total_j += load(f, at.energy_j + p)
    store(columns, ENERGY_J, total_j * b.drawn_per_w)
    store(columns, THROTTLED, load(n, at.throttled))
    store(columns, CAP_W, load(f, at.cap_w))
    store(columns, FAN, load(n, at.fan))
    is_dropped = step_s < 0.0
    k = HEAD
    for z in range(b.zones):
        value = load(f, at.zone_c + z)
        is_dropped = is_dropped | is_nan(value)
        store(columns, k, value)
        k += 1
    for r in range(b.rails):
        value = load(f, at.rail_w + r)
        is_dropped = is_dropped | is_nan(value)
        store(columns, k, value)
        k += 1
    store(columns, DROPPED, where(is_dropped, 1.0, 0.0))
    for d in range(b.domains):
        store(columns, k, pick(b.freq_hz[d], load(n, at.level + d)))
        k += 1


@merged
def hottest_lanes(f: Any, at: Any, b: Any) -> Any:
    """The highest temperature that a sensor of each board reports, -50 degC if none does."""
    hot_c = floats(-50.0, f)
    for z in range(b.zones):
        hot_c = max(hot_c, load(f, at.zone_c + z))
    return min(hot_c, 200.0)
