"""The heat equation once more: C dT/dt = -G (T - ambient) + P + leakage(T), node by node."""

from collections.abc import Callable
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from hw_models.board import Board

Array = NDArray[np.float64]
RTOL, ATOL = 1e-10, 1e-9


@final
class PlainHeat:
    """The thermal network in its own coordinates, from the links of the board file."""

    def __init__(self, board: Board, fan_level: int = 0) -> None:
        if board.power.conversion:
            raise ValueError(
                f"{board.name} has conversion losses, which this reference leaves out."
            )
        thermal, law = board.thermal, board.power.leakage
        n = len(thermal.nodes)
        self.capacity_j_per_k = np.array(thermal.capacity_j_per_k.value)
        self.ambient_c = thermal.ambient_c.value
        flow_w_per_k = np.zeros((n, n))
        for link in thermal.links:
            i, k = (thermal.nodes.index(node) for node in link.between)
            flow_w_per_k[i, k] += link.conductance_w_per_k.value
            flow_w_per_k[k, i] += link.conductance_w_per_k.value
        self.cooling_w_per_k = np.zeros(n)
        for way in thermal.cooling:
            at = thermal.nodes.index(way.node)
            self.cooling_w_per_k[at] += way.conductance_w_per_k.value[fan_level]
        away_w_per_k = np.diag(flow_w_per_k.sum(1) + self.cooling_w_per_k)
        self.matrix_hz = (flow_w_per_k - away_w_per_k) / self.capacity_j_per_k[:, None]
        self.part_node = [thermal.nodes.index(node) for node in _part_nodes(board)]
        self.reference_c = law.reference_c.value
        self.c1, self.c2, self.c3 = law.coefficients.value
        self.low_c, self.high_c = law.valid_c

    def leakage_shape(self, temps_c: Array) -> Array:
        """Leakage relative to the reference temperature."""
        d = np.minimum(np.maximum(temps_c, self.low_c), self.high_c) - self.reference_c
        return 1.0 + d * (self.c1 + d * (self.c2 + d * self.c3))

    def on_nodes(self, part_values: Array) -> Array:
        """Sum of what parts have, by node, (n_nodes,)."""
        found = np.bincount(self.part_node, part_values, minlength=len(self.capacity_j_per_k))
        return np.asarray(found, dtype=np.float64)

    def to_ambient_w(self, temps_c: Array) -> Array:
        """Heat that leaves the board at node temperatures (..., n_nodes)."""
        return np.asarray((temps_c - self.ambient_c) @ self.cooling_w_per_k)

    def stored_j(self, rise_k: Array) -> float:
        """Heat stored by a rise (n_nodes,) of all nodes."""
        return float(self.capacity_j_per_k @ rise_k)

    def follow(
        self, temps_c: Array, energy_j: float, power_w: Array, gain_w: Array, dt_s: float
    ) -> tuple[Array, float]:
        """Temperatures (n_nodes,) and energy after dt_s of constant inputs, by LSODA.

        power_w and gain_w (n_parts,) as in the board's own order; energy is one more state.
        """
        y = np.append(temps_c, energy_j)
        right, slope = self._equations(power_w, gain_w)
        found = solve_ivp(right, (0.0, dt_s), y, "LSODA", rtol=RTOL, atol=ATOL, jac=slope)
        if not found.success:
            raise RuntimeError(f"the reference integration failed: {found.message}")
        return found.y[:-1, -1], float(found.y[-1, -1])

    def _equations(
        self, power_w: Array, gain_w: Array
    ) -> tuple[Callable[[float, Array], Array], Callable[[float, Array], Array]]:
        """dy/dt and its Jacobian for y = (temperatures, energy)."""
        n = len(self.capacity_j_per_k)
        heat_w = self.on_nodes(power_w) + self.cooling_w_per_k * self.ambient_c
        leak_w, drawn_w = self.on_nodes(gain_w), float(power_w.sum())
        jacobian = np.zeros((n + 1, n + 1))

        def right(_: float, y: Array) -> Array:
            leaked_w = leak_w * self.leakage_shape(y[:-1])
            change = self.matrix_hz @ y[:-1] + (heat_w + leaked_w) / self.capacity_j_per_k
            return np.append(change, drawn_w + leaked_w.sum())

        def slope(_: float, y: Array) -> Array:
            d = np.minimum(np.maximum(y[:-1], self.low_c), self.high_c) - self.reference_c
            inside = (self.low_c < y[:-1]) & (y[:-1] < self.high_c)
            more = leak_w * inside * (self.c1 + d * (2.0 * self.c2 + 3.0 * self.c3 * d))
            jacobian[:n, :n] = self.matrix_hz + np.diag(more / self.capacity_j_per_k)
            jacobian[n, :n] = more
            return jacobian

        return right, slope


def _part_nodes(board: Board) -> list[str]:
    """Where each part gives off its heat, in the order of `board.parts`."""
    power, fan = board.power, board.limits.fan
    nodes = [unit.node for unit in board.unit_list]
    nodes += [str(part.node) for part in power.domains.values()]
    nodes += [power.memory.node] if power.memory else []
    nodes += [base.node for base in power.baseline.values()]
    return nodes + ([fan.node] if fan else [])
