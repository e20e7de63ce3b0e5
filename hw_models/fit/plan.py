"""An excitation plan is a run on paper: what to set on a board, for how long, and what it buys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from hw_models.fit.result import Finding


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of a plan in which nothing is changed.

    duration_s seconds long; freq_hz the clock of every domain, by name, an operating point of the
    board; busy the share of the time every unit works, by name, 0 to 1 (units not named rest);
    memory_busy the share of the memory's bandwidth that the load asks for, 0 to 1; fan a level of
    the board's fan, None on a board without one. why says in words what the segment is for.
    """

    duration_s: float
    freq_hz: Mapping[str, float]
    busy: Mapping[str, float]
    memory_busy: float
    fan: int | None
    why: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ExcitationPlan:
    """The shortest run that pins what can be pinned on a board, segment after segment.

    board is its name; period_s the time between two readings the plan counts on; safe_c the
    temperature no zone may pass and hottest_c the highest one that the board model predicts, at
    ambient_c; expected_std the standard error that a fit of such a run is expected to reach, by
    path, in the unit the path ends with; findings what even this run cannot tell, and why.
    """

    board: str
    segments: tuple[Segment, ...]
    period_s: float
    safe_c: float
    ambient_c: float
    hottest_c: float
    expected_std: Mapping[str, float]
    findings: tuple[Finding, ...]

    @property
    def duration_s(self) -> float:
        """How long the plan runs, in seconds."""
        return sum(segment.duration_s for segment in self.segments)
