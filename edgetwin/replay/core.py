"""Replay: a recorded trace behind the interface of a board; what happened cannot be changed."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.backend import Applied, JobId, JobResult, asked_knobs
from edgetwin.replay.life import kpis_of, results_of
from hw_models.board import Board, Knobs
from hw_models.jobs import Job
from hw_models.recorded import recorded
from hw_models.trace import Reading, Trace

if TYPE_CHECKING:
    from edgetwin.scenario import Scenario

RECORDED: Final = "recorded"
# Time is counted in whole ticks, as in the simulator: no remainder of a float adds up.
TICK_S: Final = 1e-9


@final
class Replay:
    """A recording of a board, played from its start: time passes, every knob is refused.

    Readings have the board's own names in its order; clocks are the nearest operating points.
    What the recording lacks is None, or assumed as `notes` say. Between two recorded readings the
    older one holds. ValueError for a trace that does not fit the board, as in `recorded`.
    """

    def __init__(self, board: Board, trace: Trace) -> None:
        self.board = board
        self._trace, self.notes = _in_own_terms(board, trace)
        self._ticks = np.rint(self._trace.columns["t_s"] / TICK_S).astype(np.int64)
        self._now = 0

    def reset(self, *, seed: int | None = None, scenario: "Scenario | None" = None) -> Reading:
        """Back to the first reading; ValueError for a scenario: a recording has had its own."""
        if scenario is not None:
            raise ValueError(
                f"a recorded trace cannot play scenario {scenario.name}; use backend 'sim'."
            )
        self._now = 0
        return self._trace[0]

    def submit(self, job: Job, unit: str | None = None) -> JobId:
        """ValueError: the work of a recording is done."""
        raise ValueError("a recorded trace takes no jobs; use backend 'sim' to run some.")

    def apply(self, knobs: Knobs) -> Applied:
        """Refuse every knob as recorded; KeyError or ValueError for one the board does not have."""
        asked = asked_knobs(self.board, knobs, self._newest().jobs)
        return Applied(accepted=Knobs(), refused=dict.fromkeys(asked, RECORDED))

    def advance(self, dt_s: float) -> Trace:
        """Let dt_s pass: the readings recorded on the way, last what the sensors say at its end."""
        if not 0 <= dt_s < 1e9:
            raise ValueError(f"cannot advance by {dt_s} s; give zero or more seconds.")
        start, self._now = self._now, self._now + round(dt_s / TICK_S)
        on_the_way = np.flatnonzero((self._ticks > start) & (self._ticks < self._now))
        readings = [self._trace[i] for i in on_the_way.tolist()]
        return Trace.from_readings([*readings, self._newest()])

    def results(self) -> tuple[JobResult, ...]:
        """The recorded jobs so far, their work and time summed over readings."""
        return results_of(self._so_far(), self._now * TICK_S)

    def kpis(self) -> dict[str, float | None]:
        """Key figures from the readings so far; None for what was not recorded."""
        return kpis_of(self.board, self._so_far(), self._now * TICK_S)

    @property
    def done(self) -> bool:
        """At or past the last recorded reading."""
        return self._now >= int(self._ticks[-1])

    def close(self) -> None:
        """Nothing to give back."""

    def _newest(self) -> Reading:
        """The newest recorded reading, at the present time."""
        row = int(np.searchsorted(self._ticks, self._now, side="right")) - 1
        return replace(self._trace[row], t_s=self._now * TICK_S)

    def _so_far(self) -> Trace:
        """The recorded readings up to now."""
        rows = int(np.searchsorted(self._ticks, self._now, side="right"))
        return self._trace.select(slice(0, rows))


def _in_own_terms(board: Board, trace: Trace) -> tuple[Trace, tuple[str, ...]]:
    """The trace under the board's own names, time and energy counted from its first reading."""
    seen, given = recorded(board, trace), trace.columns
    nothing = np.full(len(trace), np.nan)
    ticks = np.rint((given["t_s"] - given["t_s"][0]) / TICK_S)
    columns: dict[str, NDArray[Any]] = {"t_s": ticks * TICK_S}
    columns |= {f"temps_c.{z}": seen.zones_c.get(z, nothing) for z in board.sensors.zones}
    columns |= {f"power_w.{r}": seen.rails_w.get(r, nothing) for r in board.sensors.rails}
    if "energy_j" in given:
        columns["energy_j"] = given["energy_j"] - given["energy_j"][0]
    for d, (name, clock) in enumerate(board.clocks.items()):
        columns[f"freq_hz.{name}"] = clock.freqs_hz.array[seen.level[:, d]]
    columns |= {f"busy.{u.name}": seen.busy[:, i] for i, u in enumerate(board.unit_list)}
    if board.limits.fan and "fan" in given:
        columns["fan"] = given["fan"]
    columns |= {name: given[name] for name in ("throttled", "cap_w") if name in given}
    columns |= {name: values for name, values in given.items() if name.startswith("jobs.")}
    return Trace(columns, trace.meta), seen.notes
