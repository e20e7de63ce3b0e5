"""Finished cells of a long command outlive the process that computed them."""

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, final

from edgetwin.engines import engine_of
from edgetwin.progress import Progress
from edgetwin.storage import append_line, exact_json, json_lines


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CellStore:
    """A folder of logs, one a process, with one line of JSON a finished cell.

    A key is anything JSON can say (a mapping with policy, board, seed). Floats come back bit for
    bit, tuples as lists. A line reaches the system at once, so a killed process loses at most the
    cell it was at; a cut or damaged line counts as missing. Of two lines for one cell the first
    counts, in the order of the logs' names. Reading takes one pass through all logs.
    """

    path: Path

    def put(self, key: object, value: object) -> str:
        """A finished cell is stored whole or not at all; the name of the log that holds it."""
        self.path.mkdir(parents=True, exist_ok=True)
        log = f"{socket.gethostname()}-{os.getpid()}.jsonl"
        append_line(self.path / log, exact_json({"key": key, "value": value}))
        return log

    def values(self, keys: Iterable[object]) -> list[Any]:
        """Values of finished cells in the order of `keys`; KeyError names a missing one."""
        found = self._by_text()
        texts = [_canonical(key) for key in keys]
        for text in texts:
            if text not in found:
                raise KeyError(f"no finished cell {text} in {self.path}; run it first.")
        return [found[text]["value"] for text in texts]

    def missing(self, keys: Iterable[object]) -> list[Any]:
        """The cells still to be computed, each once, in the order given."""
        unique, done = {_canonical(key): key for key in keys}, self._by_text()
        return [key for text, key in unique.items() if text not in done]

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Every finished cell as key and value, in the order of the keys' text."""
        for _, record in sorted(self._by_text().items()):
            yield record["key"], record["value"]

    def _by_text(self) -> dict[str, dict[str, Any]]:
        lines = chain.from_iterable(map(json_lines, sorted(self.path.glob("*.jsonl"))))
        found: dict[str, dict[str, Any]] = {}
        for record in lines:
            if isinstance(record, dict) and {"key", "value"} <= record.keys():
                found.setdefault(_canonical(record["key"]), record)
        return found


def run_cells(
    store: CellStore,
    keys: Iterable[object],
    work: Callable[[Any], object],
    jobs: int = 1,
    progress: Progress | None = None,
    *,
    engine: str = "joblib",
) -> list[Any]:
    """Only the missing cells are computed; each is stored by the process that finished it.

    Returns the values of all `keys`, in order, as the store reads them, so that a resumed run
    and an uninterrupted one give the same. `jobs` processes (-1: one a core) share the work;
    `work` takes a key and must depend on nothing else. The total of `progress` grows here. A
    worker that cannot see the store's folder (Ray, on another machine) sends its cells back to be
    stored here. KeyError for an unknown engine, ImportError where it is not installed.
    """
    if jobs == 0:
        raise ValueError("jobs is 0; give a positive number, or -1 for one process a core.")
    ready = engine_of(engine, jobs)
    wanted = list(keys)
    missing = store.missing(wanted)
    shown = progress or Progress("cells")
    shown.total += len(missing)
    store.path.mkdir(parents=True, exist_ok=True)
    here = CellStore(path=store.path.resolve())
    serial = jobs == 1 or len(missing) <= 1
    with nullcontext() if serial else ready:
        for key, value, log in _worked(here, missing, work, serial):
            if log is None or not (here.path / log).is_file():
                here.put(key, value)
            shown.advance()
    return store.values(wanted)


Worked = tuple[object, object, str | None]


def _worked(
    store: CellStore, keys: Sequence[object], work: Callable[[Any], object], serial: bool
) -> Iterator[Worked]:
    """Every cell as it is finished: key, value, and the log that holds it if any does."""
    if serial:
        yield from (_work_one(store, key, work) for key in keys)
        return
    from joblib import Parallel, delayed

    tasks = (delayed(_work_one)(store, key, work) for key in keys)
    yield from Parallel(return_as="generator_unordered")(tasks)


def _work_one(store: CellStore, key: object, work: Callable[[Any], object]) -> Worked:
    value = work(key)
    return key, value, store.put(key, value) if store.path.is_dir() else None


def _canonical(key: object) -> str:
    """Equal keys have one text, whatever the order of their parts."""
    return exact_json(key, sort_keys=True)
