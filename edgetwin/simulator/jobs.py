"""Jobs on a simulated board: where their demand lies, where they start, how they end."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.backend import JobId
from edgetwin.kernel import SLOTS
from edgetwin.kernel.state import NEVER
from hw_models.board import Board
from hw_models.jobs import ForwardJob, Job, TrainingJob
from hw_models.performance import COMPUTE, KIND_COLUMNS, STALL, demand, job_title

if TYPE_CHECKING:
    from edgetwin.simulator.core import Simulator


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
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
        self._used = 0

    def find(self, job: Job) -> tuple[int, int]:
        """Where the job's demand lies: (first row, number of rows)."""
        key = _row_key(job)
        if key not in self._found:
            self._found[key] = self._append(demand(self.board, job))
            self._kept.append(job)  # its identity is a key: it must not be freed
        return self._found[key]

    def _append(self, rows: NDArray[np.float64]) -> tuple[int, int]:
        first = self._used
        self._used += len(rows)
        while self._used > len(self.rows):
            self.rows = np.concatenate([self.rows, np.zeros_like(self.rows)])
        self.rows[first : self._used] = rows
        return first, len(rows)


def _row_key(job: Job) -> object:
    """What two jobs must share to have the same demand rows."""
    if isinstance(job, TrainingJob):
        return ("training", job.network, job.batch)
    return job if isinstance(job, ForwardJob) else id(job.profile)


def work_of(job: Job) -> tuple[float, float]:
    """(units of work in all, target rate or 0)."""
    if isinstance(job, TrainingJob):
        return float(job.samples_to_target[job.batch]), 0.0
    if isinstance(job, ForwardJob):
        return float(job.steps), 0.0
    return job.instructions, job.target_ips or 0.0


def free_slot(state: Any) -> int | None:
    """The first slot without a job, None when the board is full."""
    serial = state[0]["job_serial"]
    return next((i for i in range(SLOTS) if serial[i] == 0), None)


def able_units(sim: "Simulator", first: int) -> list[int]:
    """Units that are on and can run the job whose demand starts at this row."""
    kinds = sim.lowered.record[0]["unit_kind"]
    online = sim.state[0]["online"]
    row = sim.table.rows[first, 1 + COMPUTE :: KIND_COLUMNS]
    return [u for u in range(len(sim.lowered.units)) if online[u] and not math.isnan(row[kinds[u]])]


def check_runs(sim: "Simulator", first: int, unit: str) -> int:
    """The unit's index; KeyError if unknown, ValueError if it cannot run this job."""
    index = sim.lowered.units.index(sim.board.unit(unit).name)
    able = able_units(sim, first)
    if index not in able:
        names = ", ".join(sim.lowered.units[u] for u in able) or "none"
        raise ValueError(f"{unit} cannot run this job; able: {names}.")
    return index


def choose(sim: "Simulator", entry: Running) -> int:
    """The unit with fewest jobs; among equals the one that runs this job fastest."""
    s = sim.state[0]
    placed = s["job_unit"][s["job_serial"] > 0]
    able = able_units(sim, entry.first)
    if not able:
        raise ValueError(f"no unit that is switched on can run {entry.id}.")
    return min(able, key=lambda u: (np.count_nonzero(placed == u), _unit_time_s(sim, entry, u)))


def _unit_time_s(sim: "Simulator", entry: Running, unit: int) -> float:
    """Seconds per unit of work on a unit at its top clock, alone."""
    b = sim.lowered.record[0]
    domain = b["unit_domain"][unit]
    hz = b["freq_hz"][domain, b["levels"][domain] - 1]
    row = sim.table.rows[entry.first, 1 + KIND_COLUMNS * int(b["unit_kind"][unit]) :]
    return float(row[COMPUTE] / hz + row[STALL])


def start(sim: "Simulator", entry: Running, unit: str | None, serial: int) -> None:
    """Put a job on a unit, or where the scheduler chooses, in a free slot."""
    s, slot = sim.state[0], free_slot(sim.state)
    assert slot is not None
    index = choose(sim, entry) if unit is None else check_runs(sim, entry.first, unit)
    total, target = work_of(entry.job)
    waited_s = sim.now_s - entry.start_s
    sim.running[slot] = entry
    s["slots"] = max(s["slots"], slot + 1)
    values = {
        "job_serial": serial, "job_unit": index, "job_first": entry.first,
        "job_row": entry.first, "job_rows": entry.rows, "job_left": total,
        "job_total": total, "job_phase_left": sim.table.rows[entry.first, 0],
        "job_target": target, "job_rate": 0.0, "job_done": 0.0, "job_hold_ns": 0,
        "job_alive_s": waited_s, "job_below_s": waited_s if target else 0.0,
    }  # fmt: skip
    for key, value in values.items():
        s[key][slot] = value
    s["dirty"] = 1


def free(state: Any, slot: int) -> None:
    """Forget the job in a slot."""
    state[0]["job_serial"][slot] = 0
    state[0]["job_unit"][slot] = -1
    state[0]["job_event_ns"][slot] = NEVER
    state[0]["dirty"] = 1


def change_batch(sim: "Simulator", slot: int, batch: int) -> None:
    """Go on training with another batch size; the share of work that is left stays."""
    s, entry = sim.state[0], sim.running[slot]
    assert isinstance(entry.job, TrainingJob)
    job = replace(entry.job, batch=batch)
    first, rows = sim.table.find(job)
    sim.running[slot] = replace(entry, job=job, first=first, rows=rows)
    total = float(job.samples_to_target[batch])
    s["job_left"][slot] *= total / s["job_total"][slot]
    s["job_total"][slot] = total
    s["job_first"][slot] = s["job_row"][slot] = first
    s["dirty"] = 1
