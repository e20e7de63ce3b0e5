"""A Reading is what a board's sensors said at one instant; a Trace is a run of readings.

Every backend writes this one format, every fit and report reads it. In memory a trace is a list of
readings, or columns, whichever it was made from: the other form appears when it is asked for.
Column names are ``t_s``, ``temps_c.<zone>``, ``power_w.<rail>``, ``energy_j``,
``freq_hz.<domain>``, ``busy.<unit>``, ``fan``, ``throttled``, ``cap_w``, ``jobs.<id>.<field>``
and ``extra.<token>`` for what a foreign log says beyond that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from os import PathLike
from types import MappingProxyType
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw_models.reading import JobReading, Reading, RowReader, columns_of
from hw_models.trace_columns import Columns, check_columns, column_form, joined, same_values
from hw_models.trace_files import naming, read_columns, write_csv, write_parquet

__all__ = ["JobReading", "Reading", "Trace", "read_trace", "require_finite"]

_Path = str | PathLike[str]
_NO_META: Mapping[str, str] = MappingProxyType({})


@final
class Trace:
    """A run of readings of one board, in strictly increasing time; it never changes.

    ``meta`` says where it comes from (``board``, ``source``, ...). Columns are float64, int64, bool
    or object arrays of strings, shape (n_readings,), read-only; a missing number is NaN, a missing
    string None. Raises ValueError for unequal lengths, a column of unknown form, a missing or NaN
    time, or times that do not increase.
    """

    __slots__ = ("_columns", "_meta", "_readings", "_rows")

    def __init__(
        self, columns: Mapping[str, ArrayLike], meta: Mapping[str, str] | None = None
    ) -> None:
        self._columns: Columns | None = check_columns(columns)
        self._readings: Sequence[Reading] | None = None
        self._rows: RowReader | None = None
        self._meta: Mapping[str, str] = MappingProxyType(dict(meta or {}))

    @classmethod
    def from_readings(
        cls, readings: Iterable[Reading], meta: Mapping[str, str] | None = None
    ) -> "Trace":
        """A backend's readings are a trace at no cost; columns are made when they are asked for."""
        trace = object.__new__(cls)
        trace._columns = None
        trace._readings = tuple(readings)
        trace._rows = None
        trace._meta = MappingProxyType(dict(meta)) if meta else _NO_META
        return trace

    @classmethod
    def concat(cls, traces: Sequence["Trace"]) -> "Trace":
        """Traces that follow one another are one trace; what one of them lacks is missing there."""
        meta = {key: value for trace in traces for key, value in trace.meta.items()}
        if all(trace._readings is not None for trace in traces):
            return cls.from_readings((r for t in traces for r in t._readings or ()), meta)
        return cls(joined([trace.columns for trace in traces]), meta)

    @property
    def meta(self) -> Mapping[str, str]:
        """Where the trace comes from, in words."""
        return self._meta

    @property
    def columns(self) -> Columns:
        """Every signal as one read-only array, shape (n_readings,)."""
        if self._columns is None:
            self._columns = check_columns(columns_of(self._readings or ()))
        return self._columns

    @property
    def last(self) -> Reading:
        """The newest reading; IndexError when there is none."""
        return self[-1]

    @property
    def duration_s(self) -> float:
        """Time from the first reading to the last one, 0 for fewer than two."""
        return self[-1].t_s - self[0].t_s if len(self) else 0.0

    def __len__(self) -> int:
        if self._readings is not None:
            return len(self._readings)
        return len(self.columns["t_s"])

    def __getitem__(self, index: int) -> Reading:
        if not -len(self) <= index < len(self):
            raise IndexError(f"no reading {index} in a trace of {len(self)} readings.")
        if self._readings is not None:
            return self._readings[index]
        if self._rows is None:
            self._rows = RowReader(self.columns)
        return self._rows.reading(index)

    def __iter__(self) -> Iterator[Reading]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Trace):
            return NotImplemented
        mine, theirs = self.columns, other.columns
        return (
            dict(self.meta) == dict(other.meta)
            and list(mine) == list(theirs)
            and all(same_values(values, theirs[name]) for name, values in mine.items())
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        if self._readings is not None:
            return Trace.from_readings, (self._readings, dict(self.meta))
        return Trace, (dict(self.columns), dict(self.meta))

    def __repr__(self) -> str:
        return f"Trace({len(self)} readings, {self.duration_s:g} s, {dict(self.meta)})"

    def select(self, rows: slice | NDArray[np.bool_]) -> "Trace":
        """Some rows of a trace, by slice or by mask of shape (n_readings,), are a trace."""
        if isinstance(rows, slice) and self._readings is not None:
            return Trace.from_readings(self._readings[rows], self.meta)
        return Trace({name: values[rows] for name, values in self.columns.items()}, self.meta)

    def to_parquet(self, path: _Path) -> None:
        """A trace is kept as Parquet, each column's unit in its field metadata."""
        write_parquet(path, self.columns, self.meta)

    def to_csv(self, path: _Path) -> None:
        """A trace is kept as CSV under one line of JSON: meta, kinds and units."""
        write_csv(path, self.columns, self.meta)

    def to_pandas(self) -> Any:
        """A trace becomes a pandas DataFrame, one column per signal; ImportError without pandas.

        attrs["units"] is the unit of every column, attrs["meta"] where the trace comes from.
        """
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            raise ImportError(
                "to_pandas needs pandas, which is not installed: `pip install pandas`, "
                "or use trace.columns."
            ) from error
        frame = pandas.DataFrame({name: values.copy() for name, values in self.columns.items()})
        frame.attrs["units"] = {name: column_form(name)[1] for name in self.columns}
        frame.attrs["meta"] = dict(self.meta)
        return frame


def read_trace(path: _Path) -> Trace:
    """A Parquet or CSV file becomes a trace; its first bytes say which it is, not its name.

    Raises ValueError with one line for an empty, truncated or malformed file.
    """
    with naming(path):
        return Trace(*read_columns(path))


def require_finite(trace: Trace, names: Iterable[str]) -> None:
    """A model's inputs have no gaps: KeyError for a column that is not there, ValueError naming
    column and row for the first number that is not finite."""
    for name in names:
        if name not in trace.columns:
            close = get_close_matches(name, trace.columns, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise KeyError(f"the trace has no column {name!r}.{hint}")
        values = trace.columns[name]
        if values.dtype == object:
            raise ValueError(f"column {name} holds strings; expected numbers.")
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise ValueError(f"{name} in row {bad[0]} is {values[bad[0]]}; expected a number.")
