"""What is kept on disk: files written whole or not at all, JSON that loses no bit, hashes."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np


def write_atomically(path: Path, content: str | bytes) -> None:
    """A file is there whole or not at all: temporary neighbour, fsync, rename."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """One more line in a log, in one write: none is cut by another, or by the end of the process.

    A new line starts it too, so that one cut by a full disk does not spoil the next.
    """
    data = f"\n{line}\n".encode()
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        if os.write(file, data) < len(data):
            raise OSError(f"{path}: the disk took only part of a line; free some space.")
    finally:
        os.close(file)


def json_lines(path: Path) -> Iterator[Any]:
    """What every whole line of a log says, in order; cut and damaged lines are passed over."""
    for line in path.read_bytes().splitlines():
        with suppress(ValueError):
            yield json.loads(line)


def file_sha256(path: str | os.PathLike[str]) -> str:
    """A file's content has one name: its SHA-256 in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def exact_json(value: object, *, sort_keys: bool = False) -> str:
    """Floats read back bit for bit, as Python writes them; NaN and infinities have words.

    Numpy values and paths become plain ones, tuples lists; TypeError for anything else.
    """
    return json.dumps(value, default=_plain, sort_keys=sort_keys, separators=(",", ":"))


def strict_json(value: object) -> str:
    """JSON that every reader takes: figures that do not apply (NaN, infinity) are null."""
    return json.dumps(json_ready(value), indent=2, ensure_ascii=False, allow_nan=False)


def json_ready(value: object) -> Any:
    """The plain lists, mappings, numbers and strings of `value`, as `strict_json` writes them."""
    return json.loads(exact_json(value), parse_constant=lambda _: None)


def read_json(path: Path) -> Any:
    """What a JSON file says, or None when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(
        f"a {type(value).__name__} cannot be stored as JSON; give numbers, strings, lists and "
        "mappings (dataclasses.asdict makes one)."
    )
