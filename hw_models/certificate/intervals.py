"""Intervals around a prediction, and how often held-out readings lie in them.

The half-width at level p is hypot(the p-quantile of |error| on the fitted runs, z_p times the
scatter of predictions over boards drawn from the posterior). In temperatures the mean of that
scatter over a run is taken off, since the ambient is estimated per run and takes it up.
"""

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.certificate.evaluated import Evaluated, pooled, signals_of
from hw_models.certificate.model import Coverage
from hw_models.parameters import replaced

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.sampling import Posterior

Array = NDArray[np.float64]

LEVELS: Final = (0.5, 0.9)
DRAWS: Final = 24


def half_widths(fitted: Sequence[Evaluated]) -> dict[str, tuple[float, float]]:
    """The 50 % and 90 % quantiles of |error| on the fitted runs, by signal, in its unit."""
    widths = {}
    for signal in signals_of(fitted):
        measured, said = pooled(fitted, signal)
        at = np.nanquantile(np.abs(said - measured), LEVELS)
        widths[signal] = (float(at[0]), float(at[1]))
    return widths


def counted(
    runs: Sequence[Evaluated],
    widths: Mapping[str, tuple[float, float]],
    spread: Sequence[Mapping[str, Array]],
) -> dict[str, Coverage]:
    """How many readings of `runs` lie in their intervals; spread is from `scatter`, run by run."""
    table = {}
    for signal, (half_50, half_90) in widths.items():
        error, std = _over(runs, spread, signal)
        shares = [
            float(np.mean(np.abs(error) <= np.hypot(half, z * std))) if len(error) else None
            for half, z in ((half_50, _z(0.5)), (half_90, _z(0.9)))
        ]
        table[signal] = Coverage(
            n=len(error),
            half_50=half_50,
            half_90=half_90,
            share_50=shares[0],
            share_90=shares[1],
        )
    return table


def scatter(
    board: "Board", runs: Sequence[Evaluated], law: "Posterior", seed: int
) -> list[dict[str, Array]]:
    """One standard deviation of each prediction (rows,) over drawn boards, by signal, per run."""
    rng = np.random.default_rng(seed)
    boards = [replaced(board, law.draw(rng)) for _ in range(DRAWS if runs else 0)]
    return [_scatter(run, [run.with_board(drawn) for drawn in boards]) for run in runs]


def _scatter(run: Evaluated, drawn: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    found = {}
    for signal, nominal in run.predicted.items():
        away = np.array([said[signal] - nominal for said in drawn])
        if signal.startswith("temps_c."):
            away -= away.mean(axis=1, keepdims=True)
        found[signal] = np.sqrt(np.mean(away**2, axis=0))
    return found


def _over(
    runs: Sequence[Evaluated], spread: Sequence[Mapping[str, Array]], signal: str
) -> tuple[Array, Array]:
    """Errors and their scatter (n,) over all readings of a signal."""
    errors, stds = [np.zeros(0)], [np.zeros(0)]
    for run, std in zip(runs, spread, strict=True):
        if signal in run.measured:
            error = run.error(signal)
            known = np.isfinite(error)
            errors.append(error[known])
            stds.append(std[signal][known])
    return np.concatenate(errors), np.concatenate(stds)


def _z(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + 0.5 * level)
