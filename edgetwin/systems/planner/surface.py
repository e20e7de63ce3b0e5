"""What is believed about every cell of a space: measured where it was, predicted elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.planner.space import Space
from hw_models.fit.grid import GridFit, GridForm, fit_grid
from hw_models.tables import Grid

Array = NDArray[np.float64]

FEWEST: Final = 3
_REFITS: Final = 2.0  # the form is fitted anew when there are so many times as many cells


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measured cell: seconds per unit of work (sample or epoch), mean and peak power.

    The shares are standard errors of their logarithms.
    """

    time_s: float
    mean_w: float
    peak_w: float
    time_share: float = 0.0
    mean_share: float = 0.0
    peak_share: float = 0.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """Time per unit of work, mean and peak power of every cell (n,), each with its doubt.

    The shares are standard deviations of the logarithms; is_measured (n,) says what was seen.
    """

    time_s: Array
    time_share: Array
    mean_w: Array
    mean_share: Array
    peak_w: Array
    peak_share: Array
    is_measured: NDArray[np.bool_]


@final
class Surface:
    """A form fitted to the cells measured so far, and what it says of the others."""

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        self.space = space
        self.points: dict[int, Point] = {}
        self._seed = seed
        self._fit: GridFit | None = None
        self._fitted_on = 0
        self._whole: GridForm | None = None

    def copy(self) -> "Surface":
        """An own copy, to go on from here in another direction."""
        other = Surface(self.space, seed=self._seed)
        other.points = dict(self.points)
        other._fit, other._fitted_on, other._whole = self._fit, self._fitted_on, self._whole
        return other

    def add(self, at: int, point: Point) -> None:
        """A cell was measured."""
        for name in ("time_s", "mean_w", "peak_w"):
            value = getattr(point, name)
            if not (np.isfinite(value) and value > 0):
                raise ValueError(
                    f"{name} of {self.space.words(at)} is {value}; expected a number above zero."
                )
        self.points[at] = point

    def belief(self) -> Belief:
        """What is believed now; ValueError with fewer than three measured cells."""
        fit = self._fitted()
        assert self._whole is not None
        said = fit.at(self._whole)
        found = Belief(
            time_s=said.time_s, time_share=said.time_share, mean_w=said.power_w,
            mean_share=said.power_share, peak_w=said.peak_w, peak_share=said.peak_share,
            is_measured=np.zeros(len(self.space), dtype=bool),
        )  # fmt: skip
        for at, point in self.points.items():
            found.time_s[at], found.time_share[at] = point.time_s, point.time_share
            found.mean_w[at], found.mean_share[at] = point.mean_w, point.mean_share
            found.peak_w[at], found.peak_share[at] = point.peak_w, point.peak_share
            found.is_measured[at] = True
        return found

    def _fitted(self) -> GridFit:
        measured = self._measured()
        n = len(measured.batch)
        if self._fit is None or n >= _REFITS * self._fitted_on:
            batch, setting = self.space.batch, self.space.setting
            self._fit = fit_grid(
                measured,
                batches=(float(batch.min()), float(batch.max())),
                settings=(float(setting.min()), float(setting.max())),
                start=self._fit,
                seed=self._seed,
            )
            self._fitted_on = n
            self._whole = self._fit.form(batch, setting)
        elif len(self._fit.measured.batch) != n:
            self._fit = self._fit.extended(measured)
        return self._fit

    def _measured(self) -> Grid:
        at = np.array(list(self.points), dtype=np.int64)
        points = list(self.points.values())
        peak_w = np.array([p.peak_w for p in points])
        mean_w = np.array([p.mean_w for p in points])
        return Grid(
            workload="profiled",
            knob=self.space.knob,
            batch=self.space.batch[at],
            setting=self.space.setting[at],
            time_s=np.array([p.time_s for p in points]),
            power_w=mean_w,
            peak_w=None if np.array_equal(peak_w, mean_w) else peak_w,
        )


def known_points(points: Sequence[Point]) -> Belief:
    """Cells of which every one is known, in order."""
    zero = np.zeros(len(points))
    return Belief(
        time_s=np.array([p.time_s for p in points]), time_share=zero,
        mean_w=np.array([p.mean_w for p in points]), mean_share=zero,
        peak_w=np.array([p.peak_w for p in points]), peak_share=zero,
        is_measured=np.ones(len(points), dtype=bool),
    )  # fmt: skip


def known_belief(grid: Grid) -> Belief:
    """A grid of which every cell is known."""
    zero = np.zeros(len(grid.batch))
    peak_w = grid.power_w if grid.peak_w is None else grid.peak_w
    return Belief(
        time_s=grid.time_s, time_share=zero, mean_w=grid.power_w, mean_share=zero, peak_w=peak_w,
        peak_share=zero, is_measured=np.ones(len(grid.batch), dtype=bool),
    )  # fmt: skip
