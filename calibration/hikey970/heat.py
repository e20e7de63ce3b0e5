"""Heat of a HiKey 970: a network from geometry, scaled by what an Odroid XU3 was measured to do.

No temperature of this board was published. Geometry gives the shape of the network; how far cores
rise over the heatsink, what still air takes from sink and board and what both hold are measured on
the Odroid XU3, another open board of a phone chip with eight cores. Geometry and Odroid are two
opinions of equal weight, known to a factor (its ln below); their geometric mean is shipped.
"""

from dataclasses import dataclass
from typing import Final, final

import numpy as np

from calibration.build import digits
from hw_models.board import Board
from hw_models.parameters import std_at, value_at, with_values
from hw_models.thermal import Network

# ln: another package, die and contact; another sink in the same air.
_CORES_SPREAD: Final = 0.7
_AIR_SPREAD: Final = 0.3
_MASS_SPREAD: Final = 0.4


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """One figure as geometry and the Odroid have it; spread (ln) of either."""

    what: str
    geometry: float
    odroid: float
    spread: float

    @property
    def mean(self) -> float:
        """What is shipped."""
        return float(np.sqrt(self.geometry * self.odroid))

    @property
    def share(self) -> float:
        """Its standard error as a share: both spreads, and how far the opinions are apart."""
        apart = 0.5 * np.log(self.geometry / self.odroid)
        return float(np.hypot(self.spread / np.sqrt(2.0), apart))


def opinions(board: Board, odroid: Board) -> tuple[Opinion, Opinion, Opinion]:
    """Rise of the big cores over the sink, conductance to still air, heat capacity."""
    rises = _rise_k_per_w(board, "a73", "sink_base"), _rise_k_per_w(odroid, "a15", "sink")
    cases = (
        ("big cores over the heatsink, heated evenly, K/W", *rises, _CORES_SPREAD),
        ("conductance to still air, W/K", _to_air(board), _to_air(odroid), _AIR_SPREAD),
        ("heat capacity in all, J/K", _mass(board), _mass(odroid), _MASS_SPREAD),
    )
    return tuple(
        Opinion(what=what, geometry=ours, odroid=theirs, spread=spread)
        for what, ours, theirs, spread in cases
    )  # type: ignore[return-value]


def scaled(board: Board, odroid: Board, source: str) -> Board:
    """The board with all inner links, all ways to the air and all capacities scaled.

    Standard errors are those of the figure and of the number's share in it, as far as they go
    together; a fan keeps its ratio to still air.
    """
    cores, air, mass = opinions(board, odroid)
    factors: dict[str, tuple[float, float]] = {}
    for i in range(len(board.thermal.links)):
        at = f"thermal.links[{i}].conductance_w_per_k"
        factors[at] = cores.geometry / cores.mean, cores.share
    for i, way in enumerate(board.thermal.cooling):
        for level in range(len(way.conductance_w_per_k.value)):
            at = f"thermal.cooling[{i}].conductance_w_per_k[{level}]"
            factors[at] = air.mean / air.geometry, air.share
    for i in range(len(board.thermal.nodes)):
        factors[f"thermal.capacity_j_per_k[{i}]"] = mass.mean / mass.geometry, mass.share
    values, std = {}, {}
    for at, (factor, share) in factors.items():
        value = value_at(board, at)
        values[at] = digits(value * factor, 3)
        std[at] = digits(values[at] * max(share, std_at(board, at) / value), 2)
    return with_values(board, values, std=std, source=source)


def _rise_k_per_w(board: Board, group: str, sink: str) -> float:
    """How much warmer a cluster is than the heatsink, per watt that all its cores share."""
    nodes = list(board.thermal.nodes)
    cores = [nodes.index(node) for node in board.units[group].nodes]
    rise = Network.of(board).resistance_k_per_w[:, cores].mean(axis=1)
    return float(rise[cores].mean() - rise[nodes.index(sink)])


def _to_air(board: Board) -> float:
    return float(sum(way.conductance_w_per_k.value[0] for way in board.thermal.cooling))


def _mass(board: Board) -> float:
    return float(sum(board.thermal.capacity_j_per_k.value))
