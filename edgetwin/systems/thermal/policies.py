"""A manager as a policy of one board: the same decisions as in a batch, one reading at a time."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

import numpy as np

from hw_models.board import Board, Knobs
from hw_models.trace import Reading

if TYPE_CHECKING:
    from edgetwin.simulator import Simulator
    from edgetwin.systems.thermal.view import Manager, View

Make = Callable[[], "Manager"]


@final
class ManagedPolicy:
    """One board under a manager; from readings alone, unless it is an oracle.

    An oracle looks at the twin that `reset` is given, and refuses to go without.
    """

    def __init__(self, make: Make, period_s: float = 0.5, *, is_oracle: bool = False) -> None:
        self._make, self.period_s, self._is_oracle = make, period_s, is_oracle

    def reset(self, board: Board, *, seed: int, twin: "Simulator | None" = None) -> None:
        """Start anew; ValueError for a board without two CPU clusters, an oracle without a twin."""
        from edgetwin.systems.thermal.chip import chip_of
        from edgetwin.systems.thermal.view import NO_TWIN

        if self._is_oracle and twin is None:
            raise ValueError(NO_TWIN)
        self._chip = chip_of(board)
        self._twin = twin if self._is_oracle else None
        self._manager = self._make()
        self._manager.begin(self._chip, 1, seed)
        self._places: list[str | None] = [None, None]  # managers look at the two most demanding
        self._came: dict[str, int] = {}
        self._moved_s: dict[str, float] = {}
        self._first = Knobs(governor=dict.fromkeys(self._chip.domains, self._manager.governor))

    def __call__(self, reading: Reading) -> Knobs:
        """The moves of this epoch, and clocks where the manager sets them."""
        self._seat(reading)
        orders = self._manager.decide(self._view(reading))
        placement = {}
        for place, core in orders.moves[0]:
            name = self._places[place] if place >= 0 else None
            if name is not None:
                placement[name] = self._chip.cores[core]
                self._moved_s[name] = reading.t_s
        clocks = {}
        if orders.levels is not None:
            hz = self._chip.hz(orders.levels[0])
            clocks = {d: float(f) for d, f in zip(self._chip.domains, hz, strict=True)}
        first, self._first = self._first, Knobs()
        return Knobs(governor=first.governor, freq_hz=clocks, placement=placement)

    def _seat(self, reading: Reading) -> None:
        """Jobs that have gone leave their places; new ones take the first that are free."""
        names = [name for name, job in reading.jobs.items() if job.unit in self._chip.cores]
        self._places = [n if n in names else None for n in self._places]
        for name in names:
            if name not in self._places:
                self._came[name] = len(self._came) + 1
                if None not in self._places:
                    self._places.append(None)
                self._places[self._places.index(None)] = name

    def _view(self, reading: Reading) -> "View":
        from edgetwin.kernel.state import SLOTS
        from edgetwin.systems.thermal.truth import truth_of_twin
        from edgetwin.systems.thermal.view import view_of, view_of_reading

        sim = self._twin
        if sim is None:
            rest_s = self._rests(reading.t_s)
            return view_of_reading(reading, self._chip, self._places, self._came, rest_s)
        self._places = [sim.running[j].id if j in sim.running else None for j in range(SLOTS)]

        def fields(name: str) -> Any:
            return np.atleast_2d(sim.state[name])

        return view_of(fields, self._chip, self._rests(reading.t_s)[None], truth_of_twin(sim))

    def _rests(self, t_s: float) -> Any:
        since_s = [self._moved_s.get(name or "", -np.inf) for name in self._places]
        return t_s - np.array(since_s)
