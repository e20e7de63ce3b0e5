"""The shortest run that tells a board's numbers, chosen by Fisher information.

Every segment that may help is driven once, in one long run on paper; the slopes of the readings
give the information of each. Segments are then taken by what they add to the logarithm of the
determinant per second, until everything that the whole library can pin is pinned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.covariance import Spread
from hw_models.fit.identify import statuses
from hw_models.fit.places import NOT_PINNED_STD, OFFSETS, POWER, THERMAL, Place, usual
from hw_models.fit.plan import ExcitationPlan, Segment
from hw_models.fit.runs import Run
from hw_models.fit.segments import as_recorded, library
from hw_models.fit.traces import Task, trace_problem

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]

# Readings closer than this count as one: rounding and slow errors repeat themselves.
_INDEPENDENT_S: Final = 10.0
_MARGIN_K: Final = 5.0
_SAFE_C: Final = 80.0
# What is to be pinned must be so with some room: the board differs from its file.
_ROOM: Final = 0.8
_ROUNDS: Final = 4


def plan_excitation(
    board: "Board",
    *,
    safe_c: float | None = None,
    ambient_c: float | None = None,
    period_s: float = 1.0,
    longest_s: float = 7200.0,
    free: Sequence[str] | None = None,
) -> ExcitationPlan:
    """The shortest run that pins every number of a board that can be pinned at all.

    safe_c is what no zone may pass as the board file predicts it, by default 5 K below the lowest
    trip that throttles or switches off (80 degC without one); ambient_c the air, by default the
    board file's; period_s the time between readings; free names the numbers as in `fit_joint`. A
    number counts as pinned where its standard error falls below what the board file says.
    ValueError where the board is too hot even at rest.
    """
    air_c = board.thermal.ambient_c.value if ambient_c is None else ambient_c
    most_c = _default_safe_c(board) if safe_c is None else safe_c
    patterns = usual(board, (*POWER, *THERMAL, *OFFSETS)) if free is None else tuple(free)
    every = library(board, most_c, air_c)
    study = _study(board, every, patterns, period_s, air_c)
    whole = study.spread(range(len(every)))
    goal = np.sqrt(np.diag(whole.covariance)) < _ROOM * NOT_PINNED_STD
    chosen = study.chosen(goal, longest_s)
    for _ in range(_ROUNDS):
        segments = [every[i] for i in chosen]
        driven_once = _study(board, segments, patterns, period_s, air_c)
        now = driven_once.spread(range(len(segments)))
        missing = goal & (np.sqrt(np.diag(now.covariance)) > NOT_PINNED_STD)
        extra = study.best_for(missing, chosen) if missing.any() else None
        if extra is None or sum(s.duration_s for s in segments) > longest_s:
            break
        chosen = sorted([*chosen, extra])
    return _plan(board, driven_once, segments, period_s, most_c, air_c)


def _default_safe_c(board: "Board") -> float:
    trips_c = [t.temp_c.value for t in board.limits.trips if t.kind in ("throttle", "shutdown")]
    return min(trips_c, default=_SAFE_C + _MARGIN_K) - _MARGIN_K


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Segments driven one after the other: places, information (k, p, p) by segment, warmth."""

    places: tuple[Place, ...]
    segments: tuple[Segment, ...]
    information: Array
    hottest_c: float

    def spread(self, some: Sequence[int]) -> Spread:
        """What some of the segments would tell, with independent errors."""
        information = self.information[list(some)].sum(axis=0)
        covariance = np.linalg.inv(information + np.eye(len(information)))
        return Spread(
            information=information,
            meat=information,
            covariance=covariance,
            n=0,
            effective_n=0.0,
        )

    def chosen(self, goal: NDArray[np.bool_], longest_s: float) -> list[int]:
        """The segments that reach the goal, taken by information per second, in library order."""
        found: list[int] = []
        total = np.eye(len(self.places))
        left = list(range(len(self.segments)))
        while left:
            std = np.sqrt(np.diag(np.linalg.inv(total)))
            used_s = sum(self.segments[i].duration_s for i in found)
            if not (goal & (std > _ROOM * NOT_PINNED_STD)).any() or used_s > longest_s:
                break
            best = max(left, key=lambda i: self._gain(total, i))
            left.remove(best)
            found.append(best)
            total = total + self.information[best]
        return sorted(found)

    def _gain(self, total: Array, i: int) -> float:
        more = np.linalg.slogdet(total + self.information[i])[1] - np.linalg.slogdet(total)[1]
        return float(more) / self.segments[i].duration_s

    def best_for(self, missing: NDArray[np.bool_], chosen: Sequence[int]) -> int | None:
        """The segment not chosen yet that tells most of some numbers, None where none is left."""
        at = np.flatnonzero(missing)
        left = [i for i in range(len(self.segments)) if i not in chosen]

        def tells(i: int) -> float:
            return float(self.information[i][at, at].sum()) / self.segments[i].duration_s

        return max(left, key=tells, default=None)


def _study(
    board: "Board",
    segments: Sequence[Segment],
    patterns: tuple[str, ...],
    period_s: float,
    ambient_c: float,
) -> Study:
    """Slopes of everything a run of these segments would record, as information by segment."""
    seen = as_recorded(board, segments, period_s, ambient_c)
    run = Run(name="plan", recorded=seen, sha256="", start_s=0.0, findings=())
    task = Task(rails=bool(board.sensors.rails), zones=True, patterns=patterns)
    problem = trace_problem(board, [run], task)
    p = len(problem.places)
    ends = np.cumsum([max(round(s.duration_s / period_s), 1) for s in segments])
    worth = min(period_s / _INDEPENDENT_S, 1.0)
    information = np.zeros((len(segments), p, p))
    for block in problem.blocks(np.zeros(p)):
        for k, rows in enumerate(np.split(block.slopes, ends[:-1])):
            flat = rows.reshape(-1, len(block.columns))
            information[k][np.ix_(block.columns, block.columns)] += worth * flat.T @ flat
    return Study(
        places=problem.places,
        segments=tuple(segments),
        information=information,
        hottest_c=max(float(values.max()) for values in seen.zones_c.values()),
    )


def _plan(
    board: "Board",
    study: Study,
    segments: Sequence[Segment],
    period_s: float,
    safe_c: float,
    ambient_c: float,
) -> ExcitationPlan:
    spread = study.spread(range(len(segments)))
    zero = np.zeros(len(study.places))
    _, findings = statuses(study.places, zero, spread, at_start=True)
    std = np.sqrt(np.diag(spread.covariance))
    return ExcitationPlan(
        board=board.name,
        segments=tuple(segments),
        period_s=period_s,
        safe_c=safe_c,
        ambient_c=ambient_c,
        hottest_c=study.hottest_c,
        expected_std={
            p.path: float(s * p.slope(0.0))
            for p, s in zip(study.places, std, strict=True)
            if not p.path.startswith("runs.")
        },
        findings=findings,
    )
