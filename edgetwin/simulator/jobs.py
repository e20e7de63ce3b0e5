"""Jobs on a simulated board: where their demand lies, where they start, how they end."""

from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.backend import JobId
from edgetwin.kernel import held
from hw_models.board import Board
from hw_models.jobs import Application, ForwardJob, Job, TrainingJob
from hw_models.performance import COMPUTE, KIND_COLUMNS, STALL, demand, job_title

if TYPE_CHECKING:
    from edgetwin.simulator.core import Simulator


# Fields of the state that Python code reads at every arrival and completion.
JOB_FIELDS = ("job_unit", "job_done", "job_target", "job_alive_s", "job_below_s")


class Running(NamedTuple):
    """A job on the board: its name, what it is, where its demand rows lie, when it came."""

    id: JobId
    job: Job
    first: int
    rows: int
    start_s: float

    @property
    def title(self) -> str:
        """The name of the program or network."""
        return job_title(self.job)


@final
class DemandTable:
    """What every job seen so far asks for, as rows that the kernel reads; rows never change."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.rows = np.zeros((64, 1 + KIND_COLUMNS * len(board.lower().kinds)))
        self._found: dict[object, tuple[int, int]] = {}
        self._kept: list[Job] = []
        self._ranked: dict[int, list[int]] = {}
        self._used = 0

    def find(self, job: Job) -> tuple[int, int]:
        """Where the job's demand lies: (first row, number of rows)."""
        key = _row_key(job)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._append(demand(self.board, job))
            self._kept.append(job)  # its identity is a key: it must not be freed
        return found

    def spans(self) -> list[tuple[int, int]]:
        """(first row, number of rows) of every job seen so far."""
        return list(self._found.values())

    def jobs(self) -> list[tuple[int, Job]]:
        """(first row, a job that has its demand there) of every job seen so far."""
        return [(span[0], job) for span, job in zip(self.spans(), self._kept, strict=True)]

    def known_rows(self) -> list[int]:
        """The first row of every job seen so far."""
        return [first for first, _ in self._found.values()]

    def fastest_first(self, first: int) -> list[int]:
        """Units that can run the job whose demand starts at this row, fastest first."""
        if first not in self._ranked:
            times_s = unit_times_s(self.board, self.rows[first])
            able = np.flatnonzero(~np.isnan(times_s))
            self._ranked[first] = able[np.argsort(times_s[able], kind="stable")].tolist()
        return self._ranked[first]

    def _append(self, rows: NDArray[np.float64]) -> tuple[int, int]:
        first = self._used
        self._used += len(rows)
        while self._used > len(self.rows):
            self.rows = np.concatenate([self.rows, np.zeros_like(self.rows)])
        self.rows[first : self._used] = rows
        return first, len(rows)


def table_of(board: Board) -> DemandTable:
    """The one table of a board: every simulator of it reads and extends the same."""
    table = board.derived.get("demand_table")
    if not isinstance(table, DemandTable):
        table = board.derived["demand_table"] = DemandTable(board)
    return table


def _row_key(job: Job) -> object:
    """What two jobs must share to have the same demand rows."""
    if isinstance(job, Application):
        return id(job.profile), job.pass_insns
    if isinstance(job, TrainingJob):
        return "training", job.network, job.batch
    return job


def work_of(job: Job) -> tuple[float, float]:
    """(units of work in all, target rate or 0)."""
    if isinstance(job, Application):
        return float(job.instructions), float(job.target_ips or 0.0)
    if isinstance(job, TrainingJob):
        return float(job.samples_to_target[job.batch]), 0.0
    return (float(job.steps) if isinstance(job, ForwardJob) else inf), 0.0


def name_of(sim: "Simulator", job: Job, name: str | None, serial: int) -> JobId:
    """The name a job goes by; ValueError for one that another job on the board has."""
    if name in sim.names:
        raise ValueError(f"a job named {name!r} is on the board already; give another name.")
    if name is not None:
        return name
    title, planned = job_title(job), sim.plan.names
    while (made := f"{title}-{serial}") in sim.names or made in planned:
        serial += 1
    return made


def unit_times_s(board: Board, row: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds per unit of work on every unit at its top clock, alone, NaN where it cannot run."""
    b = board.lower().record[0]
    n = int(b["units"])
    domain, at = b["unit_domain"][:n], 1 + KIND_COLUMNS * b["unit_kind"][:n]
    hz = b["freq_hz"][domain, b["levels"][domain] - 1]
    return np.asarray(row[at + COMPUTE] / hz + row[at + STALL])


def check_runs(sim: "Simulator", first: int, unit: str) -> int:
    """The unit's index; KeyError if unknown, ValueError if it cannot run this job."""
    index = sim.unit_index.get(unit, -1)
    if index < 0:
        sim.board.unit(unit)
    able, online = sim.table.fastest_first(first), sim.online
    if index not in able or not online.item(index):
        names = ", ".join(sim.lowered.units[u] for u in sorted(able) if online[u]) or "none"
        raise ValueError(f"{unit} cannot run this job; able: {names}.")
    return index


def choose(sim: "Simulator", entry: Running) -> int:
    """The unit with fewest jobs; among equals the one that runs this job fastest."""
    load = [0] * (len(sim.lowered.units) + 1)  # the last counts free slots, whose unit is -1
    for unit in sim.jobs_at["job_unit"].tolist():
        load[unit] += 1
    online = sim.online.tolist()
    able = [u for u in sim.table.fastest_first(entry.first) if online[u]]
    if not able:
        raise ValueError(f"no unit that is switched on can run {entry.id}.")
    return min(able, key=load.__getitem__)


def start(sim: "Simulator", entry: Running, unit: int | None, serial: int) -> None:
    """Put a job on a unit, or where the scheduler chooses, in a free slot."""
    index = choose(sim, entry) if unit is None else unit
    total, target = work_of(entry.job)
    waited_s = sim.now_s - entry.start_s
    slot = held.start_job(sim.held, serial, index, entry.first, entry.rows, total, target, waited_s)
    sim.running[slot] = entry


def change_batch(sim: "Simulator", slot: int, batch: int) -> None:
    """Go on training with another batch size; the share of work that is left stays."""
    s, entry = sim.state[0], sim.running[slot]
    assert isinstance(entry.job, TrainingJob)
    job = replace(entry.job, batch=batch)
    first, rows = sim.find(job)
    sim.running[slot] = entry._replace(job=job, first=first, rows=rows)
    total = float(job.samples_to_target[batch])
    s["job_left"][slot] *= total / s["job_total"][slot]
    s["job_total"][slot] = total
    s["job_first"][slot] = s["job_row"][slot] = first
    s["dirty"] = 1
