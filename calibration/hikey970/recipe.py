"""HiKey 970: cluster power from the costs of its device tree, in the form the HiKey 960 bears out.

No watt of this board was ever published. The device tree of the Kirin 970 has a cost per core and
per cluster at each operating point; the tree of the Kirin 960 has the same kind of table, and there
the watts were measured too. So costs are read as milliwatts, n busy cores as n core costs and one
cluster cost, scaled by what the Kirin 960 shows, core type by core type; what it shows of the
scatter goes into every standard deviation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from calibration import report
from calibration.build import Result, digits, finished, rounded, start_board, with_sources
from calibration.data import data_set, found
from hw_models.board import Board
from hw_models.certificate import Certificate
from hw_models.certificate.certify import certify
from hw_models.certificate.figures import errors
from hw_models.certificate.model import Errors
from hw_models.fit import FitResult, fit_cluster_power, predict_cluster_power
from hw_models.quantity import Source
from hw_models.tables import ClusterPowerTable, read_cluster_power_table
from hw_models.trace_csv import read_table

Array = NDArray[np.float64]

COSTS_970: Final = "kirin970/kirin970_cpu_opp_energy.csv"
COSTS_960: Final = "kirin970/hi3660_cpu_opp_energy.csv"
MEASURED_960: Final = "hikey960/power_perf_n1_n4.csv"
GROUPS: Final = {"Cortex-A53": "a53", "Cortex-A73": "a73"}
COUNTS: Final = (1, 2, 3, 4)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Measured watts over those of the costs on the Kirin 960: mean of the logarithm's exponent,
    and the standard deviation of the logarithm."""

    mean: float
    spread: float


def calibrate(data: Path | None = None) -> Result:
    """Board, certificate and report; FileNotFoundError where the data are absent."""
    start, kirin, measured = start_board("hikey970"), found("kirin970", data), found("hikey960", data)
    costs_960 = costs_w(kirin[COSTS_960], (1, 4))
    scales = scales_of(costs_960, read_cluster_power_table(measured[MEASURED_960]))
    table = scaled(costs_w(kirin[COSTS_970], COUNTS), scales)
    said = held_out_w(start, table)
    result = rounded(widened(fit_cluster_power(start, table, GROUPS), scales))
    board = result.board(with_sources(start, {"fit_power": _source(scales)}), "fit_power")
    # The constants of the costs are inside the fitted leakage of the clusters now.
    board = finished(_without_cluster_baselines(board), {"power": "C"})
    held = {f"power_w.{group}": _errors(table, said, core) for core, group in GROUPS.items()}
    certificate = certify(
        board,
        result,
        data={file: data_set("kirin970").files[file].sha256 for file in (COSTS_970, COSTS_960)}
        | {MEASURED_960: data_set("hikey960").files[MEASURED_960].sha256},
        tables={"held-out": held},
        notes=(
            "no measurement of this board: costs of its device tree, scaled as measured on the "
            "HiKey 960; held out: one clock of a cluster in turn, against those costs",
        ),
    )
    return Result(board=board, certificate=certificate, report=_page(certificate, scales, table, said))


def costs_w(path: Path, counts: tuple[int, ...]) -> ClusterPowerTable:
    """Costs of a device tree as watts of a cluster: n core costs and a cluster cost, in mW."""
    cells = read_table(path.read_text(encoding="utf-8"))
    number = {name: np.array(column, dtype=float) for name, column in cells.items() if name != "core"}
    n = np.tile(np.array(counts, dtype=float), len(cells["core"]))
    each = {name: np.repeat(column, len(counts)) for name, column in number.items()}
    return ClusterPowerTable(
        cores=tuple(np.repeat(np.array(cells["core"]), len(counts)).tolist()),
        freq_hz=each["freq_khz"] * 1e3,
        opp_v=each["opp_mv"] / 1e3,
        n_cpus=n,
        power_w=(n * each["core_busy_cost"] + each["cluster_busy_cost"]) / 1e3,
    )


def scales_of(costs: ClusterPowerTable, measured: ClusterPowerTable) -> dict[str, Scale]:
    """How far measured watts are from costs, by core; both tables have the same points."""
    found_scales = {}
    for core in GROUPS:
        said, real = _by_point(costs.of(core)), _by_point(measured.of(core))
        ratio = np.log([real[point] / said[point] for point in sorted(said)])
        found_scales[core] = Scale(mean=float(np.exp(ratio.mean())), spread=float(ratio.std(ddof=1)))
    return found_scales


def scaled(table: ClusterPowerTable, scales: Mapping[str, Scale]) -> ClusterPowerTable:
    """The table with the watts of every core type times its scale."""
    factor = np.array([scales[core].mean for core in table.cores])
    return replace(table, power_w=table.power_w * factor)


def widened(result: FitResult, scales: Mapping[str, Scale]) -> FitResult:
    """The fit with the uncertainty of the scale in every number: std and covariance.

    All numbers of a core type share their scale, so the added errors are fully correlated.
    """
    owner = np.array([_core_of(p.path) for p in result.parameters])
    value = np.array([p.value for p in result.parameters])
    spread = np.array([scales[core].spread for core in owner])
    common = np.outer(value * spread, value * spread) * (owner[:, None] == owner[None, :])
    covariance = result.covariance + common
    return replace(
        result,
        covariance=covariance,
        parameters=tuple(
            replace(p, std=float(np.sqrt(variance)), interval=None)
            for p, variance in zip(result.parameters, np.diag(covariance), strict=True)
        ),
    )


def held_out_w(board: Board, table: ClusterPowerTable) -> Array:
    """Watts of every point (n,) as predicted without the points of its clock."""
    said = np.full(len(table.cores), np.nan)
    for core, group in GROUPS.items():
        is_core = np.array(table.cores) == core
        for hz in np.unique(table.freq_hz[is_core]):
            out = np.flatnonzero(is_core & (table.freq_hz == hz))
            rest = table.take(np.flatnonzero(is_core & (table.freq_hz != hz)))
            points = table.take(out)
            said[out] = predict_cluster_power(
                board, fit_cluster_power(board, rest, {core: group}), core, group,
                freq_hz=points.freq_hz, opp_v=points.opp_v, n_cpus=points.n_cpus,
            ).mean  # fmt: skip
    return said


def _without_cluster_baselines(board: Board) -> Board:
    power = board.power
    kept = {name: part for name, part in power.baseline.items() if not name.endswith("-cluster")}
    return board.model_copy(update={"power": power.model_copy(update={"baseline": kept})})


def _core_of(path: str) -> str:
    for core, group in GROUPS.items():
        if f".{group}." in path or f".{core}." in path:
            return core
    return "Cortex-A53" if ".little." in path else "Cortex-A73"


def _by_point(table: ClusterPowerTable) -> dict[tuple[float, float], float]:
    return {
        (float(hz), float(n)): float(power_w)
        for hz, n, power_w in zip(table.freq_hz, table.n_cpus, table.power_w, strict=True)
    }


def _errors(table: ClusterPowerTable, said: Array, core: str) -> Errors:
    at = np.flatnonzero(np.array(table.cores) == core)
    return errors(table.power_w[at], said[at], 1.0, has_shares=True)


def _source(scales: Mapping[str, Scale]) -> Source:
    data = data_set("kirin970")
    factors = ", ".join(f"{core} {s.mean:.3f} (spread {s.spread:.0%})" for core, s in scales.items())
    return Source(
        kind="fit",
        title="Cluster power from the energy table of the device tree, scaled by the Kirin 960",
        where=f"{data.where}; ARM-software/lisa@bb5ff50d",
        licence="GPL-2.0 device trees, facts only; Apache-2.0",
        recipe="calibration/hikey970/recipe.py",
        data_sha256=data.files[COSTS_970].sha256,
        note=f"P = (n a + b) V^2 f + (n l + s) V^3 shape(T) fitted to n core costs and one cluster cost, read as mW and scaled as the same kind of table misses measured watts on the Kirin 960: {factors}. No watt of this board was published.",
    )


def _page(
    certificate: Certificate, scales: Mapping[str, Scale], table: ClusterPowerTable, said: Array
) -> str:
    factors = report.table(
        ["core", "measured / cost on the Kirin 960", "spread"],
        [[core, scale.mean, scale.spread] for core, scale in scales.items()],
    )
    rows = [
        [core, hz / 1e6, volt_v, n, power_w, digits(predicted, 4), 100.0 * (predicted / power_w - 1)]
        for core, hz, volt_v, n, power_w, predicted in zip(
            table.cores, table.freq_hz, table.opp_v, table.n_cpus, table.power_w, said, strict=True
        )
        if n in (1, 4)
    ]
    head = ["core", "MHz", "V", "busy cores", "scaled cost W", "predicted W", "error %"]
    held = {name: by["all"] for name, by in certificate.errors["held-out"].items()}
    return report.page(
        "HiKey 970: how its board file was made",
        {
            "Scale": f"{_SCALE}\n\n{factors}",
            "Held out: each clock in turn": report.errors(held) + "\n\n" + report.table(head, rows),
            "Parameters": report.parameters(certificate),
            "What the data cannot tell": report.findings(certificate),
            "Heat": _HEAT,
            "Grade": f"{certificate.grade} of the fit; the board file's power is C: {_C}",
        },
    )


_SCALE: Final = "Both trees come from the same vendor and list the same kind of table; on the Kirin 960 one and four busy cores were measured at every clock."
_HEAT: Final = "No temperature of this board was published. The network stays the one of geometry in the start file (grade D). The one big.LITTLE chip with a zone per core that was measured, the Exynos 5422 of the Odroid XU3, has less conductance from a big core to its package than this file (see calibration/odroid_xu3/report.md): a smaller, older package, taken as a warning and not as a number."
_C: Final = "no measurement of this board stands behind it."
