"""Boards in the middle of their work, drawn without simulating how they got there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.state import SLOTS, STATE_DTYPE, new_state
from edgetwin.simulator.jobs import DemandTable
from edgetwin.systems.thermal.chip import Chip
from edgetwin.systems.thermal.compiled.work import put_to_work
from edgetwin.systems.thermal.truth import States, Truth, mean_rows
from edgetwin.systems.thermal.view import View, view_of
from hw_models.board import Board
from hw_models.jobs import Application, ApplicationProfile

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is drawn for k boards with up to p jobs each.

    program (k, p) indices, -1 for none; core and target_ips (k, p); raised (k, clusters) levels
    above the lowest that suffice; fan (k,) a level; ambient_c (k,).
    """

    program: NDArray[np.int64]
    core: NDArray[np.int64]
    target_ips: Array
    raised: NDArray[np.int64]
    fan: NDArray[np.int64]
    ambient_c: Array


@final
class Snapshots:
    """One board and the programs that may run on it."""

    def __init__(self, board: Board, chip: Chip, profiles: Sequence[ApplicationProfile]) -> None:
        self.board, self.chip = board, chip
        self.lowered = board.lower()
        self.table = DemandTable(board)
        self.spans = np.array(
            [self.table.find(Application(profile=p, instructions=np.inf)) for p in profiles]
        )
        self.means = mean_rows(self.table)

    def states(self, drawn: Drawn, rng: np.random.Generator) -> States:
        """States (k,): jobs in place and in some phase, clocks, rates, steady heat."""
        k, p = drawn.program.shape
        first_by_fan = [self._first(level) for level in range(len(self.lowered.networks))]
        states = np.array([first_by_fan[level][0] for level in drawn.fan], STATE_DTYPE)
        runs = drawn.program >= 0
        first, rows = np.moveaxis(self.spans[np.maximum(drawn.program, 0)], -1, 0)
        states["slots"] = p
        states["ambient_c"] = drawn.ambient_c
        for name, value in (
            ("job_serial", np.where(runs, np.arange(1, p + 1), 0)),
            ("job_unit", np.where(runs, drawn.core, -1)),
            ("job_first", first),
            ("job_rows", rows),
            ("job_row", first + (rng.random((k, p)) * rows).astype(np.int64)),
            ("job_target", np.where(runs, drawn.target_ips, 0.0)),
            ("job_left", np.inf),
            ("job_total", np.inf),
        ):
            states[name][:, :p] = value
        put_to_work(states, self.lowered.record, self.table.rows, self.chip.clusters, drawn.raised)
        return states

    def _first(self, fan: int) -> States:
        state = new_state(self.lowered, ambient_c=self.board.thermal.ambient_c.value, key=0)
        state["fan"] = state["fan_manual"] = fan
        for d, clock in enumerate(self.board.clocks.values()):
            if clock.governor == "performance":
                state["level"][0, d] = len(clock.freqs_hz.value) - 1
        return state

    def truth(self, states: States) -> Truth:
        """The truth about these states."""
        return Truth(
            states=lambda which: states[which],
            records=self.lowered.record,
            of_board=np.zeros(len(states), np.int64),
            tables=self.means[None],
        )

    def view(self, states: States, places: int = SLOTS) -> View:
        """What a manager would see of these states; nothing has moved lately."""
        rest_s = np.full((len(states), places), np.inf)

        def fields(name: str) -> NDArray[Any]:
            column: NDArray[Any] = states[name]
            return column[:, :places] if name.startswith("job_") else column

        return view_of(fields, self.chip, rest_s, self.truth(states))
