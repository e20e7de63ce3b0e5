"""Heat in a resistor-capacitor network, advanced exactly between events.

C dT/dt = -G (T - T_ambient at the cooled nodes) + P + leakage(T), diagonalised in the eigenbasis of
C^-1/2 G C^-1/2; `hw_models.heat` advances it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from hw_models.heat import exponentials, heat_inputs, heat_step, part_heat_w, wide

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The thermal network of one board at one fan level, diagonalised.

    conductance_w_per_k (n, n) includes the ways to the ambient, which to_ambient_w_per_k (n,) also
    gives alone; capacity_j_per_k (n,); rate_hz (n,) modal rates in 1/s; from_modes and to_modes
    (n, n); part_node (m,) the node of each part; place (n, m) the heat at a node by one watt of a
    part: 1 where it sits, and the share that regulators lose at their node.
    """

    conductance_w_per_k: Array
    resistance_k_per_w: Array
    capacity_j_per_k: Array
    to_ambient_w_per_k: Array
    rate_hz: Array
    from_modes: Array
    to_modes: Array
    part_node: NDArray[np.int64]
    place: Array

    @classmethod
    def of(cls, board: "Board", fan_level: int = 0) -> "Network":
        """The network of a board with its fan at the given level."""
        thermal = board.thermal
        index = {node: i for i, node in enumerate(thermal.nodes)}
        g = np.zeros((len(index), len(index)))
        for link in thermal.links:
            i, k = index[link.between[0]], index[link.between[1]]
            g[[i, k], [i, k]] += link.conductance_w_per_k.value
            g[[i, k], [k, i]] -= link.conductance_w_per_k.value
        out = np.zeros(len(index))
        for way in thermal.cooling:
            out[index[way.node]] += way.conductance_w_per_k.value[fan_level]
        nodes = np.array([index[node] for node in part_nodes(board)], dtype=np.int64)
        place = np.zeros((len(index), len(nodes)))
        place[nodes, np.arange(len(nodes))] = 1.0
        if board.power.conversion:
            place[index[board.power.conversion.node]] += conversion_share(board)
        capacity_j_per_k = thermal.capacity_j_per_k.array
        return cls.from_matrices(g + np.diag(out), capacity_j_per_k, out, nodes, place)

    @classmethod
    def from_matrices(
        cls,
        g: Array,
        capacity_j_per_k: Array,
        to_ambient_w_per_k: Array,
        part_node: NDArray[np.int64],
        place: Array | None = None,
    ) -> "Network":
        """A network from its matrices; ValueError unless G is symmetric positive definite.

        Without place (n, m) each part heats the node where it sits.
        """
        if not np.allclose(g, g.T):
            raise ValueError("conductance is not symmetric; heat flows alike in both directions.")
        root = np.sqrt(capacity_j_per_k)
        rates, basis = np.linalg.eigh(g / root[:, None] / root[None, :])
        if rates[0] <= 0:
            raise ValueError("some node has no way to the ambient; add a cooling conductance.")
        from_modes = basis / root[:, None]
        return cls(
            conductance_w_per_k=g,
            resistance_k_per_w=(from_modes / rates) @ from_modes.T,
            capacity_j_per_k=capacity_j_per_k,
            to_ambient_w_per_k=to_ambient_w_per_k,
            rate_hz=rates,
            from_modes=from_modes,
            to_modes=basis.T * root[None, :],
            part_node=part_node,
            place=np.eye(len(root))[:, part_node] if place is None else place,
        )

    @property
    def see(self) -> Array:
        """Part temperatures from modes, (n, m)."""
        return np.ascontiguousarray(self.from_modes[self.part_node].T)

    @property
    def heat(self) -> Array:
        """Modal heating by the parts' power, (m, n)."""
        return np.ascontiguousarray(self.place.T @ self.from_modes)

    @property
    def ambient_push_per_k(self) -> Array:
        """Modal heating by one degree of ambient, (n,)."""
        return self.from_modes.T @ self.to_ambient_w_per_k

    def linear_step(self, temps_c: Array, power_w: Array, dt_s: float, ambient_c: float) -> Array:
        """Node temperatures (n,) after dt_s of constant power_w (m,) by part, no leakage."""
        still = np.zeros_like(power_w)
        return self.step(temps_c, power_w, dt_s, ambient_c, still, _NO_LEAKAGE)[0]

    def step(
        self,
        temps_c: Array,
        power_w: Array,
        dt_s: float,
        ambient_c: float,
        gain_w: Array,
        law: Array,
    ) -> tuple[Array, Array]:
        """Node temperatures (n,) and energy by part (m,) after one ETD2RK step of dt_s.

        Energy is what parts draw, without the loss of regulators.

        power_w and gain_w (m,) are switching power and leakage at the reference temperature; law
        (6,) as in `heat_step`.
        """
        n, m = len(self.rate_hz), len(power_w)
        modes, tau_s = wide(self.to_modes @ temps_c), wide(1.0 / self.rate_hz, 1.0)
        see, heat = wide(self.see), wide(self.heat)
        power_w, gain_w = wide(power_w), wide(gain_w)
        decay, phi1, phi2 = np.zeros((3, len(modes)))
        leak_w, change_w, energy_j = np.zeros((3, len(power_w)))
        exponentials(tau_s, dt_s, decay, phi1, phi2)
        push = wide(self.ambient_push_per_k * ambient_c)
        heat_inputs(n, m, modes, power_w, gain_w, law, push, see, heat, leak_w, push, change_w)
        heat_step(
            n, m, dt_s, modes, push, leak_w, power_w, gain_w, law, see, heat, decay, phi1, phi2,
            energy_j, change_w,
        )  # fmt: skip
        return self.from_modes @ modes[:n], energy_j[:m]

    def steady(
        self,
        power_w: Array,
        ambient_c: float,
        gain_w: Array | None = None,
        law: Array | None = None,
    ) -> Array:
        """Node temperatures (n,) that constant power ends in; ValueError on thermal runaway.

        Arguments as in `step`; without gain_w there is no leakage.
        """
        law = _NO_LEAKAGE if law is None else law
        gain = np.zeros_like(power_w) if gain_w is None else gain_w
        temps_c = np.full(len(self.capacity_j_per_k), ambient_c)
        for _ in range(5000):
            drawn_w = part_heat_w(temps_c, self.part_node, power_w, gain, law)
            new = self.resistance_k_per_w @ (
                self.place @ drawn_w + self.to_ambient_w_per_k * ambient_c
            )
            if np.max(np.abs(new - temps_c)) < 1e-11 * (1 + np.max(np.abs(new))):
                return new
            if not np.all(np.abs(new) < _RUNAWAY_C):
                break
            temps_c = new
        raise ValueError("no steady state: leakage grows faster than heat can leave.")


_RUNAWAY_C = 1e5
_NO_LEAKAGE = np.array([25.0, 0.0, 0.0, 0.0, -273.0, 1000.0])


def conversion_share(board: "Board") -> float:
    """What regulators lose of every watt that a part draws; 0 where the board states none."""
    return board.power.conversion.share.value if board.power.conversion else 0.0


def leakage_law(board: "Board") -> Array:
    """The board's leakage law as (6,): reference_c, c1, c2, c3, low_c, high_c."""
    leak = board.power.leakage
    return np.array([leak.reference_c.value, *leak.coefficients.value, *leak.valid_c])


def part_nodes(board: "Board") -> tuple[str, ...]:
    """The thermal node at which each part of the board gives off its power."""
    power, limits = board.power, board.limits
    shared = tuple(str(p.node) for p in power.domains.values())
    memory = (power.memory.node,) if power.memory else ()
    base = tuple(b.node for b in power.baseline.values())
    fan = (limits.fan.node,) if limits.fan else ()
    return (*(u.node for u in board.unit_list), *shared, *memory, *base, *fan)
