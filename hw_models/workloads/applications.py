"""The 36 CPU programs, profiled on the Cortex-A73 and the Cortex-A53, from the shipped tables."""

import csv
from collections.abc import Iterator
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from hw_models.jobs import ApplicationProfile, CorePhases
from hw_models.naming import unknown
from hw_models.workloads.added import added_workload

Array = NDArray[np.float64]
Row = dict[str, str]

KINDS = ("cortex-a73", "cortex-a53")
"""Kinds of core every program is profiled on: the keys of `by_kind`."""

_PHASE_FIELDS = ("cpi_cycles", "stall_s", "l2d_per_insn", "dram_bytes_per_insn", "activity")
_SOURCE = (
    "deterministic simulation of the AArch64 program (qemu instruction trace, pipeline and cache "
    "models), own measurement, {extent}; see hw_models/workloads/README.md"
)
_EXTENT = {"1": "the whole measured region", "0": "only the first part of the measured region"}


def application_names() -> tuple[str, ...]:
    """Names of all programs: PolyBench first, then PARSEC."""
    return tuple(_programs())


def polybench_names() -> tuple[str, ...]:
    """The 30 PolyBench/C 4.2.1 kernels, on which the thermal system trains."""
    return _of_suite("polybench")


def parsec_names() -> tuple[str, ...]:
    """The 6 PARSEC 3.0 programs, on which the thermal system is tested."""
    return _of_suite("parsec")


def datasets(name: str) -> tuple[str, ...]:
    """Data sets a program was measured with, in file order; KeyError for an unknown program."""
    return tuple(_runs(name))


@cache
def load_application(name: str, dataset: str | None = None) -> ApplicationProfile:
    """The profile of a program on a data set, or of a program that was registered.

    Without `dataset`: the longest run that reached its end. PolyBench LARGE runs often stop after
    0.5e9 or 1e9 instructions; their profile is that of the part measured, as `source` says.
    KeyError, with the nearest name, for an unknown program or data set.
    """
    added = None if name in _programs() else added_workload(name, ApplicationProfile)
    if added is not None:
        return added
    runs = _runs(name)
    if dataset is None:
        dataset = next(d for d, row in runs.items() if row["default"] == "1")
    if dataset not in runs:
        raise KeyError(unknown(f"data set of {name}", dataset, list(runs)))
    row, phases = runs[dataset], _phases()[name, dataset]
    return ApplicationProfile(
        name=name,
        suite=row["suite"],
        dataset=dataset,
        source=_SOURCE.format(extent=_EXTENT[row["whole"]]),
        phase_insns=_column(phases, "phase_insns"),
        by_kind={kind: _core_phases(phases, kind) for kind in KINDS},
        footprint_bytes=float(row["footprint_bytes"]),
    )


def peak_ips(
    profile: ApplicationProfile,
    kind: str,
    freq_hz: float,
    cycles_scale: float = 1.0,
    stall_scale: float = 1.0,
) -> float:
    """Mean instructions/s over all phases alone on one core: sum n / sum n (cycles / f + stall).

    The scales are those of a board's kind of core (CoreKind) against the profiled one. KeyError
    for a kind of core without a profile, ValueError for a clock that is not positive.
    """
    if kind not in profile.by_kind:
        raise KeyError(unknown(f"kind of core in {profile.name}", kind, list(profile.by_kind)))
    if not freq_hz > 0:
        raise ValueError(f"freq_hz is {freq_hz}; give a clock above 0 Hz.")
    phases = profile.by_kind[kind]
    insn_s = phases.cpi_cycles * (cycles_scale / freq_hz) + phases.stall_s * stall_scale
    return float(profile.phase_insns.sum() / (profile.phase_insns @ insn_s))


def _of_suite(suite: str) -> tuple[str, ...]:
    first_rows = ((name, next(iter(runs.values()))) for name, runs in _programs().items())
    return tuple(name for name, row in first_rows if row["suite"] == suite)


def _runs(name: str) -> dict[str, Row]:
    if name not in _programs():
        raise KeyError(unknown("application", name, list(_programs())))
    return _programs()[name]


def _core_phases(rows: list[Row], kind: str) -> CorePhases:
    prefix = kind.replace("-", "_")
    return CorePhases(**{name: _column(rows, f"{prefix}_{name}") for name in _PHASE_FIELDS})


def _column(rows: list[Row], name: str) -> Array:
    """One column (n_phases,), read-only because profiles are shared."""
    column = np.array([float(row[name]) for row in rows])
    column.flags.writeable = False
    return column


@cache
def _programs() -> dict[str, dict[str, Row]]:
    """Rows of programs.csv by program, then data set."""
    found: dict[str, dict[str, Row]] = {}
    for row in _rows("programs.csv"):
        found.setdefault(row["name"], {})[row["dataset"]] = row
    return found


@cache
def _phases() -> dict[tuple[str, str], list[Row]]:
    """Rows of phases.csv, in time order, by program and data set."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in _rows("phases.csv"):
        found.setdefault((row["name"], row["dataset"]), []).append(row)
    return found


def _rows(file_name: str) -> Iterator[Row]:
    file = resources.files("hw_models.workloads") / file_name
    lines = file.read_text(encoding="utf-8").splitlines()
    return csv.DictReader(line for line in lines if not line.startswith("#"))
