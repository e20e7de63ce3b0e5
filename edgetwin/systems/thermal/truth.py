"""The whole truth about boards, for oracles: their states and what their programs ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.state import STATE_DTYPE
from edgetwin.simulator.jobs import DemandTable
from edgetwin.systems.thermal.compiled.boards import take_boards
from hw_models.lanes import LANES

if TYPE_CHECKING:
    from edgetwin.simulator import BatchSimulator, Simulator

States = NDArray[Any]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """States of boards on demand: states(which) are copies (k,) of STATE_DTYPE.

    records (m,) the boards that occur, of_board (n,) which of them each is, tables (m, rows,
    columns) what programs ask for on each, averaged over the phases of a pass.
    """

    states: Callable[[NDArray[np.int64]], States]
    records: NDArray[Any]
    of_board: NDArray[np.int64]
    tables: NDArray[np.float64]


def mean_rows(table: DemandTable) -> NDArray[np.float64]:
    """The table with a program's first row replaced by the mean over a pass.

    Time per instruction is linear in the columns, so that the mean of the rows, weighted by
    instructions, is what the program does over a whole pass at fixed clocks.
    """
    means = table.rows.copy()
    for first, rows in table.spans():
        if rows > 1:
            means[first] = np.average(
                table.rows[first : first + rows],
                axis=0,
                weights=table.rows[first : first + rows, 0],
            )
    return means


def fill_jobs(states: States, plans: NDArray[Any], which: NDArray[np.int64]) -> None:
    """Give the states (k,) of boards `which` what plans (n, entries) know of the jobs there."""
    board, slot = np.nonzero(states["job_serial"])
    entries = plans[which[board], states["job_serial"][board, slot] - 1]
    for name, known in (("job_first", "first"), ("job_rows", "rows"), ("job_total", "value")):
        states[name][board, slot] = entries[known]
    states["job_alive_s"][board, slot] = (states["t_ns"][board] - entries["t_ns"]) * 1e-9


def truth_of_batch(batch: "BatchSimulator") -> Truth:
    """The truth about the boards of a batch whose programs are all known, whenever asked."""

    def states(which: NDArray[np.int64]) -> States:
        found = np.zeros(len(which), STATE_DTYPE)
        words = (batch.layout.float_words, batch.layout.whole_words)
        take_boards(batch.floats, batch.whole, which, *words, found.view("f8"), found.view("i8"))
        fill_jobs(found, batch.plans, which)
        return found

    block = batch.groups_per_board * LANES
    return Truth(
        states=states,
        records=batch.records,
        of_board=np.arange(batch.n_boards) // block,
        tables=np.array([mean_rows(one.table) for one in batch.boards]),
    )


def truth_of_twin(twin: "Simulator") -> Truth:
    """The truth about one simulated board, whenever asked; make it anew when new programs come."""
    return Truth(
        states=lambda which: twin.state[np.zeros(len(which), np.int64)],
        records=twin.lowered.record,
        of_board=np.zeros(1, np.int64),
        tables=mean_rows(twin.table)[None],
    )
