"""The clock of a run on a real board: its schedule is exact, and how late it was is counted."""

import time
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal, final

Overrun = Literal["catch-up", "shift"]
_TRIPS: Final = 20
OVERRUNS: Final[tuple[Overrun, ...]] = ("catch-up", "shift")


@final
@dataclass(slots=True, kw_only=True)
class Timing:
    """What became of the schedule: all in board seconds, counted since reset.

    period_s is the last period as measured, late_s how late the last one ended; late of n_periods
    ended more than a tenth of themselves too late.
    """

    period_s: float = 0.0
    late_s: float = 0.0
    worst_late_s: float = 0.0
    n_periods: int = 0
    late: int = 0
    shifted_s: float = 0.0


@final
class Pace:
    """Waits until the wall clock has come where the run's own clock is.

    Board seconds run `scale` times as fast as the wall's. When a policy or the link takes longer
    than a period, "catch-up" keeps the schedule, so that the next periods are shorter until it is
    met again; "shift" moves the schedule, so that every period is at least as long as it should be.
    A reading is taken halfway between a question and its answer: it is asked for lead_s ahead, so
    that the board takes it at its time and not half a round trip later.
    """

    def __init__(self, scale: float, overrun: Overrun) -> None:
        self.scale = scale
        self.overrun = overrun
        self.timing = Timing()
        self._trips_s: deque[float] = deque(maxlen=_TRIPS)
        self._zero_s = self._last_s = time.monotonic()

    def start(self) -> None:
        """The run begins now."""
        self.timing = Timing()
        self._zero_s = self._last_s = time.monotonic()

    def now_s(self) -> float:
        """Board seconds since the start by the wall clock."""
        return (time.monotonic() - self._zero_s) * self.scale

    def wait_until(self, t_s: float) -> None:
        """Sleep until the wall clock has come to a time of the run."""
        left_s = (t_s - self.now_s()) / self.scale
        if left_s > 0.0:
            time.sleep(left_s)

    def answered(self, trip_s: float) -> None:
        """Note how many seconds of the wall a reading took from question to answer."""
        self._trips_s.append(trip_s)

    @property
    def lead_s(self) -> float:
        """Half of the quickest of the last round trips, in board seconds; 0 before the first."""
        return 0.5 * min(self._trips_s, default=0.0) * self.scale

    def period_ended(self, t_s: float, period_s: float) -> None:
        """Note how the period that should end at t_s has ended."""
        at_s, timing = time.monotonic(), self.timing
        timing.period_s = (at_s - self._last_s) * self.scale
        timing.late_s = max(self.now_s() - t_s, 0.0)
        timing.worst_late_s = max(timing.worst_late_s, timing.late_s)
        timing.n_periods += 1
        self._last_s = at_s
        if timing.late_s > 0.1 * period_s:
            timing.late += 1
            if self.overrun == "shift":
                self._zero_s += timing.late_s / self.scale
                timing.shifted_s += timing.late_s
