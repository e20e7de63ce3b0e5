"""What the sensors of a board make of the truth: sampling, averaging, rounding, noise, faults."""

from typing import Any

import numpy as np

from edgetwin.kernel.noise import normal_lanes
from edgetwin.kernel.state import DROPPED, HEALTHY
from hw_models.compiled import inline, jit
from hw_models.lane_functions import first, whole


@jit
def sample(s: Any, b: Any) -> None:
    """Read every sensor that is due at this tick."""
    tick = s.sampled
    for z in range(b.zones):
        if tick % b.zone_ticks[z] == 0 and s.zone_fault[z] == HEALTHY:
            c = true_zone_c(s, b, z) + b.zone_offset_k[z]
            c += b.zone_noise_k[z] * gauss(s.key, tick, z)
            s.zone_c[z] = rounded(c, b.zone_step_k[z])
        elif s.zone_fault[z] == DROPPED:
            s.zone_c[z] = np.nan
    for r in range(b.rails):
        if tick % b.rail_ticks[r] == 0:
            _sample_rail(s, b, r, tick)
    s.sampled = tick + 1


@jit
def _sample_rail(s: Any, b: Any, r: int, tick: int) -> None:
    """Mean power of a rail since its last sample, or the power now when there was none."""
    seconds = (s.t_ns - s.rail_mark_ns[r]) * 1e-9
    energy_j = 0.0
    for p in range(b.parts):
        energy_j += b.rail_covers[r, p] * s.energy_j[p]
    mean_w = 0.0
    if seconds > 0.0:
        mean_w = (energy_j - s.rail_mark_j[r]) / seconds
    else:
        for p in range(b.parts):
            mean_w += b.rail_covers[r, p] * part_w(s, b, p)
    s.rail_mark_j[r] = energy_j
    s.rail_mark_ns[r] = s.t_ns
    if s.rail_fault[r] == HEALTHY:
        noise = 1.0 + b.rail_noise[r] * gauss(s.key, tick, b.zones + r)
        s.rail_w[r] = rounded(mean_w * noise, b.rail_step_w[r])
    elif s.rail_fault[r] == DROPPED:
        s.rail_w[r] = np.nan


@jit
def part_w(s: Any, b: Any, p: int) -> float:
    """Power of one part at this instant."""
    return s.power_w[p] + s.leak_w[p]


@jit
def true_zone_c(s: Any, b: Any, z: int) -> float:
    """Temperature at a sensor, before the sensor has its say."""
    c = 0.0
    for i in range(b.nodes):
        c += b.see_zone[s.fan, z, i] * s.modes[i]
    return c


@inline
def rounded(value: float, step: float) -> float:
    """The nearest multiple of a sensor's step; a step of zero does not round."""
    if step > 0.0:
        return step * np.rint(value / step)
    return value


@jit
def gauss(key: Any, tick: int, channel: int) -> float:
    """A standard normal number that depends on (key, tick, channel) alone."""
    return first(normal_lanes(whole(np.int64(key)), whole(tick), channel))
