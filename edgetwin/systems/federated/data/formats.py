"""Rows of text from files, or from the hub where `datasets` is installed."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from edgetwin.systems.federated.data.tasks import TextTask

Raw = Mapping[str, Any]
HUB: Final = "hub:"


def read_raw(source: str, task: TextTask) -> Sequence[Raw]:
    """The rows of a .tsv, .jsonl or .parquet file, or of `hub:name[/config]:split`.

    A TSV without a head has the task's fields and the label as its columns. ValueError for a file
    of another kind or one that cannot be read, FileNotFoundError for one that is not there.
    """
    if source.startswith(HUB):
        return _from_hub(source)
    path = Path(source)
    if path.suffix not in _READERS:
        raise ValueError(f"{path} is no data file; give one of {', '.join(_READERS)}.")
    try:
        return _READERS[path.suffix](path, task)
    except (ValueError, KeyError) as error:  # json, csv, arrow and unicode errors are ValueErrors
        raise ValueError(f"{path} cannot be read as {path.suffix}: {error}.") from None


def _tsv(path: Path, task: TextTask) -> list[Raw]:
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if not lines:
        return []
    columns = [*task.fields, "label"]
    if {"label", *task.fields} <= {task.other_names.get(name, name) for name in lines[0]}:
        columns, lines = lines[0], lines[1:]
    for number, line in enumerate(lines, start=1):
        if len(line) != len(columns):
            raise ValueError(f"line {number} has {len(line)} columns, not {len(columns)}")
    return [dict(zip(columns, line, strict=True)) for line in lines]


def _jsonl(path: Path, _: TextTask) -> list[Raw]:
    found: list[Raw] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no object")
            found.append(row)
    return found


def _parquet(path: Path, _: TextTask) -> list[Raw]:
    import pyarrow.parquet as pq

    rows: list[Raw] = pq.read_table(path).to_pylist()
    return rows


def _from_hub(source: str) -> list[Raw]:
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{source} needs the package datasets: pip install datasets."
        ) from error
    name, _, split = source.removeprefix(HUB).partition(":")
    owner = name.split("/")
    found = datasets.load_dataset(*owner, split=split or "train")
    return [dict(row) for row in found]


_READERS: Final[dict[str, Callable[[Path, TextTask], Sequence[Raw]]]] = {
    ".tsv": _tsv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
}
