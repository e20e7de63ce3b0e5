"""A board's file against a log: the log driven open loop, its errors signal by signal."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from hw_models.accuracy import BLOCK_S, Array, SignalErrors, block_means, signal_errors
from hw_models.openloop import checked_ambient_c, drive
from hw_models.recorded import Recorded, recorded
from hw_models.trace import Trace

if TYPE_CHECKING:
    from hw_models.board import Board


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One recorded session and what the board's physics make of it."""

    measured: Recorded
    predicted: Trace

    def signals(self) -> Mapping[str, tuple[Array, Array]]:
        """Measured and predicted values of every signal they share, rails first, board order."""
        rails = {f"power_w.{rail}": values for rail, values in self.measured.rails_w.items()}
        zones = {f"temps_c.{zone}": values for zone, values in self.measured.zones_c.items()}
        columns = self.predicted.columns
        return {name: (values, columns[name]) for name, values in (rails | zones).items()}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A board against one log: its sessions, what was assumed, and the errors of all together."""

    board: str
    ambient_c: float
    sessions: tuple[Session, ...]
    notes: tuple[str, ...]
    signals: Mapping[str, SignalErrors]
    blocks: Mapping[str, SignalErrors]

    def as_json(self) -> dict[str, Any]:
        """The comparison as machines read it; figures that do not apply are None."""
        return {
            "board": self.board,
            "signals": {name: errors.figures() for name, errors in self.signals.items()},
            "blocks": {
                "block_s": BLOCK_S,
                "signals": {name: errors.figures() for name, errors in self.blocks.items()},
            },
            "ambient_c": self.ambient_c,
            "sessions": len(self.sessions),
            "notes": list(self.notes),
        }


def compare(
    board: "Board",
    logs: Sequence[Trace | Recorded],
    *,
    ambient_c: float | None = None,
    mode: str | None = None,
) -> Comparison:
    """Every session driven for itself, errors pooled; ValueError as in `recorded` and `drive`.

    `blocks` has the power rails in means over 20 s: many logs tell a GPU's load as an instantaneous
    sample, which power does not follow reading by reading.
    """
    used_c = checked_ambient_c(board, ambient_c)
    seen = [x if isinstance(x, Recorded) else recorded(board, x, mode=mode) for x in logs]
    sessions = tuple(Session(measured=r, predicted=drive(board, r, ambient_c=used_c)) for r in seen)
    pooled = {name: _pooled(sessions, name) for name in _names(board, sessions)}
    rails = [name for name in pooled if name.startswith("power_w.")]
    return Comparison(
        board=board.name,
        ambient_c=used_c,
        sessions=sessions,
        notes=(*_ambient_note(ambient_c, used_c), *_notes(seen)),
        signals={
            name: signal_errors(*pair, has_shares=name in rails) for name, pair in pooled.items()
        },
        blocks={
            name: signal_errors(*_pooled(sessions, name, in_blocks=True), has_shares=True)
            for name in rails
        },
    )


def _names(board: "Board", sessions: Sequence[Session]) -> Iterator[str]:
    """The signals that some session has, rails first, in the board's order."""
    found = {name for session in sessions for name in session.signals()}
    for name in (
        *(f"power_w.{rail}" for rail in board.sensors.rails),
        *(f"temps_c.{zone}" for zone in board.sensors.zones),
    ):
        if name in found:
            yield name


def _pooled(
    sessions: Sequence[Session], name: str, *, in_blocks: bool = False
) -> tuple[Array, Array]:
    """Measured and predicted values of one signal over all sessions that have it."""
    parts = []
    for session in sessions:
        pair = session.signals().get(name)
        if pair is not None:
            parts.append(block_means(session.measured.t_s, pair) if in_blocks else list(pair))
    measured, predicted = (np.concatenate(values) for values in zip(*parts, strict=True))
    return measured, predicted


def _ambient_note(given_c: float | None, used_c: float) -> Iterator[str]:
    if given_c is None:
        yield f"ambient not given: {used_c:g} degC, the board file's own"


def _notes(seen: Sequence[Recorded]) -> Iterator[str]:
    """Every assumption once; of several sessions, which ones made it."""
    notes = dict.fromkeys(note for session in seen for note in session.notes)
    for note in notes:
        where = [i for i, session in enumerate(seen, start=1) if note in session.notes]
        some = "" if len(where) == len(seen) else f" (session {', '.join(map(str, where))})"
        yield note + some
