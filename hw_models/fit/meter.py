"""A power meter between the board and the wall: its log, as a CSV of time and watts."""

import csv
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

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
    times = [i for i, name in enumerate(header) if name in _TIMES]
    powers = [i for i, name in enumerate(header) if name in _POWERS]
    if not times or not powers:
        raise ValueError(
            f"{path}: the header is {','.join(header) or 'empty'!r}; expected a column of time in "
            f"seconds ({', '.join(_TIMES[:4])}) and one of power (power_w, watts, power_mw)."
        )
    t_s = _numbers(path, rows, times[0])
    power_w = _numbers(path, rows, powers[0]) / _POWERS[header[powers[0]]]
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
