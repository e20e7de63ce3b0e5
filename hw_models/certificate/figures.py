"""Errors per signal and regime, and skill against the simplest model: a table of means."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hw_models.accuracy import block_means, signal_errors
from hw_models.certificate.evaluated import (
    Evaluated,
    Pooled,
    mean_error,
    pooled,
    signals_of,
)
from hw_models.certificate.model import Errors, Skill
from hw_models.certificate.regimes import REGIMES

if TYPE_CHECKING:
    from hw_models.fit import Run

Array = NDArray[np.float64]


def errors_of(runs: Sequence[Evaluated]) -> dict[str, dict[str, Errors]]:
    """Errors of every signal over all readings and in every regime that occurred."""
    table: dict[str, dict[str, Errors]] = {}
    for signal in signals_of(runs):
        for regime in ("all", *REGIMES):
            found = pooled(runs, signal, regime)
            if len(found.measured):
                row = errors(found, has_shares=signal.startswith("power_w."))
                table.setdefault(signal, {})[regime] = row
    return table


def block_errors_of(runs: Sequence[Evaluated]) -> dict[str, Errors]:
    """Errors of power in means over 20 s, as loads that are instantaneous samples need it."""
    table = {}
    for signal in signals_of(runs):
        if not signal.startswith("power_w."):
            continue
        parts = [
            block_means(run.t_s, (run.measured[signal], run.predicted[signal]))
            for run in runs
            if signal in run.measured
        ]
        measured, said = (np.concatenate(values) for values in zip(*parts, strict=True))
        each = np.arange(len(said))
        table[signal] = errors(Pooled(measured=measured, said=said, stretch=each), has_shares=True)
    return table


def errors(found: Pooled, *, has_shares: bool) -> Errors:
    """Figures of the readings of one signal."""
    figures = signal_errors(found.measured, found.said, has_shares=has_shares).figures()
    more = {
        "mse_error": mean_error(found.error**2, found.stretch),
        "max": float(np.max(np.abs(found.error))),
    }
    return Errors.model_validate(figures | more)


def skill_of(fitted: Sequence[Evaluated], judged: Sequence[Evaluated]) -> dict[str, Skill]:
    """The twin's error on `judged` runs against that of the fitted runs' means per operating point.

    An operating point is the clocks of all domains and the fan level; one that the fitted runs
    never saw has their overall mean. None where the table makes no error.
    """
    table: dict[str, Skill] = {}
    for signal in signals_of(judged):
        known = [run for run in fitted if signal in run.measured]
        if not known:
            continue
        means, overall = _means(known, signal)
        runs = [run for run in judged if signal in run.measured]
        own_pool = pooled(runs, signal)
        by_table = np.concatenate([_looked_up(run.run, means, overall) for run in runs])
        measured = np.concatenate([run.measured[signal] for run in runs])
        own, simple = _rmse(own_pool.measured, own_pool.said), _rmse(measured, by_table)
        table[signal] = Skill(
            n=len(own_pool.measured),
            rmse=own,
            table_rmse=simple,
            skill=1.0 - own / simple if simple > 0.0 else None,
        )
    return table


def _means(runs: Sequence[Evaluated], signal: str) -> tuple[dict[bytes, float], float]:
    values: dict[bytes, list[float]] = {}
    for run in runs:
        for key, value in zip(_points(run.run), run.measured[signal].tolist(), strict=True):
            if np.isfinite(value):
                values.setdefault(key, []).append(value)
    everything = [value for several in values.values() for value in several]
    return {key: float(np.mean(v)) for key, v in values.items()}, float(np.mean(everything))


def _looked_up(run: "Run", means: dict[bytes, float], overall: float) -> Array:
    return np.array([means.get(key, overall) for key in _points(run)])


def _points(run: "Run") -> list[bytes]:
    """The operating point of every reading."""
    seen = run.recorded
    return [row.tobytes() for row in np.column_stack([seen.level, seen.fan])]


def _rmse(measured: Array, said: Array) -> float:
    return float(np.sqrt(np.nanmean((said - measured) ** 2)))
