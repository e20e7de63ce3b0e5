"""Training time and power over batch size and power limit, or GPU clock: the physical form.

For a fixed number of samples (an epoch), with the clock x relative to the highest one:

    host    H = c b_h / b                         launches, per step
    compute C = c (1 + b_c / b) (1 + (b/B)^2)^g_c  at the highest clock; small batches fill it badly
    step    S = roof(C / x, H, q)                 launches run ahead of the GPU
    rest    R = c r (1 + (b/B)^2)^g_r             what overlaps with nothing: data, validation
    time    T = S + R
    while stepping W = w_s + w_d b/(b + b_w) e(x) C / S,  mean power P = (W S + w_s R) / T

e(x) is the energy of a cycle, proportional to V^2: flat below the clock at which the voltage leaves
its floor, steep above. Under a limit L the clock is the highest with W <= a L, between the lowest
clock and 1; the edge is rounded, because a limit acts on a moving average.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hw_models.compiled import inline, jit
from hw_models.performance import roof_s

Array = NDArray[np.float64]

# The parameters, in order; COMPUTE_S and the powers carry units, the others are ratios or batches.
NAMES: Final = (
    "compute_s", "compute_half_batch", "host_batch", "overlap", "rest_ratio", "compute_growth",
    "rest_growth", "static_w", "dynamic_w", "power_half_batch", "floor_gain", "clock_exponent",
    "limit_ratio", "lowest_clock", "edge",
)  # fmt: skip
OF_LIMIT: Final = NAMES[-3:]  # without meaning where the clock itself is set
_COMPUTE_S, _FILL, _HOST, _OVERLAP, _REST, _GROW, _GROW_REST, _STATIC, _DYNAMIC, _WIDE = range(10)
_GAIN, _EXPONENT, _RATIO, _LOWEST, _EDGE = range(10, 15)

_BEND: Final = 6.0  # roundness of the voltage's knee
_SOFT: Final = 0.03  # of the static power: how softly a limit below it ends


@inline
def _ln_cycle(z: float, gain: float, exponent: float) -> tuple[float, float, float, float]:
    """ln energy of a cycle at clock e^z over that at 1; slopes against z, ln gain, ln exponent.

    gain is 1 / (V_floor / V_top)^2.
    """
    ratio, floor = 1.0 / exponent - 1.0, gain**-_BEND
    steep = np.exp(_BEND * ratio * z)
    share = steep / (floor + steep)
    ln = (np.log(floor + steep) - np.log(floor + 1.0)) / _BEND
    by_gain = floor / (floor + 1.0) - floor / (floor + steep)
    return ln, ratio * share, by_gain, -share * z / exponent


@inline
def _ln_step(compute: float, host: float, q: float) -> tuple[float, float, float]:
    """ln of the step's roofline; slopes against ln compute (1 less that of ln host) and ln q."""
    step = roof_s(compute, host, q)
    ln_compute, ln_host = np.log(compute / step), np.log(host / step)
    share = np.exp(q * ln_compute)
    return np.log(step), share, share * ln_compute + (1.0 - share) * ln_host


@jit
def _clock_under(
    ln_room: float, compute: float, host: float, q: float, gain: float, exponent: float
) -> float:
    """ln of the clock at which cycles draw e^ln_room of the dynamic power, by safe Newton steps."""
    low, high, z = -6.0, 5.0, 0.0
    for k in range(60):
        ln_cycle, steep, _, _ = _ln_cycle(z, gain, exponent)
        step, share, _ = _ln_step(compute * np.exp(-z), host, q)
        over = ln_cycle + np.log(compute) - step - ln_room
        if over > 0.0:
            high = z
        else:
            low = z
        new = z - over / (steep + share)
        if k < 4 or not low <= new <= high:
            new = 0.5 * (low + high)
        if abs(new - z) < 1e-13:
            break
        z = new
    return z


@jit
def _limited(
    p: Array, limit_w: float, parts: tuple[float, float, float], slopes: Array, by: Array
) -> float:
    """ln of the clock under a limit, by (15,) filled with its slopes.

    parts are compute, host and dynamic power at the highest clock; slopes (3, 15) theirs.
    """
    compute, host, dynamic_w = parts
    soft_w, allowed_w = _SOFT * p[_STATIC], p[_RATIO] * limit_w
    u = (allowed_w - p[_STATIC]) / soft_w
    plus = u if u > 30.0 else np.log1p(np.exp(u))
    open_share = 1.0 / (1.0 + np.exp(-u)) * allowed_w / (soft_w * plus)
    ln_room = np.log(soft_w * plus / dynamic_w)
    z = _clock_under(ln_room, compute, host, p[_OVERLAP], p[_GAIN], p[_EXPONENT])
    _, steep, by_gain, by_exponent = _ln_cycle(z, p[_GAIN], p[_EXPONENT])
    _, share, bend = _ln_step(compute * np.exp(-z), host, p[_OVERLAP])
    by[:] = -slopes[2] - (1.0 - share) * (slopes[0] - slopes[1])
    by[_OVERLAP] += bend
    by[_GAIN] -= by_gain
    by[_EXPONENT] -= by_exponent
    by[_RATIO] += open_share
    by[_STATIC] += 1.0 - open_share
    by /= steep + share
    ln_low = np.log(p[_LOWEST])
    above = 1.0 / (1.0 + np.exp(8.0 * (ln_low - z)))
    z = max(z, ln_low) + np.log1p(np.exp(-8.0 * abs(z - ln_low))) / 8.0
    by *= above
    by[_LOWEST] += 1.0 - above
    k = p[_EDGE]
    below = 1.0 / (1.0 + np.exp(k * z))
    by *= below
    rounded: float = np.log1p(np.exp(-k * z)) / k
    by[_EDGE] += rounded + below * z
    return -rounded


@jit
def ln_grid_slopes(
    ln: Array, batch: Array, setting: Array, is_limit: bool, scale: Array
) -> tuple[Array, Array]:
    """ln of the time of n cells, then of their power, (2n,), and slopes (2n, 15) against ln.

    ln (15,) are the logarithms of the parameters in the order of NAMES; batch and setting (n,), a
    limit in watts or a clock in Hz; scale (2,) the batch B and the highest clock.
    """
    p, n = np.exp(ln), len(batch)
    found, by = np.empty(2 * n), np.zeros((2 * n, len(ln)))
    for i in range(n):
        b, ln_grown = batch[i], np.log1p((batch[i] / scale[0]) ** 2)
        compute = (1.0 + p[_FILL] / b) * np.exp(p[_GROW] * ln_grown)
        host, dynamic_w = p[_HOST] / b, p[_DYNAMIC] * b / (b + p[_WIDE])
        rest = p[_REST] * np.exp(p[_GROW_REST] * ln_grown)
        slopes, by_clock = np.zeros((3, len(ln))), np.zeros(len(ln))
        slopes[0, _FILL], slopes[0, _GROW] = p[_FILL] / (b + p[_FILL]), p[_GROW] * ln_grown
        slopes[1, _HOST] = slopes[2, _DYNAMIC] = 1.0
        slopes[2, _WIDE] = -p[_WIDE] / (b + p[_WIDE])
        z = np.log(setting[i] / scale[1])
        if is_limit:
            z = _limited(p, setting[i], (compute, host, dynamic_w), slopes, by_clock)
        ln_step, share, bend = _ln_step(compute * np.exp(-z), host, p[_OVERLAP])
        by_step = share * (slopes[0] - by_clock) + (1.0 - share) * slopes[1]
        by_step[_OVERLAP] += bend
        busy = 1.0 / (1.0 + rest * np.exp(-ln_step))
        by_taken = busy * by_step
        by_taken[_REST] += 1.0 - busy
        by_taken[_GROW_REST] += (1.0 - busy) * p[_GROW_REST] * ln_grown
        ln_taken = ln_step - np.log(busy)
        ln_cycle, steep, by_gain, by_exponent = _ln_cycle(z, p[_GAIN], p[_EXPONENT])
        drawn_w = dynamic_w * compute * np.exp(ln_cycle - ln_taken)
        by_drawn = slopes[2] + slopes[0] + steep * by_clock - by_taken
        by_drawn[_GAIN] += by_gain
        by_drawn[_EXPONENT] += by_exponent
        found[i], found[n + i] = ln[_COMPUTE_S] + ln_taken, np.log(p[_STATIC] + drawn_w)
        by[i] = by_taken
        by[i, _COMPUTE_S] = 1.0
        by[n + i] = by_drawn * drawn_w / (p[_STATIC] + drawn_w)
        by[n + i, _STATIC] += p[_STATIC] / (p[_STATIC] + drawn_w)
    return found, by


def ln_grid(ln: Array, batch: Array, setting: Array, is_limit: bool, scale: Array) -> Array:
    """ln of time and power, (2, n), of cells; arguments as in `ln_grid_slopes`."""
    found: Array = ln_grid_slopes(ln, batch, setting, is_limit, scale)[0].reshape(2, len(batch))
    return found
