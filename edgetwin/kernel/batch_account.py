"""Progress and counters of LANES boards while time passes: `account` of passing.py over lanes."""

from typing import Any

from edgetwin.kernel.batch_heat import true_zone_lanes
from edgetwin.kernel.control import below_target
from hw_models.compiled import inline, merged
from hw_models.lane_functions import floats, load, put, where


@inline
def add(rows: Any, row: int, mask: Any, more: Any) -> None:
    """Count up a row where the mask is true."""
    put(rows, row, mask, load(rows, row) + more)


@merged
def account_lanes(
    f: Any, n: Any, at: Any, b: Any, dt_s: Any, mean_w: Any, slots: int, mask: Any
) -> None:
    """Progress of jobs and units, and the counters of key figures; slots: in use at most."""
    aiming = late = floats(0.0, f)
    for j in range(slots):
        here = mask & (load(n, at.job_unit + j) >= 0)
        rate = load(f, at.job_rate + j)
        left = load(f, at.job_left + j)
        work = min(rate * dt_s, left)
        put(f, at.job_left + j, here, left - work)
        put(f, at.job_phase_left + j, here, max(load(f, at.job_phase_left + j) - work, 0.0))
        add(f, at.job_done + j, here, work)
        target = load(f, at.job_target + j)
        aimed = here & (target > 0.0)
        below = aimed & below_target(rate, target)
        add(f, at.job_below_s + j, below, dt_s)
        aiming += where(aimed, 1.0, 0.0)
        late += where(below, 1.0, 0.0)
    add(f, at.aimed_s, mask, aiming * dt_s)
    add(f, at.below_s, mask, late * dt_s)
    for u in range(b.units):
        add(f, at.busy_s + u, mask, load(f, at.busy + u) * dt_s)
    peak_w = (mean_w + load(f, at.peak_extra_w)) * b.drawn_per_w
    put(f, at.peak_w, mask, max(load(f, at.peak_w), peak_w))
    cap_w = load(f, at.cap_w)
    over = mask & (peak_w > cap_w)
    add(f, at.over_cap_s, over, dt_s)
    put(f, at.overshoot, over, max(load(f, at.overshoot), peak_w / cap_w - 1.0))
    add(f, at.throttled_s, mask & (load(n, at.throttled) != 0), dt_s)
    for z in range(b.zones):
        put(f, at.peak_c + z, mask, max(load(f, at.peak_c + z), true_zone_lanes(f, n, at, b, z)))
