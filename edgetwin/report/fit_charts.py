"""Measured beside predicted, and what is left, signal by signal and recording by recording."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edgetwin.report.sections import Level, Series, SeriesChart
from hw_models.certificate.evaluated import Evaluated

Array = NDArray[np.float64]


def fit_charts(runs: Sequence[Evaluated], held_out: set[str]) -> Iterator[SeriesChart]:
    """Two charts per signal of every recording; blocks of one recording share them.

    held_out names the runs that were not fitted: their predictions are drawn apart.
    """
    recordings: dict[str, list[Evaluated]] = {}
    for run in runs:
        recordings.setdefault(run.run.name.partition(":")[0], []).append(run)
    for name, blocks in recordings.items():
        ordered = sorted(blocks, key=lambda run: float(run.t_s[0]))
        for signal in dict.fromkeys(s for run in ordered for s in run.measured):
            own = [run for run in ordered if signal in run.measured]
            yield from _of_signal(f"{signal}, {name}", signal, own, held_out)


def _of_signal(
    title: str, signal: str, runs: Sequence[Evaluated], held_out: set[str]
) -> Iterator[SeriesChart]:
    unit = unit_of(signal)
    splits = {
        "fitted": [run for run in runs if run.run.name not in held_out],
        "held out": [run for run in runs if run.run.name in held_out],
    }
    known = {split: own for split, own in splits.items() if own}
    yield SeriesChart(
        title=title,
        unit="degC" if unit == "K" else unit,
        series=[
            _joined("measured", runs, [run.measured[signal] for run in runs]),
            *(
                _joined(f"predicted, {split}", own, [run.predicted[signal] for run in own])
                for split, own in known.items()
            ),
        ],
    )
    every = np.concatenate([run.error(signal) for run in runs])
    yield SeriesChart(
        title=f"{title}: residual",
        unit=unit,
        series=[
            _joined(f"predicted less measured, {split}", own, [run.error(signal) for run in own])
            for split, own in known.items()
        ],
        levels=[Level(name="mean", value=float(np.nanmean(every)))],
    )


def _joined(name: str, runs: Sequence[Evaluated], values: Sequence[Array]) -> Series:
    """One series over several blocks, with a gap after each."""
    gap = np.full(1, np.nan)
    times_s = [np.append(run.t_s, run.t_s[-1]) for run in runs]
    return Series(
        name=name,
        t_s=np.concatenate(times_s),
        values=np.concatenate([np.concatenate([block, gap]) for block in values]),
    )


def unit_of(signal: str) -> str:
    """The unit of a signal's errors."""
    if signal.startswith("temps_c."):
        return "K"
    return "s" if signal.startswith(("latency_s.", "step_s.")) else "W"
