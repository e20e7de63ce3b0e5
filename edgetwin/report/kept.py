"""A run that was kept: a run folder or a single trace, read back for a page or an export."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final
from urllib.parse import unquote

from edgetwin.storage import read_json
from hw_models.board import Board, load_board
from hw_models.trace import Trace, read_trace


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One run on disk: its name, what was asked (run.json) and its traces by label."""

    path: Path
    name: str
    record: dict[str, Any]
    traces: dict[str, Path]

    @property
    def page(self) -> Path:
        """Where its page is or belongs: report.html, or the page that the folder holds instead."""
        if not self.path.is_dir():
            return self.path.with_suffix(".html")
        others = sorted(self.path.glob("*.html"))
        usual = self.path / "report.html"
        return others[0] if others and usual not in others else usual

    def read(self, label: str | None = None) -> tuple[str, Trace]:
        """A trace of the run, the first one unless named; KeyError lists what there is."""
        if label is None:
            label = next(iter(self.traces))
        if label not in self.traces:
            raise KeyError(f"{self.name} has no trace {label!r}; it has {', '.join(self.traces)}.")
        return label, read_trace(self.traces[label])

    @property
    def command(self) -> list[str]:
        """The words that made it."""
        return list(self.record.get("command", ["edgetwin", "view", str(self.path)]))


def read_kept(path: Path) -> Kept:
    """A run folder, or a trace file; FileNotFoundError for neither."""
    if path.is_file():
        return Kept(path=path, name=path.stem, record={}, traces={path.stem: path})
    if not path.is_dir():
        raise FileNotFoundError(f"no run at {path}; give a folder of --out, or a trace file.")
    record = read_json(path / "run.json") or {}
    traces = dict(_traces(path))
    if not traces and not any(path.glob("*.html")):
        raise FileNotFoundError(f"{path} holds no trace and no page; give a folder of --out.")
    return Kept(path=path, name=path.name, record=record, traces=traces)


def board_of(trace: Trace, given: str | None = None) -> Board | None:
    """The board of a trace where it is a shipped one or named; None where nobody knows it."""
    name = given or trace.meta.get("board")
    if name is None:
        return None
    try:
        return load_board(name)
    except KeyError:
        if given is not None:
            raise
        return None


def _traces(path: Path) -> Iterator[tuple[str, Path]]:
    """Traces by `<policy>, seed <n>`, in order."""
    files = sorted(
        path.glob("*/*/trace.parquet"),
        key=lambda file: (file.parts[-3], int(file.parts[-2]) if file.parts[-2].isdigit() else 0),
    )
    for file in files:
        yield f"{unquote(file.parts[-3])}, seed {file.parts[-2]}", file
