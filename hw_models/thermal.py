"""Heat in a resistor-capacitor network, advanced exactly between events.

C dT/dt = -G (T - T_ambient at the cooled nodes) + P + leakage(T). In the eigenbasis of
C^-1/2 G C^-1/2 the linear part is solved exactly for a step of any length; leakage enters by the
second-order exponential Runge-Kutta scheme ETD2RK (Cox and Matthews 2002,
doi:10.1006/jcph.2002.6995): a predictor with leakage frozen, then leakage linear in time.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from hw_models.compiled import inline, jit
from hw_models.power import leakage_shape

if TYPE_CHECKING:
    from hw_models.board import Board

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
        """Modal heating by the parts' power, (n, m)."""
        return np.ascontiguousarray(self.from_modes.T @ self.place)

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
        modes, energy_j, see, heat = self.to_modes @ temps_c, np.zeros(m), self.see, self.heat
        decay, phi1, phi2, push, integral = np.zeros((5, n))
        leak_w, change_w = np.zeros((2, m))
        exponentials(self.rate_hz, dt_s, decay, phi1, phi2)
        inflow = self.ambient_push_per_k * ambient_c
        heat_inputs(modes, power_w, gain_w, law, inflow, see, heat, leak_w, push)
        heat_step(
            dt_s, modes, push, leak_w, power_w, gain_w, law, see, heat, self.rate_hz,
            decay, phi1, phi2, energy_j, integral, change_w,
        )  # fmt: skip
        return self.from_modes @ modes, energy_j

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
