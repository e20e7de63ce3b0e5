"""What the outside may do to one board of a batch between two runs: orders.py on rows.

f (float_rows, LANES) and n (whole_rows, LANES) are the board's group, lane its place in it.
"""

from typing import Any

from hw_models.compiled import merged
from hw_models.lane_functions import bits, load, store
from hw_models.lanes import LANES


@merged
def migrate_board(n: Any, lane: int, at: Any, b: Any, slot: int, unit: int) -> None:
    """Move a running job; see `migrate`."""
    before = n[at.job_unit + slot, lane]
    if before == unit:
        return
    n[at.skip + b.unit_domain[before], lane] = 1
    n[at.skip + b.unit_domain[unit], lane] = 1
    n[at.job_unit + slot, lane] = unit
    hold_ns = n[at.t_ns, lane] + b.migration_ns if b.migration_ns > 0 else 0
    n[at.job_hold_ns + slot, lane] = hold_ns
    n[at.migrations, lane] += 1
    n[at.dirty, lane] = 1


@merged
def change_batch_board(
    f: Any, n: Any, lane: int, at: Any, slot: int, row: int, share: float
) -> None:
    """Train on with another batch size, whose demand is one row; see `change_batch`.

    share: work in all with this batch size, over that with the one before.
    """
    f[at.job_left + slot, lane] *= share
    n[at.job_row + slot, lane] = row
    n[at.dirty, lane] = 1


@merged
def mark_group(f: Any, n: Any, at: Any) -> None:
    """Note the counters at the start of a step; `read_group` tells what has come since."""
    store(f, at.mark_below_s, load(f, at.below_s))
    store(f, at.mark_aimed_s, load(f, at.aimed_s))
    store(f, at.mark_over_cap_s, load(f, at.over_cap_s))
    store(n, at.mark_ns, load(n, at.t_ns))


@merged
def over_group(n: Any, at: Any) -> int:
    """The boards (bits) of a group that are over; see `is_over`."""
    asked = bits((load(n, at.off) != 0) | (load(n, at.until_done) != 0))
    found = 0
    for lane in range(LANES):
        if (asked >> lane) & 1 and is_over(n, lane, at):
            found |= 1 << lane
    return found


@merged
def is_over(n: Any, lane: int, at: Any) -> bool:
    """Off; or, where the run ends with its jobs, when the last of them has ended."""
    if n[at.off, lane]:
        return True
    if not n[at.until_done, lane] or n[at.to_come, lane] > 0 or n[at.waiting, lane] > 0:
        return False
    running = 0
    for j in range(n[at.slots, lane]):
        running += n[at.job_serial + j, lane] > 0
    return running == 0
