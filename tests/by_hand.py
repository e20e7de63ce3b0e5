"""The equations of a board written out plainly, part by part, to hold compiled code against."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from hw_models.board import Board
from hw_models.board_physics import CoreKind
from hw_models.jobs import ApplicationProfile

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What programs do and draw under fixed clocks: rates by job, switching power by part."""

    rates: tuple[float, ...]
    watts: Mapping[str, float]

    @property
    def total_w(self) -> float:
        """Switching power of everything."""
        return sum(self.watts.values())


def network(board: Board, fan: int = 0) -> tuple[Array, Array, Array]:
    """G (n, n) with the ways to the ambient, C (n,) and the ways to the ambient (n,)."""
    nodes = list(board.thermal.nodes)
    g, out = np.zeros((len(nodes), len(nodes))), np.zeros(len(nodes))
    for link in board.thermal.links:
        i, k = nodes.index(link.between[0]), nodes.index(link.between[1])
        value = link.conductance_w_per_k.value
        g[i, i] += value
        g[k, k] += value
        g[i, k] -= value
        g[k, i] -= value
    for way in board.thermal.cooling:
        out[nodes.index(way.node)] += way.conductance_w_per_k.value[fan]
    return g + np.diag(out), np.array(board.thermal.capacity_j_per_k.value), out


def node_of(board: Board, part: str) -> int:
    """Index of the thermal node at which a part of the board sits."""
    power, nodes = board.power, board.thermal.nodes
    places = {u.name: u.node for u in board.unit_list}
    places |= {f"{d}-shared": str(p.node) for d, p in power.domains.items()}
    places |= {name: b.node for name, b in power.baseline.items()}
    if power.memory:
        places["memory"] = power.memory.node
    if board.limits.fan:
        places["fan"] = board.limits.fan.node
    return nodes.index(places[part])


def heat_of(board: Board, watts: Mapping[str, float]) -> Array:
    """Power by node, (n,)."""
    heat = np.zeros(len(board.thermal.nodes))
    for part, value in watts.items():
        heat[node_of(board, part)] += value
    return heat


def warmed(
    board: Board, temps_c: Array, heat: Array, dt_s: float, *, ambient_c: float, fan: int = 0
) -> Array:
    """Node temperatures (n,) after dt_s of constant heat (n,), by the matrix exponential."""
    g, capacity, out = network(board, fan)
    n = len(capacity)
    a = np.zeros((n + 1, n + 1))
    a[:n, :n] = -g / capacity[:, None]
    a[:n, n] = (heat + out * ambient_c) / capacity
    return np.asarray((expm(a * dt_s) @ np.append(temps_c, 1.0))[:n])


def load_of(
    board: Board,
    placed: Sequence[tuple[ApplicationProfile, str]],
    level: Mapping[str, int],
    fan: int = 0,
) -> Load:
    """Rates of programs in their first phase on their units, and what every part then draws."""
    units = {u.name: u for u in board.unit_list}
    where = [unit for _, unit in placed]
    hz = {d: c.freqs_hz.value[level[d]] for d, c in board.clocks.items()}
    bandwidth = board.performance.bandwidth_bytes_per_cycle.value * hz["mem"]
    alone = [
        p.by_kind[_core(board, u).profile].dram_bytes_per_insn[0]
        / (_insn_s(board, p, u, hz, 1.0)[1] * where.count(u))
        for p, u in placed
    ]
    rates, traffic = [], 0.0
    busy, activity = dict.fromkeys(units, 0.0), dict.fromkeys(units, 0.0)
    for i, (p, u) in enumerate(placed):
        core, phases = _core(board, u), p.by_kind[_core(board, u).profile]
        others = {v for v in where if v != u and units[v].domain == units[u].domain}
        moved = min((sum(alone) - alone[i]) / bandwidth, 1.0)
        crowd = 1 + core.corunner_stall.value * len(others) + core.bandwidth_stall.value * moved
        cycles_s, insn_s = _insn_s(board, p, u, hz, crowd)
        rates.append(1 / (insn_s * where.count(u)))
        share = cycles_s / insn_s
        busy[u] += 1 / where.count(u)
        active = phases.activity[0] * (share + core.stall_activity.value * (1 - share))
        activity[u] += active / where.count(u)
        traffic += rates[i] * phases.dram_bytes_per_insn[0]
    watts = _watts(board, level, hz, busy, activity, traffic)
    if board.limits.fan:
        watts["fan"] = board.limits.fan.power_w.value[fan]
    return Load(rates=tuple(rates), watts=watts)


def _core(board: Board, unit: str) -> CoreKind:
    return board.performance.cores[board.unit(unit).kind]


def _insn_s(
    board: Board, p: ApplicationProfile, unit: str, hz: Mapping[str, float], crowd: float
) -> tuple[float, float]:
    """Seconds per instruction: computing, and in all."""
    core = _core(board, unit)
    phases = p.by_kind[core.profile]
    cycles_s = phases.cpi_cycles[0] * core.cycles_scale.value / hz[board.unit(unit).domain]
    return cycles_s, cycles_s + phases.stall_s[0] * core.stall_scale.value * crowd


def _watts(
    board: Board,
    level: Mapping[str, int],
    hz: Mapping[str, float],
    busy: Mapping[str, float],
    activity: Mapping[str, float],
    traffic: float,
) -> dict[str, float]:
    power = board.power
    vvf = {d: c.volts_v.value[level[d]] ** 2 * hz[d] for d, c in board.clocks.items()}
    watts = {}
    for u in board.unit_list:
        part = power.units[u.group]
        farad = part.active_capacitance_f.value * activity[u.name] + part.idle_capacitance_f.value
        watts[u.name] = farad * vvf[u.domain]
    for d, shared in power.domains.items():
        most = max(busy[u.name] for u in board.unit_list if u.domain == d)
        farad = shared.active_capacitance_f.value * most + shared.idle_capacitance_f.value
        watts[f"{d}-shared"] = farad * vvf[d]
    if power.memory:
        idle_w = power.memory.idle_capacitance_f.value * vvf[power.memory.domain]
        watts["memory"] = idle_w + power.memory.energy_j_per_byte.value * traffic
    return watts | {name: base.power_w.value for name, base in power.baseline.items()}


def leakage_of(board: Board, part: str, volt_v: float, temp_c: float) -> float:
    """Leakage of a part in watts, from the text of the board file's [power.leakage]."""
    power, law = board.power, board.power.leakage
    at_reference_w = {u.name: power.units[u.group].leakage_w.value for u in board.unit_list}
    at_reference_w |= {f"{d}-shared": p.leakage_w.value for d, p in power.domains.items()}
    if power.memory:
        at_reference_w["memory"] = power.memory.leakage_w.value
    d = min(max(temp_c, law.valid_c[0]), law.valid_c[1]) - law.reference_c.value
    c1, c2, c3 = law.coefficients.value
    shape = 1 + c1 * d + c2 * d**2 + c3 * d**3
    at_volt_w: float = at_reference_w.get(part, 0.0) * volt_v**law.volt_exponent.value
    return at_volt_w * shape
