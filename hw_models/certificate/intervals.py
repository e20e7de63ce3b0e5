"""Intervals around a prediction, and how often held-out readings lie in them.

The half-width at level p is hypot(q_p times the sensor's noise at the predicted value, z_p times
the scatter of predictions over boards drawn from the posterior), with q_p the p-quantile of
|error| / noise on the fitted runs: noise that is a share of power stays one. In temperatures the
mean of that scatter over a run is taken off, since the ambient is estimated per run and takes it
up.
"""

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.certificate.evaluated import Evaluated, mean_error, pooled, signals_of
from hw_models.certificate.model import Coverage
from hw_models.parameters import replaced

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.sampling import Posterior

Array = NDArray[np.float64]

LEVELS: Final = (0.5, 0.9)
DRAWS: Final = 24
_LEAST_K: Final = 0.02
_LEAST_W: Final = 1e-3


def noise_of(board: "Board", signal: str, said: Array) -> Array:
    """One standard deviation of what the sensor adds to predicted values (n,), same unit."""
    group, _, name = signal.partition(".")
    if group == "power_w":
        rail = board.sensors.rails[name]
        floor_w = max(rail.resolution_w.value / 12**0.5, _LEAST_W)
        return np.asarray(np.hypot(rail.noise.value * said, floor_w))
    zone = board.sensors.zones[name]
    noise_k = float(np.hypot(zone.noise_k.value, zone.resolution_k.value / 12**0.5))
    return np.full(len(said), max(noise_k, _LEAST_K))


def half_widths(board: "Board", fitted: Sequence[Evaluated]) -> dict[str, tuple[float, float]]:
    """The 50 % and 90 % quantiles of |error| / noise on the fitted runs, by signal."""
    widths = {}
    for signal in signals_of(fitted):
        found = pooled(fitted, signal)
        at = np.quantile(np.abs(found.error) / noise_of(board, signal, found.said), LEVELS)
        widths[signal] = (float(at[0]), float(at[1]))
    return widths


def counted(
    board: "Board",
    runs: Sequence[Evaluated],
    widths: Mapping[str, tuple[float, float]],
    spread: Sequence[Mapping[str, Array]],
) -> dict[str, Coverage]:
    """How many readings of `runs` lie in their intervals; spread is from `scatter`, run by run."""
    table = {}
    for signal, (half_50, half_90) in widths.items():
        found, std = pooled(runs, signal), _spread_of(runs, spread, signal)
        bare = Coverage(n=len(std), half_50=half_50, half_90=half_90)
        if len(std):
            noise = noise_of(board, signal, found.said)
            inside = [
                np.abs(found.error) <= np.hypot(half * noise, _z(level) * std)
                for half, level in zip((half_50, half_90), LEVELS, strict=True)
            ]
            bare = bare.model_copy(
                update={
                    "share_50": float(np.mean(inside[0])),
                    "share_90": float(np.mean(inside[1])),
                    "error_90": mean_error(inside[1].astype(np.float64), found.stretch),
                }
            )
        table[signal] = bare
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


def _spread_of(
    runs: Sequence[Evaluated], spread: Sequence[Mapping[str, Array]], signal: str
) -> Array:
    """The scatter (n,) of every known reading of a signal, in the order of `pooled`."""
    parts = [np.zeros(0)]
    for run, std in zip(runs, spread, strict=True):
        if signal in run.measured:
            parts.append(std[signal][np.isfinite(run.measured[signal])])
    return np.concatenate(parts)


def _z(level: float) -> float:
    return NormalDist().inv_cdf(0.5 + 0.5 * level)
