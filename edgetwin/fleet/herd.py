"""The boards of one kind in a fleet: their states side by side, advanced in one call."""

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgetwin.fleet.members import Client, Task
from edgetwin.kernel.many import advance_many, free_many, hottest_many, start_many
from edgetwin.kernel.orders import request_level
from edgetwin.kernel.state import State
from edgetwin.scenario import Plan
from edgetwin.simulator.jobs import DemandTable, work_of
from edgetwin.simulator.plan import initial_state, noise_key
from hw_models.board import Board
from hw_models.jobs import ForwardJob, Job, TrainingJob
from hw_models.lowering import GOVERNORS
from hw_models.performance import job_title

Rows = NDArray[np.int64]
Array = NDArray[np.float64]


@final
class Herd:
    """Boards of one kind; a row is a board's place among them. Each is at a time of its own."""

    def __init__(self, board: Board, clients: Sequence[Client], seeds: Sequence[int]) -> None:
        self.board = board
        self.lowered = board.lower()
        self.table = DemandTable(board)
        firsts: dict[object, State] = {}
        kept = []
        for client, seed in zip(clients, seeds, strict=True):
            kind = (client.ambient_c, client.mode, client.cap_w)
            if kind not in firsts:
                firsts[kind] = self._first_state(client)
            kept.append(firsts[kind].copy())
            kept[-1]["key"] = noise_key(seed)
        self.states: State = np.concatenate(kept)

    def _first_state(self, client: Client) -> State:
        """Idle and in its steady state, as a simulator starts."""
        own_c = self.board.thermal.ambient_c.value
        plan = Plan(
            arrivals=(),
            changes=(),
            ambient_c=own_c if client.ambient_c is None else client.ambient_c,
            cap_w=client.cap_w,
            fan=None,
            mode=client.mode,
            initial="steady",
        )
        state = initial_state(self.board, self.lowered, plan, 0, self.table.rows)
        state["may_coast"] = True
        return state

    def advance(self, rows: Rows, end_ns: Rows) -> Rows:
        """Each board to its own time, or to the end of its job: what `advance` said, (k,)."""
        found = np.empty(len(rows), np.int64)
        record = self.lowered.record
        advance_many(self.states, record, self.table.rows, rows, end_ns, found)
        return found

    def start(self, places: Rows, jobs: Sequence[Job]) -> None:
        """Jobs start on boards; places (k, 4) are rows and what `place` said of each."""
        rows, unit, first, count = places.T.copy()
        total = np.array([work_of(job)[0] for job in jobs])
        start_many(self.states, rows, unit, first, count, total, self.table.rows[first, 0].copy())

    def demand(self, job: Job) -> tuple[int, int]:
        """Demand (first row, rows) of a job; ValueError where it does not fit into memory."""
        _check_memory(self.board, job)
        return self.table.find(job)

    def place(self, row: int, task: Task, demand: tuple[int, int]) -> tuple[int, int, int]:
        """Unit and demand of a job on the fastest unit that is on.

        ValueError where no unit can run it, or a clock does not offer what is asked of it.
        """
        for domain, hz in task.freq_hz.items():
            self.board.opp(domain, hz)
        first, count = demand
        online = self.states["online"][row]
        for unit in self.table.fastest_first(first):
            if online[unit]:
                return unit, first, count
        name = job_title(task.job)
        raise ValueError(f"no unit of {self.board.name} that is on can run {name}.")

    def free(self, rows: Rows) -> None:
        """The jobs of these boards are over, done or not."""
        free_many(self.states, rows)

    def set_clocks(self, row: int, freq_hz: Mapping[str, float]) -> None:
        """Ask for clocks, which a board's own governor leaves alone from then on."""
        state = self.states[row : row + 1]
        for domain, hz in freq_hz.items():
            level, d = self.board.opp(domain, hz), self.lowered.domains.index(domain)
            state["governor"][0, d] = GOVERNORS.index("userspace")
            state["fixed"][0, d] = level
            state["steady"] = 0
            request_level(state, self.lowered.record, d, level)

    def energies_j(self, rows: Rows) -> Array:
        """Energy drawn by everything on each board since the start, (k,)."""
        return np.asarray(self.states["energy_j"][rows].sum(axis=1))

    def hottest_c(self, rows: Rows) -> Array:
        """True temperature of the hottest zone of each board, (k,)."""
        found = np.empty(len(rows))
        hottest_many(self.states, self.lowered.record, rows, found)
        return found


def _check_memory(board: Board, job: Job) -> None:
    """ValueError for a job that does not fit into its board's memory."""
    if isinstance(job, ForwardJob):
        need_bytes = job.memory_bytes()
    elif isinstance(job, TrainingJob):
        need_bytes = job.memory_bytes(job.batch)
    else:
        return
    have_bytes = board.performance.ram_bytes.value
    if need_bytes > have_bytes:
        raise ValueError(
            f"{job_title(job)} needs {need_bytes:.3g} bytes of memory, and {board.name} "
            f"has {have_bytes:.3g}; give it a smaller batch or network."
        )
