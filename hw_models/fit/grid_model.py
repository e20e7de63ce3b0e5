"""Training time and power over batch size and power limit, or GPU clock: the physical form.

For a fixed number of samples (an epoch), with the clock x relative to the highest one:

    host    H = c b_h / b                         launches, per step
    compute C = c (1 + b_c / b) exp(g_c (b/B)^2)  at the highest clock; small batches fill it badly
    step    S = roof(C / x, H, q)                 launches run ahead of the GPU
    rest    R = c r exp(g_r (b/B)^2)              what overlaps with nothing: data, validation
    time    T = S + R
    while stepping W = w_s + w_d b/(b + b_w) e(x) C / S,  mean power P = (W S + w_s R) / T

e(x) is the energy of a cycle, proportional to V^2: flat below the clock at which the voltage leaves
its floor, steep above. Under a limit L the clock is the highest with W <= a L, between the lowest
clock and 1; the edge is rounded, because a limit acts on a moving average.
"""

from typing import Any, Final

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

_BEND: Final = 6.0  # roundness of the voltage's knee
_SOFT: Final = 0.03  # of the static power: how softly a limit below it ends


@inline
def _cycle_energy(x: float, gain: float, exponent: float) -> float:
    """Energy of a cycle relative to that at x = 1; gain is 1 / (V_floor / V_top)^2."""
    floor = gain**-_BEND
    top = (floor + 1.0) ** (1.0 / _BEND)
    cycle: float = (floor + x ** (_BEND * (1.0 / exponent - 1.0))) ** (1.0 / _BEND) / top
    return cycle


@jit
def _clock_under(
    dynamic_w: float, room_w: float, compute: float, host: float, q: float, gain: float,
    exponent: float,
) -> float:  # fmt: skip
    """ln of the clock at which dynamic power reaches room_w, by bisection and Newton's steps."""
    low, high = -6.0, 5.0
    ratio = 1.0 / exponent - 1.0
    z = 0.0
    for k in range(40):
        x = np.exp(z)
        step = roof_s(compute / x, host, q)
        over = np.log(dynamic_w * _cycle_energy(x, gain, exponent) * compute / step / room_w)
        if over > 0.0:
            high = z
        else:
            low = z
        steep = x ** (_BEND * ratio)
        slope = ratio * steep / (gain**-_BEND + steep) + (compute / x / step) ** q
        new = z - over / slope
        if k < 7 or not low <= new <= high:
            new = 0.5 * (low + high)
        if abs(new - z) < 1e-13:
            break
        z = new
    return z


@jit
def ln_grid(ln: Array, batch: Array, setting: Array, is_limit: bool, scale: Array) -> Array:
    """ln of time and power, (2, n), of cells with batch (n,) and setting (n,).

    ln (15,) are the logarithms of the parameters in the order of NAMES; setting is a limit in
    watts or a clock in Hz; scale (2,) the batch B and the highest clock.
    """
    p = np.exp(ln)
    found = np.empty((2, len(batch)))
    for i in range(len(batch)):
        b, grown = batch[i], (batch[i] / scale[0]) ** 2
        compute = (1.0 + p[1] / b) * np.exp(p[5] * grown)
        host, rest = p[2] / b, p[4] * np.exp(p[6] * grown)
        dynamic_w = p[8] * b / (b + p[9])
        if is_limit:
            soft_w = _SOFT * p[7]
            room_w = (p[12] * setting[i] - p[7]) / soft_w
            room_w = soft_w * (room_w if room_w > 30.0 else np.log1p(np.exp(room_w)))
            x = np.exp(_clock_under(dynamic_w, room_w, compute, host, p[3], p[10], p[11]))
            x = (x**8.0 + p[13] ** 8.0) ** 0.125
            x = (x ** -p[14] + 1.0) ** (-1.0 / p[14])
        else:
            x = setting[i] / scale[1]
        step = roof_s(compute / x, host, p[3])
        busy = step / (step + rest)
        found[0, i] = np.log(p[0] * (step + rest))
        cycles_w = dynamic_w * _cycle_energy(x, p[10], p[11]) * compute / step
        found[1, i] = np.log(p[7] + cycles_w * busy)
    return found


@jit
def ln_grid_slopes(
    ln: Array, batch: Array, setting: Array, is_limit: bool, scale: Array
) -> tuple[Any, Any]:
    """`ln_grid` flattened to (2n,), and its slopes (2n, 15) by central differences.

    Differences of 1e-4 in the logarithm are exact to about 1e-7.
    """
    n, h = len(batch), 1e-4
    here = ln_grid(ln, batch, setting, is_limit, scale).ravel()
    slopes = np.empty((2 * n, len(ln)))
    for k in range(len(ln)):
        moved = ln.copy()
        moved[k] = ln[k] + h
        up = ln_grid(moved, batch, setting, is_limit, scale).ravel()
        moved[k] = ln[k] - h
        slopes[:, k] = (up - ln_grid(moved, batch, setting, is_limit, scale).ravel()) / (2.0 * h)
    return here, slopes
