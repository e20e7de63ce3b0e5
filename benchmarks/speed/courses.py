"""Temperatures over many control periods, each with inputs of its own: ours and the usual ways.

All take powers and leakage gains by part, (n_periods, n_parts), and give node temperatures at the
end of every period, (n_periods, n_nodes). Compiled alike, with sums that may be reordered.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from hw_models.compiled import inline, jit
from hw_models.heat import exponentials, heat_inputs, heat_step, wide
from hw_models.lane_arrays import lane_rows, unowned
from hw_models.power import leakage_shape
from hw_models.thermal import Network

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A network, what drives it, and where it starts, (n_nodes,)."""

    network: Network
    powers_w: Array
    gains_w: Array
    law: Array
    ambient_c: float
    start_c: Array
    period_s: float = 0.05


def exact(inputs: Inputs) -> Array:
    """The kernel's step: exponentials of the modes, leakage linear in time (ETD2RK)."""
    net = inputs.network
    n, m, tau_s = len(net.rate_hz), len(net.part_node), wide(1.0 / net.rate_hz, 1.0)
    decay, phi1, phi2, push = lane_rows((4, len(tau_s)))
    exponentials(tau_s, inputs.period_s, decay, phi1, phi2)
    modes = _exact(
        n, m, inputs.period_s, wide(net.to_modes @ inputs.start_c), wide(inputs.powers_w),
        wide(inputs.gains_w), inputs.law, wide(net.ambient_push_per_k * inputs.ambient_c),
        wide(net.see), wide(net.heat), decay, phi1, phi2, push,
        *lane_rows((3, len(wide(net.see)[0]))),
    )  # fmt: skip
    return np.asarray(modes[:, :n] @ net.from_modes.T)


@jit
def _exact(
    n: int, m: int, period_s: float, modes: Any, powers_w: Any, gains_w: Any, law: Any,
    inflow: Any, see: Any, heat: Any, decay: Any, phi1: Any, phi2: Any, push: Any, leak_w: Any,
    energy_j: Any, scratch: Any,
) -> Any:  # fmt: skip
    found = np.empty((powers_w.shape[0], modes.shape[0]))
    powers_w, gains_w = unowned(powers_w), unowned(gains_w)
    for k in range(powers_w.shape[0]):
        heat_inputs(
            n, m, modes, powers_w[k], gains_w[k], law, inflow, see, heat, leak_w, push, scratch
        )
        heat_step(
            n, m, period_s, modes, push, leak_w, powers_w[k], gains_w[k], law, see, heat, decay,
            phi1, phi2, energy_j, scratch,
        )  # fmt: skip
        found[k] = modes
    return found


def exact_linear(inputs: Inputs) -> Array:
    """Without leakage a mode decays towards what pushes it: one product, one addition a mode."""
    net = inputs.network
    n, tau_s = len(net.rate_hz), wide(1.0 / net.rate_hz, 1.0)
    decay, phi1, phi2 = np.zeros((3, len(tau_s)))
    exponentials(tau_s, inputs.period_s, decay, phi1, phi2)
    push = inputs.powers_w @ net.heat
    push += net.ambient_push_per_k * inputs.ambient_c
    modes = _follow(net.to_modes @ inputs.start_c, decay[:n], phi1[:n], push)
    return np.asarray(modes @ net.from_modes.T)


@jit
def _follow(modes: Any, decay: Any, phi1: Any, push: Any) -> Any:
    for k in range(push.shape[0]):
        row = push[k]
        for i in range(modes.shape[0]):
            modes[i] = decay[i] * modes[i] + phi1[i] * row[i]
            row[i] = modes[i]
    return push


def explicit(inputs: Inputs, substeps: int, *, is_rk4: bool, is_dense: bool) -> Array:
    """Forward Euler or RK4 with so many steps a period, by full matrix or by its entries."""
    net = inputs.network
    matrix_hz = -net.conductance_w_per_k / net.capacity_j_per_k[:, None]
    rows, columns = np.nonzero(matrix_hz)
    starts = np.searchsorted(rows, np.arange(len(matrix_hz) + 1))
    outside = net.to_ambient_w_per_k * inputs.ambient_c / net.capacity_j_per_k
    found: Array = _explicit(
        inputs.period_s / substeps, substeps, is_rk4, is_dense,
        np.ascontiguousarray(matrix_hz.T), starts, columns, matrix_hz[rows, columns], outside,
        1.0 / net.capacity_j_per_k, net.part_node, inputs.powers_w, inputs.gains_w, inputs.law,
        inputs.start_c.copy(),
    )  # fmt: skip
    return found


@jit
def _explicit(
    dt_s: float, substeps: int, is_rk4: bool, is_dense: bool, matrix_t: Any, starts: Any,
    columns: Any, entries: Any, outside: Any, per_j: Any, part_node: Any, powers_w: Any,
    gains_w: Any, law: Any, temps_c: Any,
) -> Any:  # fmt: skip
    n = temps_c.shape[0]
    found = np.empty((powers_w.shape[0], n))
    slope, at, total = np.empty(n), np.empty(n), np.empty(n)
    fixed = np.empty(n)
    for k in range(powers_w.shape[0]):
        for i in range(n):
            fixed[i] = outside[i]
        for j in range(part_node.shape[0]):
            fixed[part_node[j]] += powers_w[k, j] * per_j[part_node[j]]
        gains = gains_w[k]
        for _ in range(substeps):
            _slope(temps_c, fixed, gains, law, matrix_t, starts, columns, entries, per_j,
                   part_node, is_dense, slope)  # fmt: skip
            if not is_rk4:
                for i in range(n):
                    temps_c[i] += dt_s * slope[i]
                continue
            for i in range(n):
                total[i] = slope[i]
                at[i] = temps_c[i] + 0.5 * dt_s * slope[i]
            for stage in range(1, 4):
                _slope(at, fixed, gains, law, matrix_t, starts, columns, entries, per_j,
                       part_node, is_dense, slope)  # fmt: skip
                weight = 1.0 if stage == 3 else 2.0
                ahead_s = 0.5 * dt_s if stage == 1 else dt_s
                for i in range(n):
                    total[i] += weight * slope[i]
                    at[i] = temps_c[i] + ahead_s * slope[i]
            for i in range(n):
                temps_c[i] += dt_s / 6.0 * total[i]
        found[k] = temps_c
    return found


@inline
def _slope(
    temps_c: Any, fixed: Any, gains_w: Any, law: Any, matrix_t: Any, starts: Any, columns: Any,
    entries: Any, per_j: Any, part_node: Any, is_dense: bool, slope: Any,
) -> None:  # fmt: skip
    n = temps_c.shape[0]
    for i in range(n):
        slope[i] = fixed[i]
    for j in range(part_node.shape[0]):
        at = part_node[j]
        slope[at] += (
            per_j[at]
            * gains_w[j]
            * leakage_shape(temps_c[at], law[0], law[1], law[2], law[3], law[4], law[5])
        )
    if is_dense:
        for k in range(n):
            row, c = matrix_t[k], temps_c[k]
            for i in range(n):
                slope[i] += row[i] * c
        return
    for i in range(n):
        for e in range(starts[i], starts[i + 1]):
            slope[i] += entries[e] * temps_c[columns[e]]
