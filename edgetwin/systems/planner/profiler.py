"""Profiling: few cells are measured, one after the other, where they tell most for the cap at hand.

A few cells far from one another come first, then what constrained expected improvement asks for;
the choice of the fixed-batch user is among them where there is one cap.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Protocol, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.cells import CellStore
from edgetwin.systems.planner.acquisition import Goal, Mask, next_cell
from edgetwin.systems.planner.efficiency import Efficiency
from edgetwin.systems.planner.space import Space
from edgetwin.systems.planner.surface import FEWEST, Belief, Point, Surface
from hw_models.fit import space_filling
from hw_models.tables import Grid

Array = NDArray[np.float64]

POINTS: Final = 15
_CLIMB: Final = 4  # a quarter of the settings at once
_FIRST_SHARE, _MOST_FIRST = 3, 5  # a third of the points are spread out, five at most


class Meter(Protocol):
    """What measures a cell: a table, a twin, a board."""

    def measure(self, at: int) -> Point | None:
        """Time and power of a cell; None where the board will not run it."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """How profiling itself keeps below the cap: no cell that may pass it by more than this share.

    overshoot 0.1 allows a cell whose peak is believed, one standard deviation up, to stay below
    1.1 times the cap. What is believed far from all that was measured is worth little, so settings
    are climbed: at most a quarter of them at once above the highest that was measured below the
    cap.
    """

    overshoot: float = 0.1

    def allowed(self, space: Space, belief: Belief, cap_w: float) -> Mask:
        """The cells that may be measured, (n,)."""
        most_w = belief.peak_w * np.exp(belief.peak_share)
        settings = np.unique(space.setting)
        known = space.setting[belief.is_measured & (belief.peak_w <= cap_w)]
        step = max(len(settings) // _CLIMB, 1)
        top = int(np.searchsorted(settings, known.max())) if len(known) else 0
        highest = settings[min(top + step, len(settings) - 1)]
        return np.asarray((most_w <= cap_w * (1.0 + self.overshoot)) & (space.setting <= highest))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was measured, in order, and what is believed of the rest.

    refused are cells the board would not run; overshoot is the largest share by which a measured
    peak was above the cap.
    """

    space: Space
    surface: Surface
    belief: Belief
    refused: tuple[int, ...]
    overshoot: float

    @property
    def measured(self) -> tuple[int, ...]:
        """The measured cells, in order."""
        return tuple(self.surface.points)


@final
class GridMeter:
    """A grid that was measured by somebody: a cell costs nothing and is always the same."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid

    def measure(self, at: int) -> Point:
        """The cell as the table has it."""
        grid = self._grid
        peak_w = grid.power_w if grid.peak_w is None else grid.peak_w
        return Point(
            time_s=float(grid.time_s[at]), mean_w=float(grid.power_w[at]), peak_w=float(peak_w[at])
        )


@final
class KeptMeter:
    """Remembers what another meter measured, in a store: an interrupted profile goes on there.

    facts are all that decides a measurement besides the cell (board, network, care, seed). The same
    profile asks for the same cells, so that what was measured before is not measured again.
    """

    def __init__(
        self, meter: Meter, store: CellStore, space: Space, facts: Mapping[str, object]
    ) -> None:
        self._meter, self._store, self._space, self._facts = meter, store, space, facts

    def measure(self, at: int) -> Point | None:
        """The cell as it was measured before, or now; a refusal is remembered too."""
        key = {**self._facts, "cell": self._space.label(at)}
        if self._store.missing([key]):
            point = self._meter.measure(at)
            self._store.put(key, None if point is None else asdict(point))
            return point
        known = self._store.values([key])[0]
        return None if known is None else Point(**known)


def profile(
    space: Space,
    efficiency: Efficiency,
    meter: Meter,
    *,
    caps_w: Sequence[float],
    points: int = POINTS,
    baseline: int | None = None,
    hold: Hold | None = None,
    begin: Surface | None = None,
    seed: int = 0,
    watch: Callable[[int, Point], None] | None = None,
) -> Profile:
    """Measure up to `points` cells for one cap or several, and learn the rest from them.

    baseline is the batch size whose fixed-batch choice is measured too, where there is one cap;
    hold keeps profiling below the lowest cap; begin holds cells that are known already (an
    interrupted profile, another cap) and count as points. Every new point is shown to `watch`.
    ValueError for fewer than four points or where no cell can be run.
    """
    _check(space, efficiency, points, baseline)
    goal = Goal(
        need=efficiency.of(space.batch), caps_w=np.asarray(caps_w, float),
        searched=points - first_count(points), baseline=baseline,
    )  # fmt: skip
    surface = Surface(space, seed=seed) if begin is None else begin.copy()
    search = _Search(space=space, goal=goal, surface=surface, meter=meter, hold=hold, watch=watch)
    rng = np.random.default_rng(seed)
    search.spread_out(first_count(points), rng)
    while len(surface.points) < points:
        at = search.next(points - len(surface.points))
        if at is None:
            break
        search.measure(at)
    belief = surface.belief()
    peaks_w = np.array([point.peak_w for point in surface.points.values()])
    return Profile(
        space=space, surface=surface, belief=belief, refused=tuple(sorted(search.refused)),
        overshoot=max(0.0, float(peaks_w.max() / goal.caps_w.min() - 1.0)),
    )  # fmt: skip


def first_count(points: int) -> int:
    """How many of the points are spread out before any result is looked at."""
    return max(min(points // _FIRST_SHARE, _MOST_FIRST), FEWEST)


def first_cells(
    space: Space, n: int, rng: np.random.Generator, *, is_held: bool = False
) -> list[int]:
    """The first n cells: far apart, or among the lowest settings where the cap must be held."""
    n = min(n, len(space))
    if not is_held:
        axes = [space.batch, space.setting]
        axes += [] if space.memory_hz is None else [space.memory_hz]
        return [int(i) for i in space_filling(tuple(axes), n, rng)]
    order = np.lexsort((space.batch, space.setting))
    low = order[: max(n, len(space.batches))]
    return [int(low[i]) for i in np.unique(np.linspace(0, len(low) - 1, n).round().astype(int))]


def usable(space: Space, efficiency: Efficiency) -> Space:
    """The cells whose batch size has an efficiency; ValueError when there are none."""
    known = np.flatnonzero(np.isfinite(efficiency.of(space.batch)))
    if not len(known):
        raise ValueError(
            f"no batch size of the grid ({_listed(space.batches)}) has an efficiency; known are "
            f"{_listed(tuple(efficiency.needed))}."
        )
    return space.take(known)


def _check(space: Space, efficiency: Efficiency, points: int, baseline: int | None) -> None:
    if points < FEWEST + 1:
        raise ValueError(f"{points} points; profiling needs {FEWEST + 1}, better {POINTS}.")
    if not np.isfinite(efficiency.of(space.batch)).all():
        raise ValueError("some batch size has no efficiency; leave it out first (usable).")
    if baseline is not None and baseline not in space.batches:
        raise ValueError(
            f"the baseline's batch {baseline} cannot be chosen; these can: "
            f"{_listed(space.batches)}."
        )


def _listed(batches: Sequence[int]) -> str:
    return ", ".join(map(str, batches))


@final
class _Search:
    """One profile while it is being made."""

    def __init__(
        self,
        *,
        space: Space,
        goal: Goal,
        surface: Surface,
        meter: Meter,
        hold: Hold | None,
        watch: Callable[[int, Point], None] | None,
    ) -> None:
        self.space, self.goal, self.surface = space, goal, surface
        self.meter, self.hold, self.watch = meter, hold, watch
        self.refused: set[int] = set()

    def spread_out(self, n: int, rng: np.random.Generator) -> None:
        """The first cells: far apart, or at the lowest settings where the cap must be held."""
        for at in first_cells(self.space, n, rng, is_held=self.hold is not None):
            if len(self.surface.points) >= n:
                return
            if at not in self.surface.points:
                self.measure(at)
        # Cells may have been refused: go on with any others, lowest settings first.
        for at in np.argsort(self.space.setting, kind="stable"):
            if len(self.surface.points) >= FEWEST:
                return
            if int(at) not in self.surface.points and int(at) not in self.refused:
                self.measure(int(at))
        if len(self.surface.points) < FEWEST:
            raise ValueError(
                f"the board runs only {len(self.surface.points)} of {len(self.space)} cells; a "
                f"profile needs {FEWEST}."
            )

    def next(self, left: int) -> int | None:
        """The cell to measure when so many of the points are left."""
        belief = self.surface.belief()
        allowed = np.ones(len(self.space), dtype=bool)
        allowed[list(self.refused)] = False
        if self.hold is not None:
            allowed &= self.hold.allowed(self.space, belief, float(self.goal.caps_w.min()))
        return next_cell(self.space, belief, self.goal, allowed=allowed, left=left)

    def measure(self, at: int) -> None:
        """One cell, kept or refused."""
        point = self.meter.measure(at)
        if point is None:
            self.refused.add(at)
            return
        self.surface.add(at, point)
        if self.watch is not None:
            self.watch(at, point)
