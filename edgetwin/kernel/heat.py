"""Changes of the cooling: the same heat in other modes, integrals closed before."""

from typing import Any

import numpy as np

from hw_models.compiled import jit


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
    s.dirty = 1


@jit
def flush_heat(s: Any, b: Any) -> None:
    """Close the open integrals of temperature before the fan or the ambient changes."""
    seconds = (s.t_ns - s.ambient_since_ns) * 1e-9
    s.ambient_since_ns = s.t_ns
    conductance_w_per_k = 0.0
    for i in range(b.nodes):
        away = 0.0
        for k in range(b.nodes):
            away += b.to_modes[s.fan, k, i] * b.ambient_push_per_k[s.fan, k]
        conductance_w_per_k += away
        s.heat_out_j += b.ambient_push_per_k[s.fan, i] * s.modes_integral[i]
    s.heat_out_j -= conductance_w_per_k * s.ambient_c * seconds
    for z in range(b.zones):
        for i in range(b.nodes):
            s.zone_integral[z] += b.see_zone[s.fan, z, i] * s.modes_integral[i]
    for i in range(b.nodes):
        s.modes_integral[i] = 0.0
