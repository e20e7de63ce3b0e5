"""Runs that may be fitted: recorded sessions that were looked at before anything trusts them."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.result import Finding
from hw_models.fit.sensors import Sensed, checked_sensors
from hw_models.fit.sessions import (
    Session,
    columns_sha256,
    findings_of,
    sessions_in,
    sessions_of,
    sha256_of,
)
from hw_models.recorded import Recorded, recorded
from hw_models.trace import Trace

if TYPE_CHECKING:
    from hw_models.board import Board

# A session must let a fit tell a slope from noise.
_FEWEST: Final = 20
_MOST_MISSING_SHARE: Final = 0.2
_INPUTS: Final = ("freq_hz.", "busy.", "memory_busy", "fan")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A named session of one board: what it recorded, of which file, and what is wrong with it.

    sha256 is that of the file (of the columns where there was none); start_s is where the session
    begins on the clock of its file. Readings that are not to be trusted are NaN in recorded.
    """

    name: str
    recorded: Recorded
    sha256: str
    start_s: float
    findings: tuple[Finding, ...]


def read_runs(
    board: "Board", path: str | PathLike[str], *, mode: str | None = None
) -> tuple[Run, ...]:
    """The sessions of a tegrastats log, a CSV or a Parquet trace that may be fitted.

    Runs are named after the file, numbered where it holds several. mode as in `recorded`.
    ValueError, in one line, as in `check_run`.
    """
    name = Path(path).stem.replace(".", "-")
    try:
        return _runs(board, sessions_in(path), name, sha256_of(path), mode)
    except ValueError as error:
        text = str(error)
        raise ValueError(text if str(path) in text else f"{path}: {text}") from None


def check_run(
    board: "Board", trace: Trace, *, name: str = "run", mode: str | None = None
) -> tuple[Run, ...]:
    """The sessions of a trace that may be fitted, each with what was found wrong with it.

    Gaps and jumps split; readings without an input, and sessions of less than 20 readings, are left
    out; stuck sensors, impossible values and power rails that add up to more than the input are
    set to NaN. Each is a finding with its time. ValueError where nothing is left, where more than
    a fifth of an input is missing, and where rails are swapped.
    """
    sessions = sessions_of(trace.columns, trace.meta)
    return _runs(board, sessions, name, columns_sha256(trace.columns), mode)


def _runs(
    board: "Board", sessions: Sequence[Session], name: str, sha256: str, mode: str | None
) -> tuple[Run, ...]:
    runs: list[Run] = []
    pending: list[Finding] = []
    for number, session in enumerate(sessions, start=1):
        own = name if len(sessions) == 1 else f"{name}-{number}"
        pending += findings_of(session)
        if len(session.trace) < _FEWEST:
            pending.append(_too_short(session))
            continue
        run = _run(board, session, own, sha256, mode)
        runs.append(_with(run, pending))
        pending = []
    if not runs:
        raise ValueError(
            f"no session of {name} has {_FEWEST} readings; the longest has "
            f"{max(len(s.trace) for s in sessions)}: record for longer."
        )
    if pending:
        runs[-1] = _with(runs[-1], pending)
    return tuple(runs)


def _with(run: Run, more: Sequence[Finding]) -> Run:
    return Run(
        name=run.name,
        recorded=run.recorded,
        sha256=run.sha256,
        start_s=run.start_s,
        findings=(*more, *run.findings),
    )


def _too_short(session: Session) -> Finding:
    return Finding(
        kind="data",
        paths=("t_s",),
        message=f"the session at {session.start_s:.10g} s (reading {session.first_row}) has "
        f"{len(session.trace)} readings: left out.",
        cure=f"record at least {_FEWEST} readings without a gap",
    )


def _run(board: "Board", session: Session, name: str, sha256: str, mode: str | None) -> Run:
    trace, findings = _with_inputs(session)
    seen = recorded(board, trace, mode=mode)
    sensed: Sensed = checked_sensors(board, seen, session.start_s)
    return Run(
        name=name,
        recorded=sensed.seen,
        sha256=sha256,
        start_s=session.start_s,
        findings=(*findings, *sensed.findings, *_assumed(seen, name)),
    )


def _with_inputs(session: Session) -> tuple[Trace, list[Finding]]:
    """The readings whose inputs are all numbers; ValueError where a fifth is missing."""
    trace, findings = session.trace, []
    is_whole = np.ones(len(trace), dtype=bool)
    for column, values in trace.columns.items():
        if not column.startswith(_INPUTS) or values.dtype == object:
            continue
        missing = ~np.isfinite(np.asarray(values, dtype=np.float64))
        if not missing.any() or missing.all():
            continue
        first_s = session.start_s + trace.columns["t_s"][missing.argmax()]
        if missing.mean() > _MOST_MISSING_SHARE:
            raise ValueError(
                f"{column} is missing in {int(missing.sum())} of {len(missing)} readings, first at "
                f"{first_s:.10g} s; a fit needs every input: log it throughout."
            )
        is_whole &= ~missing
        findings.append(
            Finding(
                kind="data",
                paths=(column,),
                message=f"{column} is missing in {int(missing.sum())} of {len(missing)} readings, "
                f"first at {first_s:.10g} s: those readings are left out.",
                cure="log that input at every reading",
            )
        )
    columns = {c: v for c, v in trace.columns.items() if not _is_empty_input(c, v)}
    kept = Trace(columns, trace.meta)
    return (kept if is_whole.all() else kept.select(is_whole)), findings


def _is_empty_input(column: str, values: NDArray[Any]) -> bool:
    """An input that was never logged is treated like a column that is not there."""
    return (
        column.startswith(_INPUTS)
        and values.dtype != object
        and bool(np.isnan(np.asarray(values, dtype=np.float64)).all())
    )


def _assumed(seen: Recorded, name: str) -> list[Finding]:
    """What the log does not say and the board file had to."""
    return [
        Finding(
            kind="unmeasured input",
            paths=(f"runs.{name}",),
            message=f"{name}: {note}.",
            cure="log that signal, or set it to a known value before the run",
        )
        for note in seen.notes
        if "not in the log" in note
    ]
