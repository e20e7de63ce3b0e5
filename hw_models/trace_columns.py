"""The columns of a trace: which names exist, in which unit and kind, and what a gap is."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Columns = Mapping[str, NDArray[Any]]

_PLAIN: Final = {
    "t_s": ("float", "s"),
    "energy_j": ("float", "J"),
    "memory_busy": ("float", "1"),
    "fan": ("int", "1"),
    "throttled": ("bool", "1"),
    "cap_w": ("float", "W"),
}
_GROUPS: Final = {
    "temps_c": ("float", "degC"),
    "power_w": ("float", "W"),
    "freq_hz": ("float", "Hz"),
    "busy": ("float", "1"),
    "extra": ("any", ""),
}
_JOB_FIELDS: Final = {
    "unit": ("string", ""),
    "progress": ("float", "1"),
    "rate": ("float", "1/s"),
    "target": ("float", "1/s"),
    "l2d_per_s": ("float", "1/s"),
    "batch": ("int", "1"),
}
_SUFFIX_UNITS: Final = {
    "s": "s",
    "hz": "Hz",
    "w": "W",
    "j": "J",
    "v": "V",
    "f": "F",
    "c": "degC",
    "k": "K",
    "bytes": "B",
}


def column_form(name: str) -> tuple[str, str]:
    """A column's name says its kind (float, int, bool, string or any) and its unit.

    Raises ValueError for a name no trace has.
    """
    if name in _PLAIN:
        return _PLAIN[name]
    group, _, key = name.partition(".")
    job, _, field = key.rpartition(".")  # opt-1.3b-1 is a job's id, too
    if group == "jobs" and job and field in _JOB_FIELDS:
        return _JOB_FIELDS[field]
    if not key or group not in _GROUPS or not name.isprintable():
        raise ValueError(
            f"no trace has a column {name!r}; expected {', '.join(_PLAIN)}, "
            f"{', '.join(f'{known}.<name>' for known in _GROUPS)} or "
            f"jobs.<id>.{'|'.join(_JOB_FIELDS)}."
        )
    return _GROUPS[group] if group != "extra" else ("any", _suffix_unit(key))


def _suffix_unit(token: str) -> str:
    """A token kept from a foreign log is a ratio or a count unless its suffix names a unit."""
    return _SUFFIX_UNITS.get(token.partition(".")[0].rpartition("_")[2], "1")


def kind_of(values: NDArray[Any]) -> str:
    """A column holds floats, ints, bools or strings."""
    return {"f": "float", "i": "int", "b": "bool", "O": "string"}[values.dtype.kind]


def missing(kind: str, rows: int) -> NDArray[Any]:
    """A column in which nothing was read: NaN, or None for strings; shape (rows,)."""
    return np.full(rows, None, dtype=object) if kind == "string" else np.full(rows, np.nan)


def check_columns(columns: Mapping[str, ArrayLike]) -> Columns:
    """Columns become a trace's when their names, kinds, lengths and times are right.

    Returns read-only float64, int64, bool or object (str | None) arrays of shape (n_readings,).
    Raises ValueError for everything else.
    """
    if "t_s" not in columns:
        raise ValueError(f"a trace needs a column t_s; given: {', '.join(columns) or 'no column'}.")
    checked = {name: _checked(name, np.asarray(values)) for name, values in columns.items()}
    rows = len(checked["t_s"])
    for name, values in checked.items():
        if len(values) != rows:
            raise ValueError(f"column {name} has {len(values)} rows, t_s has {rows}.")
    check_times(checked["t_s"])
    return MappingProxyType(checked)


def _checked(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """One column of a trace has the kind its name says, and nobody can write to it any more."""
    kind, _ = column_form(name)
    if values.ndim != 1:
        raise ValueError(f"column {name} has shape {values.shape}; expected one value per row.")
    array = _strings(name, values) if values.dtype.kind in "OUST" else _numbers(name, values)
    given = kind_of(array)
    if kind == "float" and given == "int":
        array = array.astype(np.float64)
    elif kind == "int" and given == "float":
        array = _whole(name, array)
    elif kind not in ("any", given):
        raise ValueError(f"column {name} holds {given} values; expected {kind}.")
    return _frozen(array.copy() if array is values and array.flags.writeable else array)


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _numbers(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Narrow numbers are kept exactly as float64 or int64."""
    wide = {"f": np.float64, "i": np.int64, "u": np.int64, "b": np.bool_}.get(values.dtype.kind)
    if wide is None or not np.can_cast(values.dtype, wide):
        raise ValueError(f"column {name} holds {values.dtype}; expected float64, int64 or bool.")
    return values.astype(wide, copy=False)


def _strings(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """A column of strings may have gaps (None), and nothing else in it."""
    array = values.astype(object)
    for row, value in enumerate(array):
        if value is not None and not isinstance(value, str):
            raise ValueError(f"column {name}, row {row}: {value!r} is neither a string nor None.")
    return array


def _whole(name: str, values: NDArray[np.float64]) -> NDArray[Any]:
    """A count is kept as int64, or as floats when it has gaps; every number in it is whole."""
    gaps = np.isnan(values)
    wrong = np.flatnonzero(~gaps & ~(np.floor(values) == values) | np.isinf(values))
    if len(wrong):
        raise ValueError(
            f"column {name}, row {wrong[0]}: {values[wrong[0]]} is not a whole number."
        )
    return values if gaps.any() or not len(values) else values.astype(np.int64)


def check_times(t_s: NDArray[np.float64]) -> None:
    """Time runs forward: every t_s is finite and larger than the one before, or ValueError."""
    bad = np.flatnonzero(~np.isfinite(t_s))
    if len(bad):
        raise ValueError(f"t_s in row {bad[0]} is {t_s[bad[0]]}; expected a finite time.")
    late = np.flatnonzero(np.diff(t_s) <= 0)
    if len(late):
        row = int(late[0]) + 1
        raise ValueError(
            f"t_s in row {row} is {t_s[row]}, after {t_s[row - 1]} in the row before; "
            "expected strictly increasing times."
        )


def same_values(mine: NDArray[Any], theirs: NDArray[Any]) -> bool:
    """Two columns are the same when kind and every value are; a gap equals a gap."""
    nan_is_nan = mine.dtype.kind == "f"
    return mine.dtype == theirs.dtype and np.array_equal(mine, theirs, equal_nan=nan_is_nan)


def joined(parts: Sequence[Columns]) -> Columns:
    """Columns one after the other; what one part lacks is missing there."""
    kinds: dict[str, str] = {}
    for part in parts:
        kinds.update({name: kind_of(values) for name, values in part.items()})
    return {name: np.concatenate(list(_pieces(name, kind, parts))) for name, kind in kinds.items()}


def _pieces(name: str, kind: str, parts: Sequence[Columns]) -> Iterable[NDArray[Any]]:
    """A board that says nothing of throttling does not throttle; everything else is missing."""
    for part in parts:
        rows = len(part["t_s"])
        gap = np.zeros(rows, dtype=bool) if name == "throttled" else missing(kind, rows)
        yield part.get(name, gap)
