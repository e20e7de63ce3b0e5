"""A file may hold several sessions: where its clock jumps, one ends and the next begins."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.result import Finding
from hw_models.tegrastats import GAP_S, read_tegrastats, tx2_columns
from hw_models.trace import Trace
from hw_models.trace_files import naming, read_columns

Array = NDArray[np.float64]
Columns = Mapping[str, NDArray[Any]]

# No board warms or cools by this much in all its zones from one reading to the next.
_JUMP_K: Final = 8.0
_AT_ONCE_S: Final = 3.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Readings whose times follow one another; start_s and first_row say where in the file.

    why says why it is a session of its own, None for the first.
    """

    trace: Trace
    start_s: float
    first_row: int
    why: Finding | None


def sha256_of(path: str | PathLike[str]) -> str:
    """The fingerprint of a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def columns_sha256(columns: Columns) -> str:
    """The fingerprint of a trace that is not a file: of its columns, by name."""
    digest = hashlib.sha256()
    for name in sorted(columns):
        digest.update(name.encode())
        digest.update(repr(columns[name].tolist()).encode())
    return digest.hexdigest()


def sessions_in(path: str | PathLike[str]) -> list[Session]:
    """The sessions of a tegrastats log, a CSV or a Parquet trace; ValueError where it is none."""
    with Path(path).open("rb") as file:
        head = file.readline(1 << 16)
    header = head.decode(errors="replace").strip().split(",")
    with naming(path):
        if "gr3d_mhz" in header:
            return sessions_of(tx2_columns(path), {"source": Path(path).name})
        if head.startswith((b"PAR1", b"#")) or "t_s" in header:
            return sessions_of(*read_columns(path))
    return _logged(read_tegrastats(path))


def _logged(traces: list[Trace]) -> list[Session]:
    """What a tegrastats log holds, split by its reader; rows are counted on through the log."""
    found: list[Session] = []
    row, end_s = 0, 0.0
    for trace in traces:
        start_s = float(trace.meta.get("start_unix_s", "0"))
        why = _clock(end_s, start_s, row) if found else None
        for part in sessions_of(trace.columns, trace.meta):
            found.append(
                Session(
                    trace=part.trace,
                    start_s=start_s + part.start_s,
                    first_row=row + part.first_row,
                    why=part.why or why,
                )
            )
        row, end_s = row + len(trace), start_s + trace.duration_s
    return found


def sessions_of(columns: Columns, meta: Mapping[str, str]) -> list[Session]:
    """Columns whose clock may jump, as sessions; ValueError for a time that is no number.

    A session ends where the clock goes back or ahead by more than 10 s (3 periods if that is
    longer), and where every zone jumps by more than 8 K at once. Of readings with the same time
    the first is kept.
    """
    t_s = np.asarray(columns.get("t_s", ()), dtype=np.float64)
    if not len(t_s):
        raise ValueError("there is no reading, or no column t_s; expected times in seconds.")
    wrong = np.flatnonzero(~np.isfinite(t_s))
    if len(wrong):
        raise ValueError(f"t_s in row {wrong[0]} is {t_s[wrong[0]]}; expected seconds.")
    steps_s = np.diff(t_s)
    usual_s = float(np.median(steps_s[steps_s > 0])) if (steps_s > 0).any() else 1.0
    is_new = (steps_s < 0) | (steps_s > max(GAP_S, 3 * usual_s)) | _jumps(columns, steps_s)
    starts = [0, *(np.flatnonzero(is_new) + 1).tolist(), len(t_s)]
    found = []
    for start, end in pairwise(starts):
        rows = np.arange(start, end)
        rows = rows[np.concatenate([[True], np.diff(t_s[rows]) > 0])]
        part = {name: np.asarray(values)[rows] for name, values in columns.items()}
        part["t_s"] = part["t_s"] - t_s[start]
        why = None if start == 0 else _why(t_s, start)
        found.append(
            Session(trace=Trace(part, meta), start_s=float(t_s[start]), first_row=start, why=why)
        )
    return found


def _jumps(columns: Columns, steps_s: Array) -> NDArray[np.bool_]:
    """Where all zones jump the same way at once, (rows - 1,)."""
    zones = [values for name, values in columns.items() if name.startswith("temps_c.")]
    if len(zones) < 2:
        return np.zeros(len(steps_s), dtype=bool)
    change_k = np.diff(np.stack(zones), axis=1)
    all_up = np.nanmin(change_k, axis=0, initial=np.inf) > _JUMP_K
    all_down = np.nanmax(change_k, axis=0, initial=-np.inf) < -_JUMP_K
    return np.asarray((all_up | all_down) & (steps_s < _AT_ONCE_S) & np.isfinite(change_k).any(0))


def _why(t_s: Array, row: int) -> Finding:
    if 0 < t_s[row] - t_s[row - 1] <= _AT_ONCE_S:
        return _finding(
            f"every temperature jumps by more than {_JUMP_K:g} K at {t_s[row]:g} s (reading {row})"
        )
    return _clock(float(t_s[row - 1]), float(t_s[row]), row)


def _clock(before_s: float, after_s: float, row: int) -> Finding:
    if after_s < before_s:
        what = f"the clock goes back from {before_s:.10g} to {after_s:.10g} s (reading {row})"
    else:
        what = f"nothing for {after_s - before_s:.4g} s after {before_s:.10g} s (reading {row})"
    return _finding(what)


def _finding(what: str) -> Finding:
    return Finding(
        kind="data",
        paths=("t_s",),
        message=f"{what}: a new session begins there, fitted with its own ambient and start.",
        cure="keep one session per file",
    )


def findings_of(session: Session) -> Iterator[Finding]:
    """What the splitting itself has to say."""
    if session.why is not None:
        yield session.why
