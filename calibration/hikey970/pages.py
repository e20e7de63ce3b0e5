"""What the HiKey 970 recipe says: notes of its sources, and the report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from calibration import report
from calibration.hikey970.cores import CORES, PHONE_960_W, Core, Costs
from calibration.hikey970.heat import Opinion
from hw_models.board import Board
from hw_models.certificate import Certificate
from hw_models.power import powers_w
from hw_models.thermal import Network, leakage_law

_CORES: Final = (
    "Capacitance and leakage of cores: form of the Kirin 960, costs of the Kirin 970",
    "P = a V^2 f + l V^3 shape(T) of one busy core against the scheduler's costs read as mW, which "
    "on a HiKey 960 are what was measured. A part of the costs that neither clock nor voltage "
    "moves is the core's own or wakes with it: the geometric mean of both readings. Leakage is the "
    "HiKey 960's, scaled by cost per cycle. No watt of this board was published.",
)
_NETWORK: Final = (
    "Heat: network from geometry, scaled by an Odroid XU3",
    "Rise of the big cores over the sink, conductance to still air and heat capacity are the "
    "geometric mean of what geometry gives and what was measured on an Odroid XU3; a fan keeps "
    "its assumed ratio. No temperature of this board was published.",
)
SAID: Final[Mapping[str, tuple[str, str, Mapping[str, float | str]]]] = {
    "fit_cores": (*_CORES, {}),
    "fit_heat": (*_NETWORK, {}),
}
_STATES: Final = (1, 4)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRow:
    """A cluster with n busy cores at one clock: the vendor's cost and what the board file says."""

    core: str
    freq_hz: float
    opp_v: float
    n: int
    cost_w: float
    said_w: float


def cluster_rows(board: Board, tables: Mapping[str, Costs]) -> list[ClusterRow]:
    """Every clock with 1 and 4 busy cores; heat settled, the cluster's own share of the power."""
    return [
        ClusterRow(
            core=core, freq_hz=float(costs.freq_hz[i]), opp_v=float(costs.opp_v[i]), n=n,
            cost_w=float(costs.busy_w(n)[i]), said_w=_settled_w(board, CORES[core], i, n),
        )
        for core, costs in tables.items()
        for i in range(len(costs.freq_hz))
        for n in _STATES
    ]  # fmt: skip


def _settled_w(board: Board, group: str, level: int, n: int) -> float:
    """What a cluster draws with n busy cores once its heat has settled; idle cores leak nothing."""
    domains, units = list(board.clocks), [unit.name for unit in board.unit_list]
    members, domain = board.units[group].members, board.units[group].domain
    levels = np.zeros(len(domains), dtype=np.int64)
    levels[domains.index(domain)] = level
    busy = np.array([float(name in members[:n]) for name in units])
    power_w, gain_w = powers_w(board, level=levels, busy=busy)
    network = Network.of(board)
    temps_c = network.steady(power_w, board.thermal.ambient_c.value, gain_w, leakage_law(board))
    counted = [*members[:n], f"{domain}-shared", f"{domain}-cluster"]
    at = np.array([board.parts.index(name) for name in counted])
    law = board.power.leakage
    c1, c2, c3 = law.coefficients.value
    d = temps_c[network.part_node[at]] - law.reference_c.value
    shape = 1.0 + d * (c1 + d * (c2 + d * c3))
    return float((power_w[at] + gain_w[at] * shape).sum())


def page(
    certificate: Certificate,
    said: Sequence[ClusterRow],
    cores: Mapping[str, Core],
    tables: Mapping[str, Costs],
    heat: Sequence[Opinion],
) -> str:
    """The report: cores, their check by the published watts of a phone, heat, parameters."""
    fitted = {name: rows["all"] for name, rows in certificate.errors["fitted"].items()}
    return report.page(
        "HiKey 970: how its board file came about",
        {
            "What there is": _WHAT,
            "Cores": _READINGS + "\n\n" + _readings(cores),
            "Against the scheduler's costs": report.errors(fitted) + "\n\n" + _costs(said),
            "Against a phone with a Kirin 960": _PHONE + "\n\n" + _phone(said, tables, cores),
            "Heat": _HEAT + "\n\n" + _heat(heat),
            "Parameters": report.parameters(certificate),
            "What the data cannot tell": report.findings(certificate),
            "Grade": f"{certificate.grade}: {certificate.reason}.",
        },
    )


_WHAT: Final = (
    "No power and no temperature of a HiKey 970 was ever published. There are the vendor's device "
    "tree (operating points, dynamic coefficients, costs for the scheduler), the same table and "
    "measured watts of the HiKey 960 with the same kinds of core, watts of a Kirin 960 in a phone "
    "(AnandTech 11088/4), and the Odroid XU3 as a measured board of this kind. Nothing here was "
    "fitted to the board itself; the errors below are misfits to documents."
)
_READINGS: Final = (
    "*own*: all of a cost is drawn by the core. *woken*: its constant part belongs to what wakes "
    "with a core and is in the board's baseline. Shipped is their geometric mean; its standard "
    "error has half their distance, the fit's own, and how far the 960's table is from its meter "
    "(ln, 1 and 4 cores). Leakage is no way out: free, a fit makes the constant part leakage of "
    "0.4 W per A73, ten times what a HiKey 960 saves by switching idle cores off."
)
_PHONE: Final = (
    "The phone's watts times the 970's over the 960's cost at the top clock. Under this lighter "
    "load a HiKey 960 too draws about half of what its cost table says (A73), so the shipped "
    "numbers, which follow the tables, should lie above."
)
_HEAT: Final = (
    "Means are geometric; the standard error has both spreads (ln 0.7, 0.3, 0.4: another die and "
    "package; another sink in the same air; another mass) and half the distance."
)


def _readings(cores: Mapping[str, Core]) -> str:
    rows: list[report.Row] = [
        [name, 1e12 * core.own_f, 1e12 * core.woken_f, 1e3 * core.awake_w, 1e12 * core.active_f,
         100.0 * core.share, float(np.exp(np.mean(np.log(core.missed)))),
         1e3 * core.leakage_w, 100.0 * core.leakage_share]
        for name, core in cores.items()
    ]  # fmt: skip
    head = [
        "core", "own pF", "woken pF", "constant mW", "shipped pF", "std %",
        "960: table over meter", "leakage mW (1 V, 50 degC)", "std %",
    ]  # fmt: skip
    return report.table(head, rows)


def _costs(said: Sequence[ClusterRow]) -> str:
    rows: list[report.Row] = [
        [row.core, row.freq_hz / 1e6, row.opp_v, row.n, row.cost_w, row.said_w,
         100.0 * (row.said_w / row.cost_w - 1.0)]
        for row in said
    ]  # fmt: skip
    return report.table(["core", "MHz", "V", "busy cores", "cost W", "board W", "off %"], rows)


def _phone(
    said: Sequence[ClusterRow], tables: Mapping[str, Costs], cores: Mapping[str, Core]
) -> str:
    rows: list[report.Row] = []
    for name, core in cores.items():
        for n in _STATES:
            top = [row for row in said if row.core == name and row.n == n][-1]
            ratio = tables[name].busy_w(n)[-1] / core.top_960_w(n)
            phone_w = PHONE_960_W[name][n - 1]
            rows.append([name, n, phone_w, ratio, phone_w * ratio, top.cost_w, top.said_w])
    head = ["core", "busy cores", "960 phone W", "970 / 960 cost", "scaled W", "cost W", "board W"]
    return report.table(head, rows)


def _heat(heat: Sequence[Opinion]) -> str:
    rows: list[report.Row] = [[o.what, o.geometry, o.odroid, o.mean, 100.0 * o.share] for o in heat]
    return report.table(["figure", "geometry", "Odroid XU3", "shipped", "std %"], rows)
