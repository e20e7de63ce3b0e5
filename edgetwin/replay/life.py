"""What a recording says of its jobs and of the whole run: sums over readings, each held."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetwin.backend import JobResult
from edgetwin.kernel import QOS_SHARE
from hw_models.board import Board
from hw_models.trace import Trace

Array = NDArray[np.float64]
Kpis = dict[str, float | None]


def results_of(trace: Trace, now_s: float) -> tuple[JobResult, ...]:
    """The life of every job as its readings tell it, finished ones first, in order of their end.

    A job with a batch size counts as training, every other one as an application.
    """
    names = [
        c.split(".")[1] for c in trace.columns if c.startswith("jobs.") and c.endswith(".rate")
    ]
    jobs = [job for name in names for job in _life(trace, name, now_s)]
    return tuple(sorted(jobs, key=lambda job: np.inf if job.end_s is None else job.end_s))


def _life(trace: Trace, name: str, now_s: float) -> Iterator[JobResult]:
    t_s, rate = trace.columns["t_s"], trace.columns[f"jobs.{name}.rate"]
    rows = np.flatnonzero(~np.isnan(rate))
    if not len(rows):
        return
    dt_s, last = _held_s(trace, now_s)[rows], int(rows[-1])
    target = _numbers(trace, f"jobs.{name}.target")[rows]
    known = target[~np.isnan(target)]
    has_batch = not np.isnan(_numbers(trace, f"jobs.{name}.batch")).all()
    yield JobResult(
        id=name,
        title=name,
        kind="training" if has_batch else "application",
        start_s=float(t_s[rows[0]]),
        end_s=float(t_s[last + 1]) if last + 1 < len(t_s) else None,
        work=float(np.sum(rate[rows] * dt_s)),
        target=float(known[-1]) if len(known) else None,
        alive_s=float(np.sum(dt_s)),
        below_s=float(np.sum(dt_s[rate[rows] < QOS_SHARE * target])),
    )


def _held_s(trace: Trace, now_s: float) -> Array:
    """How long each reading holds: until the next one, the last until now."""
    return np.diff(trace.columns["t_s"], append=now_s)


def _numbers(trace: Trace, column: str) -> Array:
    """A column, or gaps where the trace lacks it."""
    if column not in trace.columns:
        return np.full(len(trace), np.nan)
    return trace.columns[column].astype(np.float64)


def kpis_of(board: Board, trace: Trace, now_s: float) -> Kpis:
    """The key figures of a simulator, from what its sensors said; None where nothing was said."""
    jobs = results_of(trace, now_s)
    aimed = [job for job in jobs if job.target]
    alive_s = sum(job.alive_s for job in aimed)
    ended = [job.end_s for job in jobs if job.end_s is not None]
    return {
        "duration_s": now_s,
        **_temps(trace, now_s),
        **_power(board, trace, now_s),
        "violation_time_share": sum(j.below_s for j in aimed) / alive_s if alive_s else 0.0,
        "violated_jobs_share": sum(j.violated for j in aimed) / len(aimed) if aimed else 0.0,
        "migrations": float(_migrations(trace)),
        "completed": float(len(ended)),
        "instructions_done": sum(j.work for j in jobs if j.kind == "application"),
        "samples_done": sum(j.work for j in jobs if j.kind == "training"),
        "time_to_target_s": max(ended) if ended and len(ended) == len(jobs) else None,
    }


def _temps(trace: Trace, now_s: float) -> Kpis:
    """Of the hottest zone on average, as in simulation; the peak is that of any zone."""
    dt_s = _held_s(trace, now_s)
    zones_c = [v for name, v in trace.columns.items() if name.startswith("temps_c.")]
    known_c = [c for c in zones_c if not np.isnan(c).all()]
    means_c = [_mean(c, dt_s) for c in known_c]
    return {
        "mean_temp_c": max(means_c, default=None),
        "peak_temp_c": max((float(np.nanmax(c)) for c in known_c), default=None),
    }


def _power(board: Board, trace: Trace, now_s: float) -> Kpis:
    """Of the input rail; energy is the counter's where there is one, else its mean over time."""
    dt_s, rail = _held_s(trace, now_s), board.sensors.input_rail
    input_w, cap_w = _numbers(trace, f"power_w.{rail}"), _numbers(trace, "cap_w")
    counted_j = _numbers(trace, "energy_j")
    is_measured = not np.isnan(input_w).all()
    over = np.where(np.isnan(cap_w), 0.0, np.maximum(input_w / cap_w - 1.0, 0.0))
    energy_j = _mean(input_w, dt_s) * now_s if is_measured else None
    throttled = trace.columns.get("throttled")
    return {
        "energy_j": energy_j if np.isnan(counted_j[-1]) else float(counted_j[-1]),
        "peak_power_w": float(np.nanmax(input_w)) if is_measured else None,
        "throttled_time_share": None if throttled is None else _mean(throttled, dt_s),
        "cap_violation_time_share": _mean(over > 0.0, dt_s) if is_measured else None,
        "max_overshoot_share": float(np.nanmax(over)) if is_measured else None,
    }


def _mean(values: NDArray[Any], dt_s: Array) -> float:
    """Mean over the time for which something was said; of a single instant, its value."""
    known = ~np.isnan(values.astype(np.float64))
    if not np.sum(dt_s[known]):
        return float(np.mean(values[known]))
    return float(np.average(values[known], weights=dt_s[known]))


def _migrations(trace: Trace) -> int:
    """How often a job was seen on another unit than before."""
    moves = 0
    for name, units in trace.columns.items():
        if name.startswith("jobs.") and name.endswith(".unit"):
            on = [unit for unit in units if unit is not None]
            moves += sum(a != b for a, b in pairwise(on))
    return moves
