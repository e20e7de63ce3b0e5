"""A trace on disk is one Parquet or CSV file that names every unit and loses no bit."""

import csv
import io
import json
import math
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.trace_columns import Columns, column_form, kind_of

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION: Final = 1
_VERSION_KEY: Final = "edgetwin_trace"
_META_KEY: Final = "edgetwin_meta"
_PARQUET_MAGIC: Final = b"PAR1"
_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_UNESCAPES: Final = {"\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\e": ""}
_Loaded = tuple[dict[str, NDArray[Any]], dict[str, str]]


@contextmanager
def _replacing(path: str | PathLike[str]) -> Iterator[Path]:
    """A file appears whole or not at all: it is written beside its place and then moved there."""
    target = Path(path)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def naming(path: str | PathLike[str]) -> Iterator[None]:
    """What is wrong with a file's content is said with the file's name in front."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_parquet(path: str | PathLike[str], columns: Columns, meta: Mapping[str, str]) -> None:
    """Columns become a Parquet file; each field's metadata says its unit."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"float": pa.float64(), "int": pa.int64(), "bool": pa.bool_(), "string": pa.string()}
    fields = [
        pa.field(name, types[kind_of(values)], metadata={"unit": column_form(name)[1]})
        for name, values in columns.items()
    ]
    about = {_VERSION_KEY: str(SCHEMA_VERSION), _META_KEY: json.dumps(dict(meta))}
    arrays = [
        pa.array(values, type=field.type)
        for values, field in zip(columns.values(), fields, strict=True)
    ]
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=about))
    with _replacing(path) as part:
        pq.write_table(table, part, compression="zstd")


def write_csv(path: str | PathLike[str], columns: Columns, meta: Mapping[str, str]) -> None:
    """Columns become a CSV file: one line of JSON about them, the names, then one line per row.

    A gap is an empty cell; backslashes, line ends and emptiness of a string are written as two
    characters (a backslash and one of ``\\ n r e``), so that every row is one line.
    """
    about = {
        _VERSION_KEY: SCHEMA_VERSION,
        _META_KEY: dict(meta),
        "rows": len(columns["t_s"]),
        "kinds": {name: kind_of(values) for name, values in columns.items()},
        "units": {name: column_form(name)[1] for name in columns},
    }
    cells = [map(_WRITE[kind_of(values)], values.tolist()) for values in columns.values()]
    with _replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# {json.dumps(about)}\n")
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(columns)
        rows.writerows(zip(*cells, strict=True))


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


def read_columns(path: str | PathLike[str]) -> _Loaded:
    """A Parquet or CSV file, told apart by its first bytes, gives its columns and its meta.

    Raises ValueError with one line for an empty, truncated or malformed file, and OSError where
    the file cannot be opened.
    """
    with Path(path).open("rb") as file:
        head = file.read(len(_PARQUET_MAGIC))
    if not head:
        raise ValueError("the file is empty; expected a trace in Parquet or CSV.")
    return _read_parquet(path) if head == _PARQUET_MAGIC else _read_csv(path)


def _read_parquet(path: str | PathLike[str]) -> _Loaded:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
        columns = {name: _from_arrow(table.column(name)) for name in table.column_names}
    except (pa.ArrowException, KeyError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"a truncated or damaged Parquet file: {reason}") from error
    about = table.schema.metadata or {}
    _check_version(about.get(_VERSION_KEY.encode(), b"1").decode())
    return columns, json.loads(about.get(_META_KEY.encode(), b"{}"))


def _from_arrow(column: "pa.ChunkedArray") -> NDArray[Any]:
    """Numbers with nulls become floats with NaN; text stays text, with None."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count and pa.types.is_integer(column.type):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy())


def _check_version(version: object) -> None:
    if str(version) != str(SCHEMA_VERSION):
        raise ValueError(
            f"the trace has format {version}, this edgetwin reads {SCHEMA_VERSION}; "
            "read it with the edgetwin that wrote it."
        )


def _read_csv(path: str | PathLike[str]) -> _Loaded:
    text = read_text(path)
    about, body = _split_about(text)
    cells = read_table(body)
    if "t_s" not in cells:
        raise ValueError("there is no column t_s; expected a trace in Parquet or CSV.")
    rows = len(cells["t_s"])
    if about and (rows != about.get("rows", rows) or not text.endswith("\n")):
        raise ValueError(f"the file ends in row {rows} of {about.get('rows')}: it is truncated.")
    kinds = about.get("kinds", {})
    columns = {
        name: column_of(name, kinds.get(name) or column_form(name)[0], column)
        for name, column in cells.items()
    }
    return columns, about.get(_META_KEY, {})


def read_text(path: str | PathLike[str]) -> str:
    """A text file's content; ValueError where it is no text."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError("the file is neither Parquet nor text; expected a trace.") from error


def _split_about(text: str) -> tuple[dict[str, Any], str]:
    """The first line of a trace in CSV is JSON about it; a table without that line is read too."""
    first, _, body = text.partition("\n")
    if not first.startswith("#"):
        return {}, text
    try:
        about = json.loads(first[1:])
        _check_version(about[_VERSION_KEY])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError("the first line is no JSON about a trace.") from error
    return about, body


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
