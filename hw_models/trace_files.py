"""A trace on disk is one Parquet or CSV file that names every unit and loses no bit."""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.trace_columns import Columns, column_form, kind_of
from hw_models.trace_csv import column_of, read_table, write_table

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION: Final = 1
_VERSION_KEY: Final = "edgetwin_trace"
_META_KEY: Final = "edgetwin_meta"
_PARQUET_MAGIC: Final = b"PAR1"
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
    """Columns become a CSV file: one line of JSON about them, the names, then one line per row."""
    about = {
        _VERSION_KEY: SCHEMA_VERSION,
        _META_KEY: dict(meta),
        "rows": len(columns["t_s"]),
        "kinds": {name: kind_of(values) for name, values in columns.items()},
        "units": {name: column_form(name)[1] for name in columns},
    }
    with _replacing(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# {json.dumps(about)}\n")
        write_table(file, columns)


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
