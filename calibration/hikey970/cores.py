"""Core power of the Kirin 970: the form of the Kirin 960, the 970's own voltages and costs.

    P = a V^2 f + l V^3 shape(T) + k        one busy core, T warmed by P itself

The vendor's table for the scheduler gives P by clock. On a HiKey 960 the same kind of table is what
was measured at the board's input. On the 970 it has a part k that neither clock nor voltage moves.
Leakage has V^3, so k is none (fits that call it leakage find ten times what the idle states of a
HiKey 960 allow). It is the core's own, or it wakes with a core (bus, memory) and is in the board's
baseline already. The table does not say: a is the geometric mean of both readings.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.board import Board
from hw_models.fit import fit_cluster_power
from hw_models.fit.cluster_power import place_of
from hw_models.fit.heated import ln_heated_w
from hw_models.fit.points import Solution, Unknown, solve
from hw_models.tables import read_cluster_power_table

Array = NDArray[np.float64]

CORES: Final = {"Cortex-A53": "a53", "Cortex-A73": "a73"}
# Watts of 1 to 4 busy cores of a Kirin 960 at the top clock, in a phone: AnandTech 11088/4.
PHONE_960_W: Final = {
    "Cortex-A53": (0.654, 0.885, 1.136, 1.435),
    "Cortex-A73": (1.812, 2.845, 4.082, 5.312),
}
# A coefficient of the device tree missed the cores of the Kirin 960 by up to this much (ln).
_COEFFICIENT_SPREAD: Final = 0.6
# How much leakage per capacitance may differ between two processes and two chips (ln).
_LEAKAGE_SPREAD: Final = 0.5
_TABLE_NOISE: Final = 0.05
_AWAKE: Final = (0.05, 1.5)  # W of k, and its spread (ln)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """The scheduler's table of one kind of core, (n,) each: busy core and cluster in watts."""

    freq_hz: Array
    opp_v: Array
    core_w: Array
    cluster_w: Array

    def busy_w(self, n: int) -> Array:
        """Watts of n busy cores and their cluster at every clock."""
        return n * self.core_w + self.cluster_w


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What one core of the 970 draws, and where it comes from.

    own_f and woken_f are the active capacitance if k is the core's own, or something else's; both
    in farads, shares are standard errors of ln. missed (m,) is the cost table of the 960 over what
    was measured there, 1 and 4 cores.
    """

    own_f: float
    woken_f: float
    awake_w: float
    fit_share: float
    missed: Array
    leakage_w: float
    leakage_share: float
    costs_960: Costs

    def top_960_w(self, n: int) -> float:
        """The 960's cost of n busy cores and their cluster at its top clock."""
        return float(self.costs_960.busy_w(n)[-1])

    @property
    def active_f(self) -> float:
        """Active capacitance per core."""
        return float(np.sqrt(self.own_f * self.woken_f))

    @property
    def share(self) -> float:
        """Its standard error as a share: the two readings, the fit, tables against meters."""
        readings = 0.5 * np.log(self.own_f / self.woken_f)
        table = np.sqrt(np.mean(np.log(self.missed) ** 2))
        return float(np.sqrt(readings**2 + self.fit_share**2 + table**2))


def read_costs(path: Path, core: str) -> Costs:
    """The rows of one kind of core; mW, kHz and mV in the file."""
    table = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    rows = table[table["core"] == core]
    return Costs(
        freq_hz=rows["freq_khz"] * 1e3,
        opp_v=rows["opp_mv"] / 1e3,
        core_w=rows["core_busy_cost"] / 1e3,
        cluster_w=rows["cluster_busy_cost"] / 1e3,
    )


def core_of(
    board: Board, like: Board, core: str, costs: Costs, costs_960: Costs, measured_960: Path
) -> Core:
    """One kind of core; board is the 970 before the fit, like the 960 before its own."""
    group, table = CORES[core], read_cluster_power_table(measured_960).of(core)
    leak = fit_cluster_power(like, table, {core: group})[f"power.units.{group}.leakage_w"]
    leakage_w = leak.value * _per_cycle_f(costs) / _per_cycle_f(costs_960)
    leakage_share = float(np.hypot(leak.std / leak.value, _LEAKAGE_SPREAD))
    own, woken = (_fitted(board, group, costs, leakage_w, has_constant=k) for k in (False, True))
    at = np.searchsorted(costs_960.freq_hz, table.freq_hz)
    said_w = table.n_cpus * costs_960.core_w[at] + costs_960.cluster_w[at]
    return Core(
        own_f=float(own.values[0]),
        woken_f=float(woken.values[0]),
        awake_w=float(woken.values[1]),
        fit_share=float(np.sqrt(woken.covariance[0, 0])),
        missed=said_w / table.power_w,
        leakage_w=leakage_w,
        leakage_share=leakage_share,
        costs_960=costs_960,
    )


def _per_cycle_f(costs: Costs) -> float:
    """Cost over V^2 f, middle of the three highest clocks: where little else than switching is."""
    return float(np.median((costs.core_w / (costs.opp_v**2 * costs.freq_hz))[-3:]))


def _fitted(
    board: Board, group: str, costs: Costs, leakage_w: float, *, has_constant: bool
) -> Solution:
    """a and (with has_constant) k from the cost of one busy core by clock; l is known."""
    place, n = place_of(board, group), len(costs.core_w)
    rest_c, rise = np.full(n, place.rest_c), np.full(n, place.rise_k_per_w[0])
    switching, none = costs.opp_v**2 * costs.freq_hz, np.zeros(n)
    leaking = leakage_w * costs.opp_v**place.volt_exponent
    coefficient = board.power.units[group].active_capacitance_f.value
    unknowns = (
        Unknown(path="active", prior=coefficient, spread=_COEFFICIENT_SPREAD),
        Unknown(path="awake", prior=_AWAKE[0], spread=_AWAKE[1]),
    )[: 1 + has_constant]  # fmt: skip

    def evaluate(ln: Array) -> tuple[Array, Array]:
        p = np.exp(ln)
        awake = np.full(n, p[1]) if has_constant else none
        said, slopes = ln_heated_w(
            np.stack([p[0] * switching, awake], axis=1), np.stack([leaking, none], axis=1),
            rest_c, rise, place.law,
        )  # fmt: skip
        return said, slopes[:, : len(p)]

    return solve(evaluate, costs.core_w, unknowns, seed=0, noise=_TABLE_NOISE)
