"""Which runs are fitted and which judge the fit: split by run, else by blocks, never by sample."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.naming import unknown

if TYPE_CHECKING:
    from hw_models.fit import Run

BLOCK_S: Final = 600.0
GAP_S: Final = 120.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRuns:
    """Runs to fit and runs to judge by; same_run where the latter are blocks of the former."""

    fitted: tuple["Run", ...]
    held_out: tuple["Run", ...]
    same_run: bool
    note: str


def split_runs(runs: Sequence["Run"], hold_out: Sequence[str] = ()) -> SplitRuns:
    """Runs named in hold_out (by run, or by the file they come from) are held out.

    Without names the last of several runs is. One run alone is cut into blocks of 10 min or more
    with gaps of 2 min, of which every third, from the second on, is held out; one shorter than
    22 min is fitted whole. KeyError for an unknown name, ValueError where nothing is left to fit.
    """
    if hold_out:
        return _by_name(runs, hold_out)
    if not runs:
        return SplitRuns(fitted=(), held_out=(), same_run=False, note="no run")
    if len(runs) == 1:
        return _by_blocks(runs[0])
    return SplitRuns(
        fitted=tuple(runs[:-1]),
        held_out=tuple(runs[-1:]),
        same_run=False,
        note=f"held out: {runs[-1].name}, the last of {len(runs)} runs",
    )


def _by_name(runs: Sequence["Run"], names: Sequence[str]) -> SplitRuns:
    for name in names:
        if not any(_is_called(run, name) for run in runs):
            raise KeyError(unknown("run", name, [run.name for run in runs]))
    held_out = tuple(run for run in runs if any(_is_called(run, name) for name in names))
    apart = {run.name for run in held_out}
    fitted = tuple(run for run in runs if run.name not in apart)
    if not fitted:
        raise ValueError("every run is held out; leave at least one to fit.")
    note = f"held out by name: {', '.join(run.name for run in held_out)}"
    return SplitRuns(fitted=fitted, held_out=held_out, same_run=False, note=note)


def _is_called(run: "Run", name: str) -> bool:
    """By its own name, or by that of its file, of which sessions bear a number behind it."""
    stem = Path(name).stem.replace(".", "-")
    return run.name == name or re.fullmatch(rf"{re.escape(stem)}(-\d+)?", run.name) is not None


def _by_blocks(run: "Run") -> SplitRuns:
    t_s = run.recorded.t_s
    length_s = float(t_s[-1] - t_s[0])
    count = int((length_s + GAP_S) / (BLOCK_S + GAP_S))
    if count < 2:
        note = f"{run.name} lasts {length_s / 60:.0f} min; from 22 min on blocks can be held out"
        return SplitRuns(fitted=(run,), held_out=(), same_run=False, note=note)
    each_s = (length_s + GAP_S) / count
    starts_s = [float(t_s[0]) + i * each_s for i in range(count)]
    held = [(start_s, start_s + each_s - GAP_S) for start_s in starts_s[1::3]]
    kept = list(_between(held, float(t_s[0]), float(t_s[-1])))
    note = (
        f"one run: {len(held)} of {count} blocks of {(each_s - GAP_S) / 60:.0f} min held out, "
        f"{GAP_S / 60:.0f} min apart"
    )
    return SplitRuns(
        fitted=tuple(_cut(run, f"{run.name}:fit{i}", *span) for i, span in enumerate(kept, 1)),
        held_out=tuple(_cut(run, f"{run.name}:held{i}", *span) for i, span in enumerate(held, 1)),
        same_run=True,
        note=note,
    )


def _between(
    held: Sequence[tuple[float, float]], first_s: float, last_s: float
) -> Iterator[tuple[float, float]]:
    """What is left of a run beside the held-out blocks, a gap away from them."""
    start_s = first_s
    for low_s, high_s in held:
        yield start_s, low_s - GAP_S
        start_s = high_s + GAP_S
    if last_s - start_s >= BLOCK_S:
        yield start_s, last_s


def _cut(run: "Run", name: str, start_s: float, end_s: float) -> "Run":
    seen = run.recorded
    rows: NDArray[np.bool_] = (seen.t_s >= start_s - 1e-9) & (seen.t_s <= end_s + 1e-9)
    return replace(
        run,
        name=name,
        recorded=replace(
            seen,
            t_s=seen.t_s[rows],
            level=seen.level[rows],
            busy=seen.busy[rows],
            online=seen.online[rows],
            traffic=seen.traffic[rows],
            fan=seen.fan[rows],
            zones_c={name: values[rows] for name, values in seen.zones_c.items()},
            rails_w={name: values[rows] for name, values in seen.rails_w.items()},
        ),
    )
