"""A power meter between the board and the wall: its log, as a CSV of time and watts."""

import csv
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.prepared import Signals

Array = NDArray[np.float64]

METER: Final = "power_w.meter"
MARGIN_S: Final = 20.0
# What a cheap meter promises; the fit replaces it by what the residuals show.
_ACCURACY_SHARE: Final = 0.01
_TIMES: Final = ("t_s", "time_s", "time", "t", "seconds", "timestamp", "unix_s")
# Column names meters write, and how many of the column's units make a watt.
_POWERS: Final = {
    **dict.fromkeys(("power_w", "watts", "watt", "w", "power", "p_w", "p"), 1.0),
    **dict.fromkeys(("power_mw", "mw", "milliwatts"), 1000.0),
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What a meter saw: t_s (rows,) on its own clock, strictly increasing, power_w (rows,).

    resolution_w is the smallest step between two of its values.
    """

    name: str
    t_s: Array
    power_w: Array
    resolution_w: float


def read_meter(path: str | PathLike[str]) -> Meter:
    """A CSV with a column of time in seconds and one of watts (or milliwatts) is a meter's log.

    The header names them: t_s, time, timestamp ...; power_w, watts, power_mw ... ValueError, naming
    the line, for a file without them, for what is no number, for times that do not increase.
    """
    rows = list(csv.reader(Path(path).read_text(encoding="utf-8-sig").splitlines()))
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    when = [i for i, name in enumerate(header) if name in _TIMES]
    what = [i for i, name in enumerate(header) if name in _POWERS]
    if not when or not what:
        raise ValueError(
            f"{path}: the header is {','.join(header) or 'empty'!r}; expected a column of time in "
            f"seconds ({', '.join(_TIMES[:4])}) and one of power (power_w, watts, power_mw)."
        )
    t_s = _numbers(path, rows, when[0])
    power_w = _numbers(path, rows, what[0]) / _POWERS[header[what[0]]]
    _check(path, t_s, power_w)
    steps_w = np.diff(np.unique(power_w))
    step_w = float(steps_w.min()) if len(steps_w) else 0.0
    return Meter(name=Path(path).name, t_s=t_s, power_w=power_w, resolution_w=step_w)


def _numbers(path: str | PathLike[str], rows: list[list[str]], column: int) -> Array:
    found = []
    for line, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        try:
            found.append(float(row[column]))
        except (ValueError, IndexError):
            cell = row[column] if column < len(row) else "missing"
            raise ValueError(
                f"{path}, line {line}: {rows[0][column].strip()} is {cell!r}; expected a number."
            ) from None
    return np.array(found)


def _check(path: str | PathLike[str], t_s: Array, power_w: Array) -> None:
    if len(t_s) < 2:
        raise ValueError(f"{path} holds {len(t_s)} readings; a meter's log needs at least two.")
    wrong = np.flatnonzero(~np.isfinite(t_s) | ~np.isfinite(power_w) | (power_w < 0))
    if len(wrong):
        at = int(wrong[0])
        raise ValueError(
            f"{path}, reading {at + 1}: {power_w[at]} W at {t_s[at]} s; expected watts from 0 up."
        )
    back = np.flatnonzero(np.diff(t_s) <= 0)
    if len(back):
        at = int(back[0])
        raise ValueError(
            f"{path}, reading {at + 2}: time goes from {t_s[at]:g} to {t_s[at + 1]:g} s; expected "
            "times that increase: keep one session per file."
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MeterView:
    """A meter's log on the clock of one run: what it said between two of its readings.

    starts_s and ends_s (n,) bound the time each value is the mean of; offset_s is what was added
    to the meter's clock already.
    """

    signals: Signals
    starts_s: Array
    ends_s: Array
    offset_s: float

    def seen(self, t_s: Array, energy_j: Array, offset_s: float) -> Array:
        """What the meter would say (n, 1) of a board whose energy counter is energy_j at t_s.

        offset_s is how much later the run's clock is, beyond what was added already.
        """
        used_j = np.interp(self.ends_s + offset_s, t_s, energy_j)
        used_j = used_j - np.interp(self.starts_s + offset_s, t_s, energy_j)
        return np.asarray((used_j / (self.ends_s - self.starts_s))[:, None])


def view(meter: Meter, t_s: Array, offset_s: float) -> MeterView:
    """A meter's readings that lie well inside a run with times t_s once offset_s is added.

    ValueError where there are fewer than ten of them.
    """
    starts_s, ends_s = meter.t_s[:-1] + offset_s, meter.t_s[1:] + offset_s
    inside = (starts_s > t_s[0] + MARGIN_S) & (ends_s < t_s[-1] - MARGIN_S)
    if inside.sum() < 10:
        raise ValueError(
            f"{meter.name} shares {int(inside.sum())} readings with a run of {t_s[-1]:.0f} s; "
            "expected at least ten: log both at the same time."
        )
    signals = Signals(
        names=(METER,),
        measured=meter.power_w[1:][inside][:, None],
        step=np.array([meter.resolution_w]),
        share=np.array([_ACCURACY_SHARE]),
        floor=np.array([max(meter.resolution_w / 12**0.5, 1e-3)]),
        first=None,
        rows=np.ones(int(inside.sum())),
    )
    return MeterView(
        signals=signals, starts_s=starts_s[inside], ends_s=ends_s[inside], offset_s=offset_s
    )


def likely_offset_s(meter: Meter, t_s: Array, power_w: Array) -> float:
    """How much later a run's clock is than the meter's, in s: where both powers rise together.

    t_s and power_w (rows,) are the run's times and the power the board model predicts; the best
    correlation over every shift that lets the two logs share half of the shorter one.
    """
    step_s = max(float(np.median(np.diff(t_s))), float(np.median(np.diff(meter.t_s))), 0.1)
    grid_s = np.arange(t_s[0], t_s[-1], step_s)
    mine_w = np.interp(grid_s, t_s, power_w)
    own_s = np.arange(meter.t_s[0], meter.t_s[-1], step_s)
    theirs_w = np.interp(own_s, meter.t_s, meter.power_w)
    least = min(len(grid_s), len(own_s)) // 2
    best, found = -np.inf, 0
    for lag in range(least - len(own_s), len(grid_s) - least + 1):
        mine = mine_w[max(lag, 0) : lag + len(own_s)]
        theirs = theirs_w[max(-lag, 0) :][: len(mine)]
        match = _correlation(mine[: len(theirs)], theirs)
        if match > best:
            best, found = match, lag
    return float(grid_s[0] - own_s[0] + found * step_s)


def _correlation(a: Array, b: Array) -> float:
    spread = float(a.std() * b.std())
    return float(np.mean((a - a.mean()) * (b - b.mean()))) / spread if spread > 0 else -1.0
