"""One exact step of a thermal network between two events, as compiled functions on plain arrays.

In the eigenbasis the linear part is exact for a step of any length. Leakage enters by the
second-order exponential Runge-Kutta scheme ETD2RK (Cox and Matthews 2002,
doi:10.1006/jcph.2002.6995): a predictor with leakage frozen, then leakage linear in time.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw_models.compiled import inline, jit
from hw_models.power import leakage_shape

Array = NDArray[np.float64]

# log2(e), and ln(2) in two parts: 33 bits, of which multiples are exact, and the rest
_LOG2_E, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10


@inline
def exp_minus(x: float) -> float:
    """exp(-x) for x >= 0, to 1e-15; 1e-304 for x above 700.

    -x = r - k ln(2) with |r| <= ln(2) / 2, Taylor's series for exp(r), 2^-k by its bits.
    """
    x = min(x, 700.0)
    k = np.floor(x * _LOG2_E + 0.5)
    r = (k * _LN2_HIGH - x) + k * _LN2_LOW
    p = ((r / 6227020800.0 + 1.0 / 479001600.0) * r + 1.0 / 39916800.0) * r + 1.0 / 3628800.0
    p = (((p * r + 1.0 / 362880.0) * r + 1.0 / 40320.0) * r + 1.0 / 5040.0) * r + 1.0 / 720.0
    p = (((p * r + 1.0 / 120.0) * r + 1.0 / 24.0) * r + 1.0 / 6.0) * r + 0.5
    p = (p * r + 1.0) * r + 1.0
    bits = np.int64((np.int64(1023) - np.int64(k)) << np.int64(52))
    shrunk: float = p * bits.view(np.float64)
    return shrunk


@jit
def exponentials(rate_hz: Array, dt_s: float, decay: Array, phi1: Array, phi2: Array) -> None:
    """Fill exp(-x), (1 - exp(-x)) / rate and (dt - phi1) / x for x = rate * dt, each (n,).

    rate_hz (n,) in 1/s, positive. phi1 and phi2 are in seconds.
    """
    for i in range(rate_hz.shape[0]):  # no branches, no calls: the compiler makes vectors of it
        x = rate_hz[i] * dt_s
        few = 1.0 - x / 6.0 * (1.0 - x / 7.0 * (1.0 - x / 8.0))
        few = 1.0 - x / 3.0 * (1.0 - x / 4.0 * (1.0 - x / 5.0 * few))
        few = x * (1.0 - x / 2.0 * few)  # 1 - exp(-x) without cancellation, to 1e-16
        gone = few if x < 0.05 else 1.0 - exp_minus(x)
        decay[i] = 1.0 - gone
        first = gone / rate_hz[i]
        phi1[i] = first
        series = dt_s * (0.5 - x * (1.0 / 6.0 - x * (1.0 / 24.0 - x / 120.0)))
        phi2[i] = series if x < 1e-3 else (dt_s - first) / x


@jit
def heat_inputs(
    modes: Array,
    power_w: Array,
    gain_w: Array,
    law: Array,
    inflow: Array,
    see: Array,
    heat: Array,
    leak_w: Array,
    push: Array,
) -> None:
    """Fill leak_w (m,) and push (n,), the modal heating, for new inputs at these temperatures.

    Arguments as in `heat_step`; inflow (n,) is the modal heating by the ambient and may be push.
    """
    n = modes.shape[0]
    m = power_w.shape[0]
    for j in range(m):
        leak_w[j] = 0.0
    for i in range(n):
        row = see[i]
        for j in range(m):
            leak_w[j] += row[j] * modes[i]
    for j in range(m):
        leak_w[j] = gain_w[j] * leakage_shape(
            leak_w[j], law[0], law[1], law[2], law[3], law[4], law[5]
        )
    for i in range(n):
        row = heat[i]
        more = inflow[i]
        for j in range(m):
            more += row[j] * (power_w[j] + leak_w[j])
        push[i] = more


@jit
def heat_step(
    dt_s: float,
    modes: Array,
    push: Array,
    leak_w: Array,
    power_w: Array,
    gain_w: Array,
    law: Array,
    see: Array,
    heat: Array,
    rate_hz: Array,
    decay: Array,
    phi1: Array,
    phi2: Array,
    energy_j: Array,
    modes_integral: Array,
    change_w: Array,
) -> None:
    """One step of constant switching power, with leakage linear in time; all in place.

    modes (n,) modal temperatures; push (n,) and leak_w (m,) from `heat_inputs` or the step
    before; power_w (m,) switching power and gain_w (m,) leakage at the reference temperature;
    law (6,): reference_c, c1, c2, c3, low_c, high_c; see (n, m) from modes to parts, heat (n, m)
    from the power of parts to modes; rate_hz, decay, phi1, phi2 (n,) from `exponentials`; energy_j
    (m,) and modes_integral (n,) counters; change_w (m,) scratch. The leakage at the predicted
    temperature serves as the next step's first value (predict, evaluate, correct).
    """
    n = modes.shape[0]
    m = power_w.shape[0]
    for j in range(m):
        change_w[j] = 0.0
    for i in range(n):
        start = modes[i]
        predicted = decay[i] * start + phi1[i] * push[i]
        modes_integral[i] += (start + push[i] * dt_s - predicted) / rate_hz[i]
        modes[i] = predicted
        row = see[i]
        for j in range(m):
            change_w[j] += row[j] * predicted
    half_s = 0.5 * dt_s
    for j in range(m):
        grown_w = gain_w[j] * leakage_shape(
            change_w[j], law[0], law[1], law[2], law[3], law[4], law[5]
        )
        energy_j[j] += power_w[j] * dt_s + (leak_w[j] + grown_w) * half_s
        change_w[j] = grown_w - leak_w[j]
        leak_w[j] = grown_w
    for i in range(n):
        row = heat[i]
        more = 0.0
        for j in range(m):
            more += row[j] * change_w[j]
        modes[i] += phi2[i] * more
        modes_integral[i] += more * (half_s - phi2[i]) / rate_hz[i]
        push[i] += more


@jit
def part_heat_w(temps_c: Array, part_node: Any, power_w: Array, gain_w: Array, law: Array) -> Array:
    """What every part draws, (m,): power_w and leakage at the temperature of its node."""
    drawn_w = np.zeros(power_w.shape[0])
    for j in range(power_w.shape[0]):
        shape = leakage_shape(temps_c[part_node[j]], law[0], law[1], law[2], law[3], law[4], law[5])
        drawn_w[j] = power_w[j] + gain_w[j] * shape
    return drawn_w
