"""Tables of measured points: latency, training steps, cluster power, batch x limit grids.

A table is a CSV with one measured point per line. Every reader refuses, in one line that names the
file and the line, what is missing, no number, not above zero or there twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from hw_models.naming import unknown
from hw_models.trace_csv import read_table

Array = NDArray[np.float64]
Names = tuple[str, ...]
Kind = Literal["latency", "steps", "cluster power", "grid"]

_COLUMNS: Final[Mapping[Kind, Names]] = {
    "latency": ("network", "gpu_hz", "emc_hz", "latency_s"),
    "steps": ("network", "batch", "gpu_hz", "emc_hz", "step_s", "mean_w", "peak_w"),
    "cluster power": ("core", "freq_hz", "opp_v", "n_cpus", "power_w"),
    "grid": ("dataset", "network", "batch_size", "optimizer", "power_limit", "time_per_epoch",
             "average_power"),
}  # fmt: skip
_WORDS: Final = ("network", "core", "dataset", "optimizer")
# What tells one point from another; two lines that agree in these are one point measured twice.
_KEYS: Final[Mapping[Kind, Names]] = {
    "latency": ("network", "gpu_hz", "emc_hz"),
    "steps": ("network", "batch", "gpu_hz", "emc_hz"),
    "cluster power": ("core", "freq_hz", "n_cpus"),
    "grid": ("dataset", "network", "optimizer", "batch_size", "power_limit"),
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTable:
    """Seconds of one inference by network and clocks; networks (n,), the arrays (n,)."""

    networks: Names
    gpu_hz: Array
    emc_hz: Array
    latency_s: Array

    def of(self, network: str) -> "LatencyTable":
        """The points of one network; KeyError with the nearest name for an unknown one."""
        at = _where(self.networks, network)
        return self.take(at)

    def take(self, at: Sequence[int] | NDArray[np.int64]) -> "LatencyTable":
        """Some of the points, by position."""
        return LatencyTable(
            networks=tuple(self.networks[i] for i in at),
            gpu_hz=self.gpu_hz[at],
            emc_hz=self.emc_hz[at],
            latency_s=self.latency_s[at],
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepTable:
    """Seconds, mean and peak watts of one training step; networks (n,), the arrays (n,)."""

    networks: Names
    batch: Array
    gpu_hz: Array
    emc_hz: Array
    step_s: Array
    mean_w: Array
    peak_w: Array

    def of(self, network: str) -> "StepTable":
        """The points of one network; KeyError with the nearest name for an unknown one."""
        return self.take(_where(self.networks, network))

    def take(self, at: Sequence[int] | NDArray[np.int64]) -> "StepTable":
        """Some of the points, by position."""
        columns = {name: getattr(self, name)[at] for name in _COLUMNS["steps"][1:]}
        return StepTable(networks=tuple(self.networks[i] for i in at), **columns)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPowerTable:
    """Watts of a CPU cluster by clock and number of busy cores; cores (n,), the arrays (n,)."""

    cores: Names
    freq_hz: Array
    opp_v: Array
    n_cpus: Array
    power_w: Array

    def of(self, core: str) -> "ClusterPowerTable":
        """The points of one kind of core; KeyError with the nearest name for an unknown one."""
        return self.take(_where(self.cores, core))

    def take(self, at: Sequence[int] | NDArray[np.int64]) -> "ClusterPowerTable":
        """Some of the points, by position."""
        columns = {name: getattr(self, name)[at] for name in _COLUMNS["cluster power"][1:]}
        return ClusterPowerTable(cores=tuple(self.cores[i] for i in at), **columns)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Time and mean power of a training workload over batch size and one knob, (n,) each.

    knob is what the second axis sets: a power limit in watts or a GPU clock in Hz. time_s is the
    time of a fixed number of samples (an epoch), so that a faster cell has a smaller one. peak_w is
    the peak power, where it was measured too.
    """

    workload: str
    knob: Literal["limit_w", "gpu_hz"]
    batch: Array
    setting: Array
    time_s: Array
    power_w: Array
    peak_w: Array | None = None

    def take(self, at: Sequence[int] | NDArray[np.int64]) -> "Grid":
        """Some of the cells, by position."""
        columns = {k: getattr(self, k)[at] for k in ("batch", "setting", "time_s", "power_w")}
        peak_w = None if self.peak_w is None else self.peak_w[at]
        return Grid(workload=self.workload, knob=self.knob, peak_w=peak_w, **columns)


def table_kind(path: str | PathLike[str]) -> Kind | None:
    """Which table a file is, by the columns of its first line; None for none of them."""
    with Path(path).open(encoding="utf-8-sig", errors="replace") as file:
        header = {cell.strip() for cell in file.readline().split(",")}
    return next((kind for kind, names in _COLUMNS.items() if header.issuperset(names)), None)


def read_latency_table(path: str | PathLike[str]) -> LatencyTable:
    """A latency grid (network, gpu_hz, emc_hz, latency_s); ValueError in one line."""
    words, numbers = _read(path, "latency")
    return LatencyTable(networks=words["network"], **numbers)


def read_step_table(path: str | PathLike[str]) -> StepTable:
    """Training steps (network, batch, gpu_hz, emc_hz, step_s, mean_w, peak_w); ValueError."""
    words, numbers = _read(path, "steps")
    table = StepTable(networks=words["network"], **numbers)
    over = np.flatnonzero(table.mean_w > table.peak_w * 1.02)
    if len(over):
        at = int(over[0])
        raise ValueError(
            f"{path}, line {at + 2}: mean_w {table.mean_w[at]:g} is above peak_w "
            f"{table.peak_w[at]:g}; expected the mean of a step below its peak."
        )
    return table


def read_cluster_power_table(path: str | PathLike[str]) -> ClusterPowerTable:
    """Cluster power (core, freq_hz, opp_v, n_cpus, power_w); ValueError in one line."""
    words, numbers = _read(path, "cluster power")
    return ClusterPowerTable(cores=words["core"], **numbers)


def read_grids(path: str | PathLike[str]) -> dict[str, Grid]:
    """Grids of a Zeus power summary by workload, dataset/network/optimizer; ValueError.

    The columns batch_size, power_limit (W), time_per_epoch (s) and average_power (W) are those of
    github ml-energy/zeus@75a8b939.
    """
    words, numbers = _read(path, "grid")
    names = list(
        map("/".join, zip(words["dataset"], words["network"], words["optimizer"], strict=True))
    )
    whole = Grid(
        workload="",
        knob="limit_w",
        batch=numbers["batch_size"],
        setting=numbers["power_limit"],
        time_s=numbers["time_per_epoch"],
        power_w=numbers["average_power"],
    )
    found = {}
    for name in dict.fromkeys(names):
        at = np.array([i for i, other in enumerate(names) if other == name])
        order = at[np.lexsort((whole.setting[at], whole.batch[at]))]
        cells = whole.take(order)
        found[name] = Grid(
            workload=name, knob="limit_w", batch=cells.batch, setting=cells.setting,
            time_s=cells.time_s, power_w=cells.power_w,
        )  # fmt: skip
    return found


def _where(names: Names, name: str) -> NDArray[np.int64]:
    if name not in names:
        raise KeyError(unknown("entry of the table", name, dict.fromkeys(names)))
    return np.array([i for i, other in enumerate(names) if other == name])


def _read(path: str | PathLike[str], kind: Kind) -> tuple[dict[str, Names], dict[str, Array]]:
    """The columns of words and those of numbers; ValueError in one line."""
    try:
        table = read_table(Path(path).read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    table = {name.strip(): cells for name, cells in table.items()}
    missing = [name for name in _COLUMNS[kind] if name not in table]
    if missing:
        raise ValueError(
            f"{path}: no column {missing[0]!r}; a table of {kind} has the columns "
            f"{','.join(_COLUMNS[kind])}."
        )
    if not len(table[_COLUMNS[kind][0]]):
        raise ValueError(f"{path}: no measured point; expected one per line.")
    words = {name: table[name] for name in _COLUMNS[kind] if name in _WORDS}
    numbers = {
        name: np.array([_number(path, i, name, cell) for i, cell in enumerate(table[name])])
        for name in _COLUMNS[kind]
        if name not in _WORDS
    }
    _refuse_doubles(path, [{**words, **numbers}[name] for name in _KEYS[kind]])
    return words, numbers


def _number(path: str | PathLike[str], row: int, name: str, cell: str) -> float:
    """The number in a cell; ValueError unless it is finite and above zero."""
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if not np.isfinite(value) or value <= 0.0:
        raise ValueError(
            f"{path}, line {row + 2}: {name} is {cell!r}; expected a number above zero."
        )
    return value


def _refuse_doubles(path: str | PathLike[str], keys: Sequence[Iterable[str | float]]) -> None:
    seen: dict[tuple[str | float, ...], int] = {}
    for row, point in enumerate(zip(*keys, strict=True)):
        if point in seen:
            shown = ", ".join(key if isinstance(key, str) else f"{key:g}" for key in point)
            raise ValueError(
                f"{path}, line {row + 2}: {shown} stands in line {seen[point] + 2} already; give "
                "every point once, as its mean."
            )
        seen[point] = row
