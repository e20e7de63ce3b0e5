"""Where the measured data are: files known by their SHA-256, in the folder EDGETWIN_DATA."""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, final

from pydantic import Field

from hw_models.naming import unknown
from hw_models.quantity import Frozen

_LIST: Final = Path(__file__).with_name("sources.toml")
_HASH: Final = r"^[0-9a-f]{64}$"


@final
class DataFile(Frozen):
    """One file of a data set: the SHA-256 of its bytes and their number."""

    sha256: str = Field(pattern=_HASH)
    size_bytes: int = Field(gt=0)


@final
class DataSet(Frozen):
    """A public data set: repository@commit and path, licence, form, files, and how it is split."""

    title: str
    where: str
    path: str
    licence: str
    form: str
    runs: str
    files: dict[str, DataFile] = Field(min_length=1)


@cache
def data_sets() -> Mapping[str, DataSet]:
    """Every data set that a recipe reads, by name, from sources.toml."""
    listed: dict[str, Any] = tomllib.loads(_LIST.read_text(encoding="utf-8"))
    return {name: DataSet.model_validate(entry) for name, entry in listed.items()}


def data_set(name: str) -> DataSet:
    """The data set of that name; KeyError with the nearest name otherwise."""
    if name not in data_sets():
        raise KeyError(unknown("data set", name, list(data_sets())))
    return data_sets()[name]


def found(name: str, folder: str | Path | None = None) -> dict[str, Path]:
    """The files of a data set by name, checked by hash.

    folder (default: $EDGETWIN_DATA) holds them under their listed names or anywhere below it.
    FileNotFoundError in one line that says what is missing and where the public can get it.
    """
    root, data = Path(folder or os.environ.get("EDGETWIN_DATA", "")), data_set(name)
    if not root.parts:
        raise FileNotFoundError(
            f"EDGETWIN_DATA is not set; set it to a folder that holds {', '.join(data.files)} "
            f"({_origin(data)})."
        )
    return {file: _located(root, file, entry, data) for file, entry in data.files.items()}


def _located(root: Path, file: str, entry: DataFile, data: DataSet) -> Path:
    """The first file with the right bytes: under its own name, else any of the same size."""
    named = root / file
    others = sorted(root.rglob(f"*{named.suffix}")) if root.is_dir() else []
    for path in (named, *others):
        has_size = path.is_file() and path.stat().st_size == entry.size_bytes
        if has_size and sha256_of(path) == entry.sha256:
            return path
    state = "has other bytes than the recipe was made for" if named.is_file() else "is not there"
    raise FileNotFoundError(
        f"{file} {state} (below {root}; SHA-256 {entry.sha256[:12]}...): get it from "
        f"{_origin(data)}."
    )


def _origin(data: DataSet) -> str:
    return f"{data.where}, {data.path}: {data.form}"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def combined_sha256(name: str) -> str:
    """One hash for a data set: that of its single file, else of the sorted hashes of all."""
    hashes = sorted(entry.sha256 for entry in data_set(name).files.values())
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
