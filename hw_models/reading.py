"""A Reading is one row of a trace: its fields become columns, and a row of columns a Reading."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.trace_columns import Columns, missing

_JOB_NUMBERS: Final = ("progress", "rate", "target", "l2d_per_s", "batch")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class JobReading:
    """A job tells where it runs, how far it is and how fast it goes.

    ``rate`` and ``target`` are work per second: instructions for an Application, samples for a
    TrainingJob, forward passes for a ForwardJob. ``progress`` is the share of the work done in
    [0, 1], None for endless work; ``unit`` is None while the job waits.
    """

    unit: str | None
    progress: float | None
    rate: float
    target: float | None
    l2d_per_s: float | None
    batch: int | None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the sensors of one board said at one instant.

    ``temps_c`` by zone and ``power_w`` by rail hold None where a sensor gives nothing now (dropped,
    offline); ``power_w`` is None on a board without a power sensor. ``energy_j`` counts since
    reset, ``freq_hz`` is by domain, ``busy`` by unit as a share in [0, 1], ``memory_busy`` is the
    share of the memory's bandwidth in use (None where the board does not tell), ``fan`` a level.
    """

    t_s: float
    temps_c: Mapping[str, float | None]
    power_w: Mapping[str, float | None] | None
    energy_j: float | None
    freq_hz: Mapping[str, float]
    busy: Mapping[str, float]
    memory_busy: float | None = None
    fan: int | None
    throttled: bool
    cap_w: float | None
    jobs: Mapping[str, JobReading]


def columns_of(readings: Sequence[Reading]) -> dict[str, NDArray[Any]]:
    """Readings become columns: the union of their keys in order of appearance, gaps as NaN."""
    fans = [reading.fan for reading in readings]
    return {
        "t_s": np.array([reading.t_s for reading in readings], dtype=float),
        **gathered("temps_c", [reading.temps_c for reading in readings]),
        **gathered("power_w", [reading.power_w or {} for reading in readings]),
        "energy_j": np.array([reading.energy_j for reading in readings], dtype=float),
        **gathered("freq_hz", [reading.freq_hz for reading in readings]),
        **gathered("busy", [reading.busy for reading in readings]),
        **_memory(readings),
        "fan": np.array(fans, dtype=float if None in fans else int),
        "throttled": np.array([reading.throttled for reading in readings], dtype=bool),
        "cap_w": np.array([reading.cap_w for reading in readings], dtype=float),
        **_job_columns([reading.jobs for reading in readings]),
    }


def _memory(readings: Sequence[Reading]) -> dict[str, NDArray[np.float64]]:
    """The memory's load, where some reading has it."""
    loads = [reading.memory_busy for reading in readings]
    if all(load is None for load in loads):
        return {}
    return {"memory_busy": np.array(loads, dtype=float)}


def gathered(
    group: str, rows: Sequence[Mapping[str, float | None]]
) -> dict[str, NDArray[np.float64]]:
    """Rows of named numbers become one column per name, with NaN where a row lacks it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        f"{group}.{name}": np.array([row.get(name) for row in rows], dtype=float) for name in names
    }


def _job_columns(rows: Sequence[Mapping[str, JobReading]]) -> dict[str, NDArray[Any]]:
    """Each job has its six columns, empty in the rows where it is not on the board."""
    columns: dict[str, NDArray[Any]] = {}
    for row, jobs in enumerate(rows):
        for name, job in jobs.items():
            at = f"jobs.{name}."
            if at + "unit" not in columns:
                columns[at + "unit"] = missing("string", len(rows))
                columns |= {at + field: missing("float", len(rows)) for field in _JOB_NUMBERS}
            columns[at + "unit"][row] = job.unit
            for field in _JOB_NUMBERS:
                columns[at + field][row] = getattr(job, field)
    return columns


@final
class RowReader:
    """Columns sorted by what they say, so that one row of them is a reading."""

    __slots__ = ("_groups", "_jobs", "_plain", "_present")

    def __init__(self, columns: Columns) -> None:
        self._plain = {name: values for name, values in columns.items() if "." not in name}
        self._groups: dict[str, dict[str, NDArray[Any]]] = {}
        for name, values in columns.items():
            group, _, key = name.partition(".")
            self._groups.setdefault(group, {})[key] = values
        self._jobs: dict[str, dict[str, NDArray[Any]]] = {}
        for name, values in self._groups.pop("jobs", {}).items():
            job, _, field = name.rpartition(".")
            self._jobs.setdefault(job, {})[field] = values
        self._present = {job: _present(fields) for job, fields in self._jobs.items()}

    def reading(self, row: int) -> Reading:
        """The reading that row ``row`` of the columns holds."""
        fan = self._number("fan", row)
        return Reading(
            t_s=self._plain["t_s"].item(row),
            temps_c=self._group("temps_c", row),
            power_w=self._group("power_w", row) if "power_w" in self._groups else None,
            energy_j=self._number("energy_j", row),
            freq_hz=self._known("freq_hz", row),
            busy=self._known("busy", row),
            memory_busy=self._number("memory_busy", row),
            fan=None if fan is None else int(fan),
            throttled="throttled" in self._plain and self._plain["throttled"].item(row),
            cap_w=self._number("cap_w", row),
            jobs={
                job: _job_reading(self._jobs[job], row)
                for job, present in self._present.items()
                if present.item(row)
            },
        )

    def _number(self, name: str, row: int) -> float | None:
        return _value(self._plain[name], row) if name in self._plain else None

    def _group(self, group: str, row: int) -> dict[str, float | None]:
        return {key: _value(values, row) for key, values in self._groups.get(group, {}).items()}

    def _known(self, group: str, row: int) -> dict[str, float]:
        return {key: value for key, value in self._group(group, row).items() if value is not None}


def _value(values: NDArray[Any], row: int) -> Any:
    """One cell of a column; a gap is None."""
    value = values.item(row)
    return None if isinstance(value, float) and math.isnan(value) else value


def _present(fields: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """A job is on the board in the rows where any of its columns says something."""
    said = [
        np.array([cell is not None for cell in values], dtype=bool)
        if values.dtype == object
        else ~np.isnan(values)
        for values in fields.values()
    ]
    return np.asarray(np.logical_or.reduce(said), dtype=bool)


def _job_reading(fields: Mapping[str, NDArray[Any]], row: int) -> JobReading:
    """What one row says about a job; a rate that is not there is NaN."""
    cells = {field: _value(values, row) for field, values in fields.items()}
    rate, batch = cells.get("rate"), cells.get("batch")
    return JobReading(
        unit=cells.get("unit"),
        progress=cells.get("progress"),
        rate=math.nan if rate is None else rate,
        target=cells.get("target"),
        l2d_per_s=cells.get("l2d_per_s"),
        batch=None if batch is None else int(batch),
    )
