"""What the sensors of LANES boards say: sensors.py over lanes."""

from typing import Any

import numpy as np

from edgetwin.kernel.batch_heat import true_zone_lanes
from edgetwin.kernel.noise import normal_lanes
from edgetwin.kernel.state import DROPPED, HEALTHY
from hw_models.compiled import merged
from hw_models.lane_functions import (
    bits,
    floats,
    load,
    nearest,
    put,
    where,
    whole,
)


@merged
def sample_lanes(f: Any, n: Any, at: Any, b: Any, mask: Any) -> None:
    """Read every sensor that is due; the boards in mask are at a tick, maybe each at another."""
    tick = load(n, at.sampled)
    for z in range(b.zones):
        due = mask & is_multiple(tick, b.zone_ticks[z], b.law)
        if bits(due) == 0 and not _some_dropped(n, at.zone_fault + z, mask):
            continue
        fault = load(n, at.zone_fault + z)
        c = true_zone_lanes(f, n, at, b, z) + b.zone_offset_k[z]
        if b.zone_noise_k[z] > 0.0:
            c = c + b.zone_noise_k[z] * normal_lanes(load(n, at.key), tick, z)
        put(f, at.zone_c + z, due & (fault == HEALTHY), _rounded(c, b.zone_step_k[z]))
        dropped = (mask & ~(due & (fault == HEALTHY))) & (fault == DROPPED)
        put(f, at.zone_c + z, dropped, np.nan)
    for r in range(b.rails):
        due = mask & is_multiple(tick, b.rail_ticks[r], b.law)
        if bits(due) != 0:
            _sample_rail(f, n, at, b, r, tick, due)
    put(n, at.sampled, mask, tick + 1)


@merged
def multiples(number: Any, step: int, real: Any) -> Any:
    """number // step, exact for whole numbers from 0 to 2^52; real is any array of float64."""
    return whole((floats(number, real) + 0.5) * (1.0 / step))


@merged
def is_multiple(number: Any, step: int, real: Any) -> Any:
    """number % step == 0; see `multiples`."""
    return multiples(number, step, real) * step == number


@merged
def _some_dropped(n: Any, row: int, mask: Any) -> bool:
    return bits(mask & (load(n, row) == DROPPED)) != 0


@merged
def _sample_rail(f: Any, n: Any, at: Any, b: Any, r: int, tick: Any, due: Any) -> None:
    """Mean power of a rail since its last sample, or the power now when there was none."""
    t_ns = load(n, at.t_ns)
    seconds = floats(t_ns - load(n, at.rail_mark_ns + r), f) * 1e-9
    energy_j = floats(0.0, f)
    now_w = floats(0.0, f)
    for p in range(b.parts):
        share = b.rail_covers[r, p]
        energy_j += share * load(f, at.energy_j + p)
        now_w += share * (load(f, at.power_w + p) + load(f, at.leak_w + p))
    mean_w = (energy_j - load(f, at.rail_mark_j + r)) / max(seconds, 1e-12)
    mean_w = where(seconds > 0.0, mean_w, now_w)
    put(f, at.rail_mark_j + r, due, energy_j)
    put(n, at.rail_mark_ns + r, due, t_ns)
    if b.rail_noise[r] > 0.0:
        mean_w = mean_w * (1.0 + b.rail_noise[r] * normal_lanes(load(n, at.key), tick, b.zones + r))
    fault = load(n, at.rail_fault + r)
    put(f, at.rail_w + r, due & (fault == HEALTHY), _rounded(mean_w, b.rail_step_w[r]))
    put(f, at.rail_w + r, due & (fault == DROPPED), np.nan)


@merged
def _rounded(value: Any, step: float) -> Any:
    """The nearest multiple of a sensor's step; a step of zero does not round."""
    if step > 0.0:
        return step * nearest(value / step)
    return value
