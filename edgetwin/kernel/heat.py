"""Changes of the cooling: the same heat in other modes; integrals of temperature."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.state import State, copied
from hw_models.compiled import jit
from hw_models.lowering import Lowered


@jit
def set_fan(s: Any, b: Any, level: int) -> None:
    """Change the fan: the same heat, seen in the modes of another network."""
    n = b.nodes
    flush_heat(s, b)
    temps_c = np.zeros(n)
    for i in range(n):
        for k in range(n):
            temps_c[i] += b.from_modes[s.fan, i, k] * s.modes[k]
    s.fan = level
    for i in range(n):
        s.modes[i] = 0.0
        for k in range(n):
            s.modes[i] += b.to_modes[level, i, k] * temps_c[k]
        s.modes_mark[i] = s.modes[i]
    s.dirty = 1


@jit
def flush_heat(s: Any, b: Any) -> None:
    """Close the open integrals of temperature before the fan or the ambient changes.

    A mode obeys dx/dt = push - x / tau, so its integral is tau times what was pushed in less what
    it has gained; what parts pushed in follows from the energy that they have drawn. It holds for
    steps of the kernel as it does for the equation.
    """
    f = s.fan
    seconds = (s.t_ns - s.ambient_since_ns) * 1e-9
    s.ambient_since_ns = s.t_ns
    conductance_w_per_k = 0.0
    for i in range(b.nodes):
        away = 0.0
        for k in range(b.nodes):
            away += b.to_modes[f, k, i] * b.ambient_push_per_k[f, k]
        conductance_w_per_k += away
        pushed = b.ambient_push_per_k[f, i] * s.ambient_c * seconds
        for p in range(b.parts):
            pushed += b.heat[f, p, i] * (s.energy_j[p] - s.energy_mark_j[p])
        integral = b.tau_s[f, i] * (s.modes_mark[i] - s.modes[i] + pushed)
        s.heat_out_j += b.ambient_push_per_k[f, i] * integral
        for z in range(b.zones):
            s.zone_integral[z] += b.see_zone[f, z, i] * integral
        s.modes_mark[i] = s.modes[i]
    s.heat_out_j -= conductance_w_per_k * s.ambient_c * seconds
    for p in range(b.parts):
        s.energy_mark_j[p] = s.energy_j[p]


def zone_means_c(state: State, lowered: Lowered) -> NDArray[np.float64]:
    """Mean true temperature of every zone since reset, (n_zones,)."""
    closed = copied(state)
    s = closed[0]
    flush_heat(s, lowered.record[0])
    return np.asarray(s["zone_integral"][: len(lowered.zones)] / max(s["t_ns"] * 1e-9, 1e-12))
