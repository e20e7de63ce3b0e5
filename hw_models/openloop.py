"""A board's physics driven by what a log says was running: power and heat, and nothing fed back.

Clocks, loads, memory traffic and fan come from the log; power follows from them and heat from
power, by the same compiled equations as in simulation. What was measured enters once, at the
start: where the heat was. A reading's inputs hold for the time that led up to it, as the loads of
tegrastats do.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.compiled import jit, merged
from hw_models.heat import exponentials, heat_inputs, heat_step, part_heat_w
from hw_models.lowering import NODES, PARTS
from hw_models.power import busy_powers, powers_w
from hw_models.recorded import Recorded, recorded
from hw_models.thermal import Network, leakage_law
from hw_models.trace import Trace

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.lowering import Lowered

Array = NDArray[np.float64]

# Leakage is linear in time within one step of the scheme, and dies warm up in a second.
LONGEST_STEP_S: Final = 0.25


def drive(
    board: "Board",
    log: Trace | Recorded,
    *,
    ambient_c: float | None = None,
    mode: str | None = None,
) -> Trace:
    """What the board's sensors would have said, unrounded and without noise, at the log's times.

    ambient_c defaults to the board's own, mode as in `recorded`. The trace has every zone, rail,
    domain and unit of the board in its order, and energy_j since the first reading. ValueError as
    in `recorded`, and for an ambient that is no temperature of air.
    """
    seen = log if isinstance(log, Recorded) else recorded(board, log, mode=mode)
    ambient_c = checked_ambient_c(board, ambient_c)
    temps_c = starting_temps_c(board, seen, ambient_c)
    return _predicted(board, seen, ambient_c, *driven(board.lower(), seen, ambient_c, temps_c))


def driven(
    lowered: "Lowered",
    seen: Recorded,
    ambient_c: float,
    temps_c: Array,
    longest_step_s: float = LONGEST_STEP_S,
) -> tuple[Array, Array, Array]:
    """Zones (rows, n_zones), rails (rows, n_rails) and energy_j (rows,) from nodes temps_c (n,).

    Steps longer than the default are for a first look: leakage is then linear over longer times.
    """
    rows = len(seen.t_s)
    zones_c, rails_w = np.zeros((rows, len(lowered.zones))), np.zeros((rows, len(lowered.rails)))
    energy_j = np.zeros(rows)
    dt_s = np.diff(seen.t_s, prepend=seen.t_s[0])
    used_j = np.zeros(len(lowered.parts))
    changes = np.flatnonzero(np.diff(seen.fan)) + 1
    for start, end in pairwise([0, *changes.tolist(), rows]):
        fan, part = int(seen.fan[start]), slice(start, end)
        temps_c = stretch(
            lowered.record, fan, ambient_c, dt_s[part], seen.level[part], seen.busy[part],
            seen.loop[part], seen.traffic[part], seen.online[part], temps_c, used_j, zones_c[part],
            rails_w[part], energy_j[part], longest_step_s,
        )  # fmt: skip
    return zones_c, rails_w, energy_j


def rails_at_temperatures(lowered: "Lowered", seen: Recorded, nodes_c: Array) -> Array:
    """Rails (rows, n_rails) where the temperature of every node is known, nodes_c (rows, n)."""
    rails_w = np.zeros((len(seen.t_s), len(lowered.rails)))
    _held(
        lowered.record, seen.fan, nodes_c, seen.level, seen.busy, seen.loop, seen.traffic,
        seen.online, rails_w,
    )  # fmt: skip
    return rails_w


def checked_ambient_c(board: "Board", ambient_c: float | None) -> float:
    """The temperature of the air around the board; ValueError for one that no air has."""
    if ambient_c is None:
        return board.thermal.ambient_c.value
    if not -60.0 <= ambient_c <= 100.0:
        raise ValueError(f"ambient is {ambient_c} degC; expected a temperature from -60 to 100.")
    return ambient_c


def _predicted(
    board: "Board",
    seen: Recorded,
    ambient_c: float,
    zones_c: Array,
    rails_w: Array,
    energy_j: Array,
) -> Trace:
    lowered = board.lower()
    columns: dict[str, NDArray[Any]] = {"t_s": seen.t_s}
    columns |= {f"temps_c.{name}": zones_c[:, z] for z, name in enumerate(lowered.zones)}
    columns |= {f"power_w.{name}": rails_w[:, r] for r, name in enumerate(lowered.rails)}
    columns["energy_j"] = energy_j
    for d, (name, clock) in enumerate(board.clocks.items()):
        columns[f"freq_hz.{name}"] = clock.freqs_hz.array[seen.level[:, d]]
    columns |= {f"busy.{name}": seen.busy[:, u] for u, name in enumerate(lowered.units)}
    columns["fan"] = seen.fan
    about = {"board": board.name, "source": "edgetwin open loop", "ambient_c": repr(ambient_c)}
    return Trace(columns, about)


def starting_temps_c(board: "Board", seen: Recorded, ambient_c: float) -> Array:
    """Where the heat is at the first reading, (n_nodes,).

    A node with zones is at their mean; the others are as the first inputs would hold them in the
    long run with those nodes kept where they are.
    """
    network = Network.of(board, int(seen.fan[0]))
    known_c = _zone_nodes_c(board, seen)
    free, fixed = np.isnan(known_c), ~np.isnan(known_c)
    if not free.any():
        return known_c
    power_w, gain_w = powers_w(
        board,
        level=seen.level[0],
        busy=seen.busy[0],
        loop=seen.loop[0],
        traffic=float(seen.traffic[0]),
        fan=int(seen.fan[0]),
        online=seen.online[0],
    )
    part = free[network.part_node]
    g = network.conductance_w_per_k
    place = np.cumsum(free) - 1
    inner = Network.from_matrices(
        g[np.ix_(free, free)],
        network.capacity_j_per_k[free],
        network.to_ambient_w_per_k[free],
        np.concatenate([place[network.part_node[part]], np.arange(free.sum())]),
        np.hstack([network.place[np.ix_(free, part)], np.eye(free.sum())]),
    )
    elsewhere_w = part_heat_w(
        known_c, network.part_node[~part], power_w[~part], gain_w[~part], leakage_law(board)
    )
    from_known_w = -g[np.ix_(free, fixed)] @ known_c[fixed]
    from_known_w += network.place[np.ix_(free, ~part)] @ elsewhere_w
    known_c[free] = inner.steady(
        np.concatenate([power_w[part], from_known_w]),
        ambient_c,
        np.concatenate([gain_w[part], np.zeros(free.sum())]),
        leakage_law(board),
    )
    return known_c


def _zone_nodes_c(board: "Board", seen: Recorded) -> Array:
    """The first measured temperature of every node, offsets taken off, NaN without a zone."""
    by_node: dict[str, list[float]] = {node: [] for node in board.thermal.nodes}
    for name, values in seen.zones_c.items():
        zone = board.sensors.zones[name]
        by_node[zone.node].append(float(values[~np.isnan(values)][0]) - zone.offset_k.value)
    return np.array([np.mean(temps_c) if temps_c else np.nan for temps_c in by_node.values()])


@jit
def stretch(
    board: Any,
    fan: int,
    ambient_c: float,
    dt_s: Any,
    level: Any,
    busy: Any,
    loop: Any,
    traffic: Any,
    online: Any,
    temps_c: Any,
    used_j: Any,
    zones_c: Any,
    rails_w: Any,
    energy_j: Any,
    longest_step_s: float,
) -> Any:
    """Readings under one fan level: fill zones_c, rails_w, energy_j; returns the last (n,) temps.

    dt_s (rows,) is the time since the reading before; used_j (m,) counts on.
    """
    b = board[0]
    n = b.nodes
    m = b.parts
    see, heat = b.see[fan], b.heat[fan]
    tau_s = b.tau_s[fan]
    by_mode, by_part = np.zeros((6, NODES)), np.zeros((5, PARTS))
    modes, push, inflow = by_mode[0], by_mode[1], by_mode[2]
    decay, phi1, phi2 = by_mode[3], by_mode[4], by_mode[5]
    power_w, gain_w, leak_w = by_part[0], by_part[1], by_part[2]
    change_w, spent_j = by_part[3], by_part[4]
    for i in range(n):
        inflow[i] = b.ambient_push_per_k[fan, i] * ambient_c
        for k in range(n):
            modes[i] += b.to_modes[fan, i, k] * temps_c[k]
    for row in range(len(dt_s)):
        busy_powers(
            b, level[row], busy[row], loop[row], traffic[row], fan, online[row], power_w, gain_w
        )
        heat_inputs(n, m, modes, power_w, gain_w, b.law, inflow, see, heat, leak_w, push, change_w)
        steps = max(1, int(np.ceil(dt_s[row] / longest_step_s)))
        exponentials(tau_s, dt_s[row] / steps, decay, phi1, phi2)
        for _ in range(steps):
            heat_step(
                n, m, dt_s[row] / steps, modes, push, leak_w, power_w, gain_w, b.law, see, heat,
                decay, phi1, phi2, spent_j, change_w,
            )  # fmt: skip
        _read(b, fan, modes, power_w, leak_w, zones_c[row], rails_w[row])
        for p in range(m):
            energy_j[row] += b.drawn_per_w * (used_j[p] + spent_j[p])
    for p in range(m):
        used_j[p] += spent_j[p]
    last_c = np.zeros(n)
    for i in range(n):
        for k in range(n):
            last_c[i] += b.from_modes[fan, i, k] * modes[k]
    return last_c


@merged
def _read(
    b: Any, fan: int, modes: Any, power_w: Any, leak_w: Any, zone_c: Any, rail_w: Any
) -> None:
    """What zones and rails of a board read, (zones,) and (rails,), without rounding and noise."""
    for z in range(b.zones):
        zone_c[z] = b.zone_offset_k[z]
        for i in range(b.nodes):
            zone_c[z] += b.see_zone[fan, z, i] * modes[i]
    for r in range(b.rails):
        for p in range(b.parts):
            rail_w[r] += b.rail_covers[r, p] * (power_w[p] + leak_w[p])


@jit
def _held(
    board: Any,
    fan: Any,
    nodes_c: Any,
    level: Any,
    busy: Any,
    loop: Any,
    traffic: Any,
    online: Any,
    rails_w: Any,
) -> None:
    """Fill rails_w (rows, n_rails): every reading is a stretch of no length from its own heat."""
    used_j, energy_j, dt_s = np.zeros(board[0].parts), np.zeros(1), np.zeros(1)
    zones_c = np.zeros((1, board[0].zones))
    for row in range(len(fan)):
        at = slice(row, row + 1)
        stretch(
            board, fan[row], 0.0, dt_s, level[at], busy[at], loop[at], traffic[at], online[at],
            nodes_c[row], used_j, zones_c, rails_w[at], energy_j, LONGEST_STEP_S,
        )  # fmt: skip
