"""Cluster power tables: watts by clock, voltage and number of busy cores.

    P = (n a + b) V^2 f + (n l + s) V^e shape(T),   T = T_rest + r_n P

a and l are the board's active capacitance and leakage per core, b and s those of the logic the
cluster shares, e and shape the board's leakage law. A cluster under load is not at room
temperature, and tables do not say at which: T follows from the cluster's own power through the
board's thermal network, whose resistance is scaled by a nuisance, `runs.<core>.resistance_scale`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.heated import ln_heated_w
from hw_models.fit.latency import Predicted
from hw_models.fit.points import Evaluate, Solution, Unknown, solve
from hw_models.fit.result import FitResult
from hw_models.fit.verdicts import judged
from hw_models.naming import unknown
from hw_models.power import powers_w
from hw_models.tables import ClusterPowerTable
from hw_models.thermal import Network, leakage_law

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]

NOISE: Final = 0.02  # meter at the board's input, means over seconds
_LEAKING: Final = 0.2  # share of the lowest power that is leakage, known to a factor of three
_CURES: Final = {
    "active_capacitance_f": "points at every clock with one core and with all cores busy",
    "leakage_w": "points at one clock at different temperatures: leakage has no clock",
    "resistance_scale": "temperatures beside the watts",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A cluster of a board: its group and domain, and what its heat does.

    rise_k_per_w (n_members,) is the mean rise of n busy cores per watt of the cluster, for n = 1
    and up; rest_c the temperature at rest.
    """

    group: str
    domain: str
    rise_k_per_w: Array
    rest_c: float
    law: Array
    volt_exponent: float

    @property
    def paths(self) -> tuple[str, ...]:
        """The board's parameters that the table bears on, in the order of the fit."""
        unit, shared = f"power.units.{self.group}", f"power.domains.{self.domain}"
        return (
            f"{unit}.active_capacitance_f", f"{shared}.active_capacitance_f",
            f"{unit}.leakage_w", f"{shared}.leakage_w",
        )  # fmt: skip


def fit_cluster_power(
    board: "Board", table: ClusterPowerTable, groups: dict[str, str], *, seed: int = 0
) -> FitResult:
    """Capacitance and leakage of cores and shared logic of every cluster of the table.

    groups says which unit group of the board is which core of the table, as in
    {"Cortex-A73": "a73"}. Leakage leans on a prior: a fifth of the lowest power, known to a factor
    of three; nothing is taken from the board's power section but the leakage law. rms has the
    relative residual by core. KeyError for an unknown core or group, ValueError where the cluster
    lacks power parameters.
    """
    solutions = {}
    for core, group in groups.items():
        solutions[core] = _solution(table.of(core), core, place_of(board, group), seed)
    return judged(solutions, seed=seed, cures=_CURES)


def predict_cluster_power(
    board: "Board", result: FitResult, core: str, group: str, *,
    freq_hz: Array, opp_v: Array, n_cpus: Array,
) -> Predicted:  # fmt: skip
    """Watts of a cluster at other clocks or core counts, (n,), with their uncertainty."""
    place = place_of(board, group)
    paths = [*place.paths, _scale(core)]
    values = np.array([result[p].value for p in paths])
    columns = np.broadcast_arrays(freq_hz, opp_v, n_cpus)
    ln, slopes = _evaluate(place, *(np.asarray(c, dtype=float) for c in columns))(np.log(values))
    covariance = result.covariance_of(paths) / np.outer(values, values)
    variance = np.einsum("ni,ij,nj->n", slopes, covariance, slopes) + result.rms[core] ** 2
    mean = np.exp(ln)
    return Predicted(mean=mean, std=mean * np.sqrt(variance))


def _scale(core: str) -> str:
    return f"runs.{core}.resistance_scale"


def _solution(table: ClusterPowerTable, core: str, place: Place, seed: int) -> Solution:
    per_cycle_f = float(np.median(table.power_w / (table.n_cpus * table.opp_v**2 * table.freq_hz)))
    lowest = int(np.argmin(table.power_w))
    at_one_volt_w = table.power_w[lowest] / table.opp_v[lowest] ** place.volt_exponent
    leak_w = _LEAKING * float(at_one_volt_w) / 2
    priors = (
        (0.8 * per_cycle_f, 1.5), (0.2 * per_cycle_f, 1.5), (leak_w, 1.1), (leak_w, 1.1),
        (1.0, 0.5),
    )  # fmt: skip
    unknowns = [
        Unknown(path=path, prior=prior, spread=spread)
        for path, (prior, spread) in zip((*place.paths, _scale(core)), priors, strict=True)
    ]
    evaluate = _evaluate(place, table.freq_hz, table.opp_v, table.n_cpus)
    return solve(evaluate, table.power_w, unknowns, seed=seed, noise=NOISE)


def _evaluate(place: Place, freq_hz: Array, opp_v: Array, n_cpus: Array) -> Evaluate:
    cores = np.stack([n_cpus, np.ones_like(n_cpus)], axis=1)
    switching = cores * (opp_v**2 * freq_hz)[:, None]
    leaking = cores * (opp_v**place.volt_exponent)[:, None]
    at = np.rint(n_cpus).astype(np.int64)
    most = len(place.rise_k_per_w)
    if at.min() < 1 or at.max() > most:
        raise ValueError(f"n_cpus is {at.min()} to {at.max()}; {place.group} has 1 to {most}.")
    rise, rest_c = place.rise_k_per_w[at - 1], np.full(len(at), place.rest_c)

    def evaluate(ln: Array) -> tuple[Array, Array]:
        p = np.exp(ln)
        found: tuple[Array, Array] = ln_heated_w(
            switching * p[:2], leaking * p[2:4], rest_c, rise * p[4], place.law
        )
        return found

    return evaluate


def place_of(board: "Board", group: str) -> Place:
    """The cluster of a unit group; KeyError for an unknown one, ValueError without shared part."""
    if group not in board.units:
        raise KeyError(unknown(f"unit group of {board.name}", group, board.units))
    members, domain = board.units[group], board.units[group].domain
    if domain not in board.power.domains:
        raise ValueError(
            f"{board.name} has no [power.domains.{domain}]; a cluster's shared part needs one."
        )
    network = Network.of(board)
    at = [board.thermal.nodes.index(node) for node in members.nodes]
    r = network.resistance_k_per_w[np.ix_(at, at)]
    rise = [float(r[:n, :n].mean()) for n in range(1, len(at) + 1)]
    law = board.power.leakage
    return Place(
        group=group,
        domain=domain,
        rise_k_per_w=np.array(rise),
        rest_c=float(_at_rest_c(board, network)[at].mean()),
        law=leakage_law(board),
        volt_exponent=law.volt_exponent.value,
    )


def _at_rest_c(board: "Board", network: Network) -> Array:
    """Node temperatures with nothing busy and every clock at its lowest."""
    level = np.zeros(len(board.clocks), dtype=np.int64)
    power_w, gain_w = powers_w(board, level=level, busy=np.zeros(len(board.unit_list)))
    return network.steady(power_w, board.thermal.ambient_c.value, gain_w, leakage_law(board))
