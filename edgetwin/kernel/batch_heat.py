"""The thermal step of LANES boards at once: two small dense products and a polynomial.

The equations are those of hw_models/heat.py, laid out over lanes; tests hold one against the
other. Boards of a group may differ in the length of the step and in the level of their fans.
"""

from typing import Any

from edgetwin.kernel.batch_work import CHANGE, DECAY, PHI1, PHI2, SEEN
from hw_models.compiled import merged
from hw_models.heat import exp_less_1
from hw_models.lane_bits import two_to
from hw_models.lane_functions import bits, floats, load, put, store, where
from hw_models.power import leakage_shape


@merged
def through(matrix: Any, x: Any, at: int, n: int, m: int, y: Any, to: int) -> None:
    """y[to + j] = sum over i < n of matrix[i, j] * x[at + i], for j < m.

    matrix (n, m) as see or heat of `heat_step`; rows of x and y are lanes. Six sums at a time stay
    in registers; the rows up to the next multiple of six are written, too.
    """
    for j in range(0, m, 6):
        a = b = c = d = e = f = floats(0.0, x)
        for i in range(n):
            row = load(x, at + i)
            a += matrix[i, j] * row
            b += matrix[i, j + 1] * row
            c += matrix[i, j + 2] * row
            d += matrix[i, j + 3] * row
            e += matrix[i, j + 4] * row
            f += matrix[i, j + 5] * row
        store(y, to + j, a)
        store(y, to + j + 1, b)
        store(y, to + j + 2, c)
        store(y, to + j + 3, d)
        store(y, to + j + 4, e)
        store(y, to + j + 5, f)


@merged
def own_factors(b: Any, fan: int, w: Any, dt_s: Any) -> None:
    """`exponentials` of steps that differ from lane to lane, to the work rows."""
    per_dt_hz = 1.0 / max(dt_s, 1e-12)
    for i in range(b.nodes):
        tau_s = b.tau_s[fan, i]
        x = dt_s * (1.0 / tau_s)
        k, q = exp_less_1(max(-x, -80.0))
        gone = where(k == 0.0, -q, 1.0 - two_to(k) * (1.0 + q))
        phi1 = gone * tau_s
        series = dt_s * (0.5 - x * (1.0 / 6.0 - x * (1.0 / 24.0 - x * (1.0 / 120.0))))
        store(w, DECAY + i, 1.0 - gone)
        store(w, PHI1 + i, phi1)
        store(w, PHI2 + i, where(x < 1e-3, series, (dt_s - phi1) * (tau_s * per_dt_hz)))


@merged
def kept_factors(b: Any, fan: int, w: Any) -> None:
    """The factors of a whole control period, which the board keeps, to the work rows."""
    for i in range(b.nodes):
        store(w, DECAY + i, b.decay[fan, 0, i])
        store(w, PHI1 + i, b.phi1[fan, 0, i])
        store(w, PHI2 + i, b.phi2[fan, 0, i])


@merged
def heat_step_lanes(f: Any, at: Any, b: Any, fan: int, w: Any, dt_s: Any, mask: Any) -> Any:
    """`heat_step` of the boards in mask, all at one fan level; the energy of the step in J."""
    n, m = b.nodes, b.parts
    modes, push = at.modes, at.push
    own, gain, leak, drawn = at.power_w, at.gain_w, at.leak_w, at.energy_j
    law = b.law
    reference_c, c1, c2, c3, low_c, high_c = law[0], law[1], law[2], law[3], law[4], law[5]
    for i in range(n):
        start = load(f, modes + i)
        pushed = load(f, push + i)
        predicted = load(w, DECAY + i) * start + load(w, PHI1 + i) * pushed
        put(f, modes + i, mask, predicted)
    through(b.see[fan], f, modes, n, m, w, CHANGE)
    half_s = 0.5 * dt_s
    step_j = floats(0.0, f)
    for j in range(m):
        shape = leakage_shape(load(w, CHANGE + j), reference_c, c1, c2, c3, low_c, high_c)
        grown_w = load(f, gain + j) * shape
        leak_w = load(f, leak + j)
        used_j = load(f, own + j) * dt_s + (leak_w + grown_w) * half_s
        step_j += used_j
        put(f, drawn + j, mask, load(f, drawn + j) + used_j)
        put(f, leak + j, mask, grown_w)
        store(w, CHANGE + j, grown_w - leak_w)
    through(b.heat[fan], w, CHANGE, m, n, w, SEEN)
    for i in range(n):
        more = load(w, SEEN + i)
        put(f, modes + i, mask, load(f, modes + i) + load(w, PHI2 + i) * more)
        put(f, push + i, mask, load(f, push + i) + more)
    return step_j


@merged
def pass_time(
    f: Any, n: Any, at: Any, b: Any, w: Any, dt_s: Any, is_period: bool, mask: Any
) -> Any:
    """A thermal step of the boards in mask, whatever their fans; the energy of each in J.

    is_period tells that every step is one control period.
    """
    total_j = floats(0.0, f)
    fan = load(n, at.fan)
    for level in range(b.fans):
        here = mask & (fan == level)
        if bits(here) != 0:
            if is_period:
                kept_factors(b, level, w)
            else:
                own_factors(b, level, w, dt_s)
            total_j = where(here, heat_step_lanes(f, at, b, level, w, dt_s, here), total_j)
    return total_j


@merged
def heat_inputs_lanes(f: Any, n: Any, at: Any, b: Any, w: Any, mask: Any) -> None:
    """`heat_inputs` of the boards in mask: leakage and modal heating under new inputs."""
    law = b.law
    fan = load(n, at.fan)
    ambient_c = load(f, at.ambient_c)
    for level in range(b.fans):
        here = mask & (fan == level)
        if bits(here) == 0:
            continue
        through(b.see[level], f, at.modes, b.nodes, b.parts, w, SEEN)
        for j in range(b.parts):
            shape = leakage_shape(load(w, SEEN + j), law[0], law[1], law[2], law[3], law[4], law[5])
            leak_w = load(f, at.gain_w + j) * shape
            put(f, at.leak_w + j, here, leak_w)
            store(w, CHANGE + j, load(f, at.power_w + j) + leak_w)
        through(b.heat[level], w, CHANGE, b.parts, b.nodes, w, SEEN)
        for i in range(b.nodes):
            inflow = b.ambient_push_per_k[level, i] * ambient_c
            put(f, at.push + i, here, load(w, SEEN + i) + inflow)


@merged
def true_zone_lanes(f: Any, n: Any, at: Any, b: Any, z: int) -> Any:
    """Temperature at a sensor, before the sensor has its say; see `true_zone_c`."""
    fan = load(n, at.fan)
    found_c = floats(0.0, f)
    for level in range(b.fans):
        here = fan == level
        if bits(here) != 0:
            c = floats(0.0, f)
            for i in range(b.nodes):
                c += b.see_zone[level, z, i] * load(f, at.modes + i)
            found_c = where(here, c, found_c)
    return found_c
