"""What a long command leaves behind: a run folder and its finished cells."""

import hashlib
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Self, final
from urllib.parse import quote

from edgetwin.progress import Progress
from edgetwin.storage import exact_json, json_ready, read_json, strict_json, write_atomically

SCHEMA = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CellStore:
    """Finished cells outlive the process that computed them: one JSON file a cell.

    A key is anything JSON can say (a mapping with policy, board, seed); its file is named by a
    hash. Floats come back bit for bit, tuples as lists. A damaged file counts as missing.
    """

    path: Path

    def done(self, key: object) -> bool:
        """A cell is done when its whole file is there and carries this key."""
        return _record(self._file(key), _canonical(key)) is not None

    def get(self, key: object) -> Any:
        """A finished cell's value; KeyError when it is missing or damaged."""
        record = _record(self._file(key), _canonical(key))
        if record is None:
            raise KeyError(f"no finished cell {_canonical(key)} in {self.path}; run it first.")
        return record["value"]

    def put(self, key: object, value: object) -> None:
        """A finished cell is stored whole or not at all; the last of two writers stays."""
        record = {"schema": SCHEMA, "key": key, "value": value}
        write_atomically(self._file(key), exact_json(record) + "\n")

    def missing(self, keys: Iterable[object]) -> list[Any]:
        """The cells still to be computed, each once, in the order given."""
        unique = {_canonical(key): key for key in keys}
        return [key for key in unique.values() if not self.done(key)]

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Every finished cell as key and value, in the order of the keys' text."""
        records = filter(None, map(_record, self.path.glob("*.json")))
        for record in sorted(records, key=lambda record: _canonical(record["key"])):
            yield record["key"], record["value"]

    def _file(self, key: object) -> Path:
        name = hashlib.sha256(_canonical(key).encode()).hexdigest()[:32]
        return self.path / f"{name}.json"


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


def run_cells(
    store: CellStore,
    keys: Iterable[object],
    work: Callable[[Any], object],
    jobs: int = 1,
    progress: Progress | None = None,
) -> list[Any]:
    """Only the missing cells are computed; each is stored by the process that finished it.

    Returns the values of all `keys`, in order, as the store reads them, so that a resumed run
    and an uninterrupted one give the same. `jobs` processes (-1: one a core) share the work;
    `work` takes a key and must depend on nothing else. The total of `progress` grows here.
    """
    if jobs == 0:
        raise ValueError("jobs is 0; give a positive number, or -1 for one process a core.")
    wanted = list(keys)
    missing = store.missing(wanted)
    shown = progress or Progress("cells")
    shown.total += len(missing)
    for _ in _worked(store, missing, work, jobs):
        shown.advance()
    return [store.get(key) for key in wanted]


def _worked(
    store: CellStore, keys: Sequence[object], work: Callable[[Any], object], jobs: int
) -> Iterator[str]:
    """The text of every key whose cell is now computed and stored."""
    if jobs == 1 or len(keys) <= 1:
        yield from (_work_one(store, key, work) for key in keys)
        return
    from joblib import Parallel, delayed

    tasks = [delayed(_work_one)(store, key, work) for key in keys]
    yield from Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)


def _work_one(store: CellStore, key: object, work: Callable[[Any], object]) -> str:
    store.put(key, work(key))
    return _canonical(key)


def _canonical(key: object) -> str:
    """Equal keys have one text, whatever the order of their parts."""
    return exact_json(key, sort_keys=True)


def _record(file: Path, key_text: str | None = None) -> dict[str, Any] | None:
    """The whole cell in a file, or None when missing, damaged or not of this key."""
    record = read_json(file)
    if not isinstance(record, dict) or not {"key", "value"} <= record.keys():
        return None
    return record if key_text in (None, _canonical(record["key"])) else None


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
    return {name: _canonical(value) for name, value in facts.items()}


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
