"""Batch x limit grids from few points: a physical form, and a Gaussian process for the rest.

`fit_grid` takes the cells that were measured and predicts every other with a mean and a standard
deviation, for training time and mean power. The second axis is a power limit or a GPU clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.discrepancy import Residual, fit_residual
from hw_models.fit.grid_model import NAMES, OF_LIMIT, ln_grid_slopes
from hw_models.fit.points import Evaluate, Solution, Unknown, solve
from hw_models.fit.result import FitResult
from hw_models.fit.verdicts import judged
from hw_models.tables import Grid

Array = NDArray[np.float64]

NOISE: Final = 0.03  # of the form, before the process takes what is left
_FEWEST: Final = 3
_CURES: Final = {
    "host_batch": "cells of the smallest batches",
    "compute_half_batch": "cells of small and of large batches at the highest setting",
    "static_w": "cells of the lowest settings and smallest batches",
    "lowest_clock": "cells of the lowest limit",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GridPrediction:
    """What cells are expected to take: means (n,), and standard deviations as shares of them.

    A share s means a factor of exp(+-s): all responses are log-normal. Where no peak power was
    measured it is the mean power.
    """

    time_s: Array
    time_share: Array
    power_w: Array
    power_share: Array
    peak_w: Array
    peak_share: Array


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GridForm:
    """The form on some cells, linearised: places (n, 2) and, for time and power, ln and slopes."""

    places: Array
    ln: tuple[Array, Array]
    slopes: tuple[Array, Array]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GridFit:
    """A fitted grid: the form's parameters as a result, and what predicts.

    scale (2,) is the largest batch and the highest setting, low (2,) the smallest of both.
    residuals are those of time, mean power and, where it was measured, peak power.
    """

    result: FitResult
    measured: Grid
    solution: Solution
    scale: Array
    low: Array
    residuals: tuple[Residual, ...]

    def form(self, batch: Array, setting: Array) -> GridForm:
        """The form on cells, (n,) each; batch and setting broadcast to one shape."""
        b, s = (np.ravel(a).astype(float) for a in np.broadcast_arrays(batch, setting))
        return _linear(self.solution, b, s, self.measured.knob, self.low, self.scale)

    def predict(self, batch: Array, setting: Array) -> GridPrediction:
        """Time and power of cells, (n,) each; batch and setting broadcast to one shape."""
        return self.at(self.form(batch, setting))

    def at(self, form: GridForm) -> GridPrediction:
        """The same where the form on the cells is known already."""
        means, shares = [], []
        for response, residual in enumerate(self.residuals):
            k = min(response, 1)
            added, variance = residual.at(form.places, form.slopes[k])
            means.append(np.exp(form.ln[k] + added))
            shares.append(np.sqrt(variance))
        return GridPrediction(
            time_s=means[0], time_share=shares[0], power_w=means[1], power_share=shares[1],
            peak_w=means[-1], peak_share=shares[-1],
        )  # fmt: skip

    def extended(self, measured: Grid) -> "GridFit":
        """The same form, linearised where it stood, with the residuals of other measured cells.

        A hundred times as fast as a new fit, and as good while the new cells move the form little.
        """
        form = self.form(measured.batch, measured.setting)
        return replace(self, measured=measured, residuals=_residuals(form, measured))


def fit_grid(
    measured: Grid,
    *,
    batches: tuple[float, float] | None = None,
    settings: tuple[float, float] | None = None,
    start: GridFit | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    seed: int = 0,
) -> GridFit:
    """The grid that the measured cells are part of; deterministic by seed.

    batches and settings are the ends of the two axes (default: of the measured cells). start is an
    earlier fit of fewer cells of the same workload, from which the search goes on: several times as
    fast. priors replace the weak ones by the names of the form (centre, std of ln). ValueError for
    fewer than three cells.
    """
    if len(measured.batch) < _FEWEST:
        raise ValueError(
            f"{len(measured.batch)} cells of {measured.workload}; a grid needs {_FEWEST}, better "
            "15, spread over batch sizes and settings (see space_filling)."
        )
    low, scale = _ends(measured, batches, settings)
    unknowns = _unknowns(measured, {} if priors is None else priors)
    solution = solve(
        _evaluate(measured, scale),
        np.concatenate([measured.time_s, measured.power_w]),
        unknowns,
        seed=seed,
        noise=NOISE,
        starts=2 if start is None else 1,
        begin=None if start is None else start.solution.ln,
        is_noise_known=True,
    )
    form = _linear(solution, measured.batch, measured.setting, measured.knob, low, scale)
    return GridFit(
        result=judged({measured.workload: solution}, seed=seed, cures=_CURES),
        measured=measured,
        solution=solution,
        scale=scale,
        low=low,
        residuals=_residuals(form, measured),
    )


def _residuals(form: GridForm, measured: Grid) -> tuple[Residual, ...]:
    """What the form leaves of time and mean power, and of peak power where it was measured."""
    seen = [measured.time_s, measured.power_w]
    if measured.peak_w is not None:
        seen.append(measured.peak_w)
    by_response = ((min(k, 1), np.log(values)) for k, values in enumerate(seen))
    return tuple(
        fit_residual(form.places, form.slopes[k], ln - form.ln[k]) for k, ln in by_response
    )


def _ends(
    measured: Grid, batches: tuple[float, float] | None, settings: tuple[float, float] | None
) -> tuple[Array, Array]:
    b = (measured.batch.min(), measured.batch.max()) if batches is None else batches
    s = (measured.setting.min(), measured.setting.max()) if settings is None else settings
    return np.array([b[0], s[0]], dtype=float), np.array([b[1], s[1]], dtype=float)


def _places(batch: Array, setting: Array, low: Array, high: Array) -> Array:
    """Cells in the unit square, (n, 2): logarithm of the batch, inverse of the setting.

    An axis of one value only is scaled as if it reached from there to twice as much.
    """
    ends = np.where(high > low, high, 2 * low)
    along = np.log(batch / low[0]) / np.log(ends[0] / low[0])
    across = (1 / low[1] - 1 / setting) / (1 / low[1] - 1 / ends[1])
    return np.stack([along, across], axis=1)


def _unknowns(measured: Grid, given: Mapping[str, tuple[float, float]]) -> list[Unknown]:
    """Priors from the scales of the cells alone: factors that hold for GPUs and boards alike."""
    middle = float(np.exp(np.mean(np.log(measured.batch))))
    least_w, most_w = float(measured.power_w.min()), float(measured.power_w.max())
    priors = {
        "compute_s": (float(measured.time_s.min()), 0.7),
        "compute_half_batch": (middle / 8, 2.0),
        "host_batch": (middle / 8, 2.0),
        "overlap": (2.5, 0.5),
        "rest_ratio": (0.1, 1.0),
        "compute_growth": (0.1, 1.5),
        "rest_growth": (0.1, 1.5),
        "static_w": (0.65 * least_w, 0.3),
        "dynamic_w": (1.1 * most_w, 0.3),
        "power_half_batch": (middle / 8, 2.0),
        "floor_gain": (1.7, 0.2),
        "clock_exponent": (0.25, 0.4),
        "limit_ratio": (1.0, 0.03),
        "lowest_clock": (0.15, 0.5),
        "edge": (5.0, 0.4),
    } | dict(given)
    return [
        Unknown(path=f"runs.{measured.workload}.{name}", prior=priors[name][0],
                spread=priors[name][1])
        for name in NAMES if measured.knob == "limit_w" or name not in OF_LIMIT
    ]  # fmt: skip


def _evaluate(measured: Grid, scale: Array) -> Evaluate:
    def evaluate(ln: Array) -> tuple[Array, Array]:
        return _ln_slopes(ln, measured.batch, measured.setting, measured.knob, scale)

    return evaluate


def _whole(ln: Array) -> Array:
    return np.concatenate([ln, np.zeros(len(NAMES) - len(ln))])


def _ln_slopes(
    ln: Array, batch: Array, setting: Array, knob: str, scale: Array
) -> tuple[Array, Array]:
    """The form and its slopes against the parameters that the knob leaves meaning to."""
    form, slopes = ln_grid_slopes(_whole(ln), batch, setting, knob == "limit_w", scale)
    return form, slopes[:, : len(ln)]


def _linear(
    solution: Solution, batch: Array, setting: Array, knob: str, low: Array, scale: Array
) -> GridForm:
    """For time and power: the form linearised at the prior's centre, slopes per deviation."""
    form, slopes = _ln_slopes(solution.ln, batch, setting, knob, scale)
    spread = np.array([u.spread for u in solution.unknowns])
    away = (solution.ln - np.log([u.prior for u in solution.unknowns])) / spread
    scaled, n = slopes * spread, len(batch)
    centre = form - scaled @ away
    return GridForm(
        places=_places(batch, setting, low, scale),
        ln=(centre[:n], centre[n:]),
        slopes=(scaled[:n], scaled[n:]),
    )
