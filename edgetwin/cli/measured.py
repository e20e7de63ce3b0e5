"""What the verbs `calibrate` and `validate` read: traces, logs and tables, each told by content."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

from edgetwin.cli.output import note

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.certificate.points import Table
    from hw_models.fit import Meter, Run


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Runs and tables of some files, a power meter's log, the SHA-256 of each file, the day of each
    run if known."""

    runs: tuple["Run", ...]
    tables: tuple["Table", ...]
    meter: "Meter | None"
    data: dict[str, str]
    days: dict[str, str]


def read_measured(
    board: "Board", paths: Sequence[Path], mode: str | None, meter: Path | None = None
) -> Measured:
    """Read and check every file; what is wrong with a run is said on stderr, run by run.

    FileNotFoundError, or ValueError in one line, for a file that cannot be used.
    """
    from edgetwin.storage import file_sha256
    from hw_models.certificate.points import is_table, read_points
    from hw_models.fit import read_meter, read_runs

    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"no data at {path}; give a trace, a log or a table.")
    tables = [path for path in paths if is_table(path)]
    traces = [path for path in paths if path not in tables]
    runs = [run for path in traces for run in read_runs(board, path, mode=mode)]
    for run in runs:
        for finding in run.findings:
            note(f"{run.name}: {finding.message.removeprefix(f'{run.name}: ')}")
    return Measured(
        runs=tuple(runs),
        tables=tuple(map(read_points, tables)),
        meter=None if meter is None else read_meter(meter),
        data=_named({path: file_sha256(path) for path in (*paths, *([meter] if meter else []))}),
        days={run.name: day for run in runs if (day := _day(run.start_s))},
    )


def _named(digests: dict[Path, str]) -> dict[str, str]:
    """By file name, with the folder where two files have one name."""
    names = [path.name for path in digests]
    return {
        path.name if names.count(path.name) == 1 else str(path): digest
        for path, digest in digests.items()
    }


def _day(start_s: float) -> str | None:
    """The date of a run whose clock counts from 1970, None for any other clock."""
    from datetime import UTC, datetime

    if start_s < 1e9:
        return None
    return datetime.fromtimestamp(start_s, UTC).date().isoformat()
