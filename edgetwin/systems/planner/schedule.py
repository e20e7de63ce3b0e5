"""Plans over time: caps that change, a battery, a temperature limit, several jobs on one board.

Progress does not depend on the path: a cell that reaches the target in T seconds makes 1/T of the
training a second, whatever ran before. So under a course of caps the fastest cell of each stretch
is optimal, and under an energy budget a mix of two neighbours of the convex Pareto front is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.planner.choice import CONFIDENCE, Cell, Planner

Array = NDArray[np.float64]

_DONE: Final = 1.0 - 1e-12


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A cell that runs from start_s on for duration_s, and the share of the training it does."""

    start_s: float
    duration_s: float
    cell: Cell
    share: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Cells one after the other until the target is reached."""

    stretches: tuple[Stretch, ...]

    @property
    def time_s(self) -> float:
        """When the target is reached."""
        last = self.stretches[-1]
        return last.start_s + last.duration_s

    @property
    def energy_j(self) -> float:
        """Energy until then."""
        return sum(s.duration_s * s.cell.mean_power_w for s in self.stretches)

    def as_json(self) -> list[dict[str, Any]]:
        """The stretches in order."""
        return [
            {"start_s": s.start_s, "duration_s": s.duration_s, "share": s.share, **s.cell.as_json()}
            for s in self.stretches
        ]


def under_caps(
    planner: Planner,
    caps: Sequence[tuple[float, float]],
    *,
    confidence: float = CONFIDENCE,
    may_predict: bool = False,
) -> Schedule:
    """The soonest schedule under caps that hold from (t_s, cap_w) on, the last one for good.

    ValueError for caps out of order, or where some stretch allows nothing.
    """
    times_s = [t for t, _ in caps]
    if not caps or times_s[0] != 0.0 or sorted(set(times_s)) != times_s:
        raise ValueError(f"caps start at {times_s}; give (0, W) first and then ascending times.")
    found, done = [], 0.0
    for (start_s, cap_w), end_s in zip(caps, [*times_s[1:], np.inf], strict=True):
        cell = planner.plan(cap_w, confidence=confidence, may_predict=may_predict).choice
        lasts_s = min(end_s - start_s, (1.0 - done) * cell.time_s)
        share = lasts_s / cell.time_s
        found.append(Stretch(start_s=start_s, duration_s=lasts_s, cell=cell, share=share))
        done += share
        if done >= _DONE:
            break
    return Schedule(stretches=tuple(found))


def on_battery(
    planner: Planner, cap_w: float, battery_j: float, *, confidence: float = CONFIDENCE
) -> Schedule:
    """The soonest schedule that a charge of battery_j lasts for: one cell, or two in turn.

    ValueError where even the least hungry cell needs more, naming it.
    """
    front = planner.front(cap_w, confidence=confidence)
    if not front:
        planner.plan(cap_w, confidence=confidence)  # says what is missing
    least = front[-1]
    if battery_j < least.energy_j:
        raise ValueError(
            f"{battery_j:.4g} J do not last: the least that reaches the target is "
            f"{least.energy_j:.4g} J with {least.words}. Give more charge, or an easier target."
        )
    if front[0].energy_j <= battery_j:
        return _mixed([(front[0], 1.0)])
    hull = _convex(front)
    fast, frugal = next((a, b) for a, b in pairwise(hull) if b.energy_j <= battery_j)
    share = (battery_j - frugal.energy_j) / (fast.energy_j - frugal.energy_j)
    return _mixed([(fast, share), (frugal, 1.0 - share)])


def heat_cap_w(temps_c: Mapping[int, float], planner: Planner, limit_c: float) -> float:
    """The mean power that keeps the settled board at limit_c.

    temps_c are settled temperatures by cell, as the meter took them: a line over their mean power,
    which is what a board with a fan at one level does. ValueError for fewer than three cells, or
    where the limit lies below what no power would give.
    """
    if len(temps_c) < 3:
        raise ValueError(f"{len(temps_c)} cells with a temperature; a heat budget needs three.")
    power_w = planner.belief.mean_w[list(temps_c)]
    slope, ambient_c = np.polyfit(power_w, list(temps_c.values()), 1)
    if slope <= 0 or limit_c <= ambient_c:
        raise ValueError(
            f"a limit of {limit_c:g} degC cannot be kept: without any power the board settles at "
            f"{ambient_c:.1f} degC. Give a higher limit, or cool the air."
        )
    return float((limit_c - ambient_c) / slope)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One of several trainings on a board: its planner and when it must be done, if ever."""

    name: str
    planner: Planner
    deadline_s: float | None = None


def several(
    jobs: Sequence[Wanted], cap_w: float, *, confidence: float = CONFIDENCE
) -> dict[str, Stretch]:
    """Several trainings, one after the other, each at its own best cell; by name, in order.

    A GPU that two trainings share gives neither more than half, so they run in turn: those with a
    deadline first, earliest first (which meets all deadlines if any order does), then the shortest
    first (which makes the mean time least). ValueError where a deadline cannot be met.
    """
    if not jobs or len({job.name for job in jobs}) < len(jobs):
        raise ValueError("give at least one job, each with a name of its own.")
    best = {job.name: job.planner.plan(cap_w, confidence=confidence).choice for job in jobs}
    due = {job.name: np.inf if job.deadline_s is None else job.deadline_s for job in jobs}
    order = sorted(best, key=lambda name: (due[name], best[name].time_s))
    found, now_s = {}, 0.0
    for name in order:
        cell = best[name]
        found[name] = Stretch(start_s=now_s, duration_s=cell.time_s, cell=cell, share=1.0)
        now_s += cell.time_s
        if now_s > due[name]:
            raise ValueError(
                f"{name} would be done after {now_s:.4g} s, not within {due[name]:g} s: below "
                f"{cap_w:g} W no order is faster. Give more time or power, or fewer jobs."
            )
    return found


def _mixed(parts: Sequence[tuple[Cell, float]]) -> Schedule:
    found, now_s = [], 0.0
    for cell, share in parts:
        if share > 0:
            lasts_s = share * cell.time_s
            found.append(Stretch(start_s=now_s, duration_s=lasts_s, cell=cell, share=share))
            now_s += lasts_s
    return Schedule(stretches=tuple(found))


def _convex(front: Sequence[Cell]) -> list[Cell]:
    """The cells of a Pareto front (fastest first) on its lower convex hull."""
    hull: list[Cell] = []
    for cell in front:
        while len(hull) > 1 and _is_above(hull[-2], hull[-1], cell):
            hull.pop()
        hull.append(cell)
    return hull


def _is_above(a: Cell, b: Cell, c: Cell) -> bool:
    """Is b on or above the line from a to c, so that a mix of a and c does as well?"""
    share = (b.time_s - a.time_s) / (c.time_s - a.time_s)
    return b.energy_j >= a.energy_j + share * (c.energy_j - a.energy_j)
