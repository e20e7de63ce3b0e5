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
    A reading is asked for lead_s ahead, so that it is there when the period ends.
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

    def lead_s(self, period_s: float) -> float:
        """How long before the end of a period its reading is asked for; all in board seconds.

        The slowest of the last round trips, but no more than a tenth of the period: a period that
        ends in time is worth more than a reading that is some milliseconds younger. Where a tenth
        does not last (a link that is slow, a clock that runs fast), half of the quickest trip, so
        that the board takes the reading at the end. 0 before the first reading.
        """
        if not self._trips_s:
            return 0.0
        slowest_s, quickest_s = max(self._trips_s), min(self._trips_s)
        return max(min(slowest_s * self.scale, 0.1 * period_s), 0.5 * quickest_s * self.scale)

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
