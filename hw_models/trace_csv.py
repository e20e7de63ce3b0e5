"""The cells of a CSV table: every number and string is written so that it reads back unchanged.

A gap is an empty cell; backslashes, line ends and emptiness of a string are written as two
characters (a backslash and one of ``\\ n r e``), so that every row is one line.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

import numpy as np
from numpy.typing import NDArray

from hw_models.trace_columns import Columns, kind_of

_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_UNESCAPES: Final = {"\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\e": ""}


def _write_float(value: float) -> str:
    return "" if math.isnan(value) else repr(value)


def _write_string(value: str | None) -> str:
    if value is None:
        return ""
    return re.sub(r"[\\\n\r]", lambda found: _ESCAPES[found[0]], value) or "\\e"


def _read_float(cell: str) -> float:
    return float(cell) if cell else math.nan


def _read_bool(cell: str) -> bool:
    return {"true": True, "false": False}[cell.lower()]


def _read_string(cell: str) -> str | None:
    return re.sub(r"\\[\\nre]", lambda found: _UNESCAPES[found[0]], cell) if cell else None


_WRITE: Final[Mapping[str, Callable[[Any], str]]] = {
    "float": _write_float,
    "int": str,
    "bool": lambda value: "true" if value else "false",
    "string": _write_string,
}
_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    "float": _read_float,
    "int": int,
    "bool": _read_bool,
    "string": _read_string,
}
_DTYPES: Final = {"float": np.float64, "int": np.int64, "bool": np.bool_, "string": np.object_}


def write_table(file: TextIO, columns: Columns) -> None:
    """Columns become their names on one line and one line per row."""
    cells = [map(_WRITE[kind_of(values)], values.tolist()) for values in columns.values()]
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(columns)
    rows.writerows(zip(*cells, strict=True))


def read_table(body: str) -> dict[str, tuple[str, ...]]:
    """A CSV table gives the cells of each column; ValueError for rows of unequal length."""
    try:
        names, *rows = list(csv.reader(io.StringIO(body, newline=""), strict=True)) or [[]]
    except csv.Error as error:
        raise ValueError(f"a damaged CSV file: {error}.") from error
    if len(set(names)) < len(names):
        raise ValueError(f"there are two columns {max(names, key=names.count)!r}; expected one.")
    for row, cells in enumerate(rows):
        if len(cells) != len(names):
            raise ValueError(f"row {row} has {len(cells)} cells; expected {len(names)}.")
    return dict(zip(names, zip(*rows, strict=True) if rows else [()] * len(names), strict=True))


def column_of(name: str, kind: str, cells: tuple[str, ...]) -> NDArray[Any]:
    """The cells of one column become numbers or strings; ValueError names one that cannot."""
    if kind == "any":
        kind = _guessed_kind(cells)
    elif kind == "int" and "" in cells:
        kind = "float"
    values = []
    for row, cell in enumerate(cells):
        try:
            values.append(_READ[kind](cell))
        except (ValueError, KeyError) as error:
            raise ValueError(f"column {name}, row {row}: {cell!r} is no {kind}.") from error
    return np.array(values, dtype=_DTYPES[kind])


def _guessed_kind(cells: tuple[str, ...]) -> str:
    """A foreign column without a stated kind has the narrowest kind that fits all its cells."""
    for kind in ("int", "float", "bool"):
        try:
            for cell in cells:
                _READ[kind](cell)
        except (ValueError, KeyError):
            continue
        return kind
    return "string"
