"""One exact step of a thermal network between two events, as compiled functions on plain arrays.

In the eigenbasis the linear part is exact for a step of any length. Leakage enters by the
second-order exponential Runge-Kutta scheme ETD2RK (Cox and Matthews 2002,
doi:10.1006/jcph.2002.6995): a predictor with leakage frozen, then leakage linear in time.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw_models.compiled import inline, jit, merged
from hw_models.lane_arrays import lane_rows
from hw_models.lane_bits import two_to
from hw_models.lane_functions import floats, load, nearest, store, where
from hw_models.lanes import LANES
from hw_models.power import leakage_shape

Array = NDArray[np.float64]

# ln(2) in two parts: 33 bits, of which multiples are exact, and the rest
_PER_LN2, _LN2_HIGH, _LN2_LOW = 1.4426950408889634, 0.6931471803691238, 1.9082149292705877e-10


@inline
def exp_less_1(x: Any) -> Any:
    """(k, q) with exp(x) = 2^k * (1 + q), for x from -700 to 0; k is a whole number."""
    k = nearest(x * _PER_LN2)
    r = x - k * _LN2_HIGH - k * _LN2_LOW
    q = 1.0 / 39916800.0 + r * (1.0 / 479001600.0)
    q = 1.0 / 362880.0 + r * (1.0 / 3628800.0 + r * q)
    q = 1.0 / 5040.0 + r * (1.0 / 40320.0 + r * q)
    q = 1.0 / 120.0 + r * (1.0 / 720.0 + r * q)
    q = 1.0 / 6.0 + r * (1.0 / 24.0 + r * q)
    return k, r + r * r * (0.5 + r * q)


@jit
def exponentials(tau_s: Array, dt_s: float, decay: Array, phi1: Array, phi2: Array) -> None:
    """Fill exp(-x), (1 - exp(-x)) * tau and (dt - phi1) / x for x = dt / tau, each (n,).

    tau_s (n,) time constants, positive. phi1 and phi2 are in seconds. Arrays are `wide`.
    """
    per_dt_hz = 1.0 / dt_s
    for lane in range(tau_s.shape[0] // LANES):
        tau = load(tau_s, lane)
        x = dt_s / tau
        k, q = exp_less_1(max(-x, -700.0))
        gone = where(k == 0.0, -q, 1.0 - two_to(k) * (1.0 + q))
        first = gone * tau
        series = (0.5 - x * (1.0 / 6.0 - x * (1.0 / 24.0 - x * (1.0 / 120.0)))) * dt_s
        store(decay, lane, 1.0 - gone)
        store(phi1, lane, first)
        store(phi2, lane, where(x < 1e-3, series, (dt_s - first) * (tau * per_dt_hz)))


# Lanes that `_applied` sums at a time; rows are as wide as a whole number of such groups.
_GROUP = 3


def wide(array: Array, fill: float = 0.0) -> Array:
    """The array with its last axis filled up to whole groups of lanes, as `heat_step` takes it."""
    count = array.shape[-1]
    found: Array = lane_rows((*array.shape[:-1], count + -count % (_GROUP * LANES)))
    found[..., :count] = array
    if fill:
        found[..., count:] = fill
    return found


@inline
def _applied(table: Any, values: Any, count: int, lane: int) -> Any:
    """Three lanes of values (count,) times table (count, w).

    Two sums a lane, each over half of the rows: an addition waits for the one before.
    """
    per_row = table.shape[1] // LANES
    half = count // 2
    last = per_row * (count - 1) + lane
    odd = values[count - 1] * (count % 2)
    a = load(table, last) * odd
    b = load(table, last + 1) * odd
    c = load(table, last + 2) * odd
    d = e = f = floats(0.0, table)
    for i in range(half):
        at = per_row * i + lane
        a = a + load(table, at) * values[i]
        b = b + load(table, at + 1) * values[i]
        c = c + load(table, at + 2) * values[i]
        at = at + per_row * half
        d = d + load(table, at) * values[i + half]
        e = e + load(table, at + 1) * values[i + half]
        f = f + load(table, at + 2) * values[i + half]
    return a + d, b + e, c + f


@inline
def _leaked(at_c: Any, lane: int, gain_w: Any, law: Any) -> Any:
    """Leakage of a lane of parts at at_c."""
    return load(gain_w, lane) * leakage_shape(at_c, law[0], law[1], law[2], law[3], law[4], law[5])


@inline
def _draw(
    at_c: Any, lane: int, power_w: Any, gain_w: Any, law: Any, leak_w: Any, drawn_w: Any
) -> None:
    """Leakage of a lane of parts at at_c, and what they draw with it."""
    leaked_w = _leaked(at_c, lane, gain_w, law)
    store(leak_w, lane, leaked_w)
    store(drawn_w, lane, load(power_w, lane) + leaked_w)


@merged
def heat_inputs(
    n: int,
    m: int,
    modes: Array,
    power_w: Array,
    gain_w: Array,
    law: Array,
    inflow: Array,
    see: Array,
    heat: Array,
    leak_w: Array,
    push: Array,
    drawn_w: Array,
) -> None:
    """Fill leak_w and push, the modal heating, for new inputs at these temperatures.

    Arguments as in `heat_step`; inflow is the modal heating by the ambient and may be push;
    drawn_w (m,) scratch.
    """
    for lane in range(0, see.shape[1] // LANES, _GROUP):
        a, b, c = _applied(see, modes, n, lane)
        _draw(a, lane, power_w, gain_w, law, leak_w, drawn_w)
        _draw(b, lane + 1, power_w, gain_w, law, leak_w, drawn_w)
        _draw(c, lane + 2, power_w, gain_w, law, leak_w, drawn_w)
    for lane in range(0, heat.shape[1] // LANES, _GROUP):
        a, b, c = _applied(heat, drawn_w, m, lane)
        store(push, lane, load(inflow, lane) + a)
        store(push, lane + 1, load(inflow, lane + 1) + b)
        store(push, lane + 2, load(inflow, lane + 2) + c)


@inline
def _grow(
    at_c: Any, lane: int, dt_s: float, power_w: Any, gain_w: Any, law: Any, leak_w: Any,
    energy_j: Any, change_w: Any,
) -> None:  # fmt: skip
    """Leakage of a lane of parts at the end of a step, and what they have drawn in it."""
    grown_w = _leaked(at_c, lane, gain_w, law)
    before_w = load(leak_w, lane)
    used_j = load(power_w, lane) * dt_s + (before_w + grown_w) * (0.5 * dt_s)
    store(energy_j, lane, load(energy_j, lane) + used_j)
    store(change_w, lane, grown_w - before_w)
    store(leak_w, lane, grown_w)


@inline
def _correct(more: Any, lane: int, modes: Any, push: Any, phi2: Any) -> None:
    """The effect of heating that grew by more, in a lane of modes."""
    store(modes, lane, load(modes, lane) + load(phi2, lane) * more)
    store(push, lane, load(push, lane) + more)


@merged
def heat_step(
    n: int,
    m: int,
    dt_s: float,
    modes: Array,
    push: Array,
    leak_w: Array,
    power_w: Array,
    gain_w: Array,
    law: Array,
    see: Array,
    heat: Array,
    decay: Array,
    phi1: Array,
    phi2: Array,
    energy_j: Array,
    change_w: Array,
) -> None:
    """One step of constant switching power, with leakage linear in time; all in place.

    n modes and m parts. modes (n,) modal temperatures; push (n,) and leak_w (m,) from `heat_inputs`
    or the step before; power_w (m,) switching power and gain_w (m,) leakage at the reference
    temperature; law (6,): reference_c, c1, c2, c3, low_c, high_c; see (n, m) from modes to parts,
    heat (m, n) from the power of parts to modes; decay, phi1, phi2 (n,) from `exponentials`;
    energy_j (m,) counts; change_w (m,) scratch. The leakage at the predicted temperature serves as
    the next step's first value (predict, evaluate, correct). Last axes are contiguous and filled up
    (`wide`).
    """
    for lane in range(heat.shape[1] // LANES):
        start, pushed = load(modes, lane), load(push, lane)
        store(modes, lane, load(decay, lane) * start + load(phi1, lane) * pushed)
    for lane in range(0, see.shape[1] // LANES, _GROUP):
        a, b, c = _applied(see, modes, n, lane)
        _grow(a, lane, dt_s, power_w, gain_w, law, leak_w, energy_j, change_w)
        _grow(b, lane + 1, dt_s, power_w, gain_w, law, leak_w, energy_j, change_w)
        _grow(c, lane + 2, dt_s, power_w, gain_w, law, leak_w, energy_j, change_w)
    for lane in range(0, heat.shape[1] // LANES, _GROUP):
        a, b, c = _applied(heat, change_w, m, lane)
        _correct(a, lane, modes, push, phi2)
        _correct(b, lane + 1, modes, push, phi2)
        _correct(c, lane + 2, modes, push, phi2)


@jit
def part_heat_w(temps_c: Array, part_node: Any, power_w: Array, gain_w: Array, law: Array) -> Array:
    """What every part draws, (m,): power_w and leakage at the temperature of its node."""
    drawn_w = np.zeros(power_w.shape[0])
    for j in range(power_w.shape[0]):
        shape = leakage_shape(temps_c[part_node[j]], law[0], law[1], law[2], law[3], law[4], law[5])
        drawn_w[j] = power_w[j] + gain_w[j] * shape
    return drawn_w
