"""What a long command leaves behind: a run folder and its finished cells."""

import io
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Self, final
from urllib.parse import quote

from edgetwin.cells import CellStore
from edgetwin.storage import exact_json, json_ready, read_json, strict_json, write_atomically

SCHEMA = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """One run is one folder: what was asked, with what versions, and what came of it.

    As a context manager it ends `done`, or `failed` when the block raises. A killed run stays
    `running`, and is resumed by creating it again with the same arguments.
    """

    path: Path

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        command: Sequence[str],
        arguments: Mapping[str, object],
        hashes: Mapping[str, str] | None = None,
    ) -> Self:
        """A folder holds one run: a new one is made, the same one reopened, another refused.

        `arguments` are all that decide the results, `hashes` the SHA-256 of the input files.
        FileExistsError when the folder holds a run of other arguments, inputs or version.
        """
        folder = cls(path=Path(path))
        record = _new_record(command, arguments, hashes or {})
        if folder._file.exists():
            old = _read_run(folder._file)
            _refuse_another(folder.path, old, record)
            record["started"] = old["started"]
        elif folder.path.exists() and not folder.path.is_dir():
            raise FileExistsError(f"{folder.path} is a file; give a folder as --out.")
        folder._write(record)
        return folder

    @property
    def cells(self) -> CellStore:
        """The finished cells of this run."""
        return CellStore(path=self.path / "cells")

    def trace_path(self, policy: str, seed: int) -> Path:
        """The trace of one policy and seed lies at `<policy>/<seed>/trace.parquet`.

        Its folder is made here; characters that no folder name may hold are percent-encoded.
        """
        if policy in ("", ".", ".."):
            raise ValueError(f"{policy!r} cannot name a folder; give the policy another name.")
        path = self.path / quote(policy, safe="") / str(seed) / "trace.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_kpis(self, kpis: object) -> None:
        """The figures of a run are in `kpis.json`; those that do not apply are null."""
        write_atomically(self.path / "kpis.json", strict_json(kpis) + "\n")

    def write_results(
        self, labels: Mapping[str, Sequence[Any]], figures: Mapping[str, Sequence[float | None]]
    ) -> Path:
        """One row a run in `results.parquet`: what was run, then its figures, null where none.

        The same columns give the same file, byte by byte.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = {name: pa.array(values) for name, values in labels.items()}
        columns |= {name: pa.array(values, type=pa.float64()) for name, values in figures.items()}
        buffer = io.BytesIO()
        pq.write_table(pa.table(columns), buffer, compression="zstd")
        write_atomically(self.path / "results.parquet", buffer.getvalue())
        return self.path / "results.parquet"

    def finish(self, status: Literal["done", "failed"] = "done") -> None:
        """A run ends once, with a status and a time."""
        self._write({**_read_run(self._file), "status": status, "finished": _now()})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.finish("done" if kind is None else "failed")

    @property
    def _file(self) -> Path:
        return self.path / "run.json"

    def _write(self, record: Mapping[str, object]) -> None:
        write_atomically(self._file, strict_json(record) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _new_record(
    command: Sequence[str], arguments: Mapping[str, object], hashes: Mapping[str, str]
) -> dict[str, Any]:
    """A run as it starts, in the form of `run.json`."""
    versions = {name: _version(name) for name in ("edgetwin", "numpy", "numba")}
    return {
        "schema": SCHEMA,
        "status": "running",
        "started": _now(),
        "finished": None,
        "command": list(command),
        "arguments": json_ready(arguments),
        "hashes": json_ready(hashes),
        "versions": {**versions, "python": platform.python_version()},
    }


def _read_run(file: Path) -> dict[str, Any]:
    """The record of a run; ValueError when it is damaged."""
    record: dict[str, Any] = read_json(file)
    try:
        _facts(record)
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{file} is damaged; give another --out or remove the folder.") from None
    return record


def _facts(record: Mapping[str, Any]) -> dict[str, str]:
    """All that decides a run's results, by name."""
    versions = {"run schema": record["schema"], "edgetwin version": record["versions"]["edgetwin"]}
    hashes = {f"sha256 of {name}": digest for name, digest in record["hashes"].items()}
    facts = versions | hashes | record["arguments"]
    return {name: exact_json(value, sort_keys=True) for name, value in facts.items()}


def _refuse_another(folder: Path, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Two runs in one folder would mix their results: FileExistsError says what differs."""
    was, now = _facts(old), _facts(new)
    changed = [
        f"{name} {was.get(name, 'not given')[:60]} there, {now.get(name, 'not given')[:60]} now"
        for name in sorted({*was, *now})
        if was.get(name) != now.get(name)
    ]
    if changed:
        raise FileExistsError(
            f"{folder} holds another run ({'; '.join(changed[:4])}); "
            "give another --out or remove the folder."
        )
