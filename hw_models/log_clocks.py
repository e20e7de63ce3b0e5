"""Clocks in a log become operating points of a board; those a log lacks, of a power mode."""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.log_names import core_columns_of
from hw_models.trace import Trace, require_finite

if TYPE_CHECKING:
    from hw_models.board import Board

Whole = NDArray[np.int64]

# Tools print clocks truncated (1062 for 1062.4 MHz) or measured (1510 for 1497.6 MHz).
NEAR_SHARE: Final = 0.03
# A clock measured wrong now and then (one reading in thousands) does not spoil a log.
STRAY_SHARE: Final = 0.001
STOPPED: Final = -1


def operating_points(
    board: "Board", trace: Trace, mode: str | None, notes: list[str]
) -> tuple[Whole, NDArray[np.bool_]]:
    """Operating points (rows, n_domains), and where a domain stands still (its clock is 0).

    A clock that several columns tell is the highest of them. ValueError, naming column and row,
    for a missing number and for a clock that is not within 3 % of the table in more than one
    reading of a thousand.
    """
    columns = core_columns_of(trace, "freq_hz", board, board.aliases.domains, notes)
    shape = len(trace), len(board.clocks)
    level, stopped = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=bool)
    for d, name in enumerate(board.clocks):
        if name in columns:
            require_finite(trace, columns[name])
            runs = np.array([_nearest(board, name, trace, c, notes) for c in columns[name]])
            level[:, d] = np.maximum(runs.max(axis=0), 0)
            stopped[:, d] = (runs == STOPPED).all(axis=0)
    missing = {name: d for d, name in enumerate(board.clocks) if name not in columns}
    if missing:
        _assume(board, level, missing, mode, notes)
    return level, stopped


def _nearest(board: "Board", domain: str, trace: Trace, column: str, notes: list[str]) -> Whole:
    """The operating point nearest to each clock of a column, STOPPED where it is 0."""
    hz, table_hz = trace.columns[column], board.clocks[domain].freqs_hz.array
    nearest = np.abs(hz[:, None] - table_hz).argmin(axis=1)
    is_far = np.abs(hz - table_hz[nearest]) > NEAR_SHARE * table_hz[nearest]
    rows = np.flatnonzero(is_far & (hz != 0.0))
    if len(rows):
        first = f"row {rows[0]}: {hz[rows[0]]:.0f} Hz"
        if len(rows) > STRAY_SHARE * len(hz):
            offered = ", ".join(f"{f:.0f}" for f in table_hz)
            raise ValueError(
                f"{column} in {first} is off the table; {domain} of {board.name} offers {offered}."
            )
        notes.append(f"{column}: {len(rows)} of {len(hz)} off the table ({first}), nearest taken")
    return np.where(hz == 0.0, STOPPED, nearest).astype(np.int64)


def _assume(
    board: "Board", level: Whole, missing: dict[str, int], mode: str | None, notes: list[str]
) -> None:
    """Fill the levels of the clocks that the log lacks with the highest of a power mode."""
    chosen = _likely_mode(board, level, missing) if mode is None else mode
    for name, d in missing.items():
        level[:, d] = _top(board, name, chosen)
    clocks = (
        f"{n} {board.clocks[n].freqs_hz.value[level[0, d]]:.0f} Hz" for n, d in missing.items()
    )
    where = "the highest" if chosen is None else f"the highest of power mode {chosen}"
    notes.append(f"clocks not in the log, taken as {where}: {', '.join(clocks)}")


def _likely_mode(board: "Board", level: Whole, missing: dict[str, int]) -> str | None:
    """The default mode; where the log ran faster than that allows, the lowest that allows it."""

    def allows(mode: str) -> bool:
        logged = [(n, d) for d, n in enumerate(board.clocks) if n not in missing]
        return all(level[:, d].max() <= _top(board, n, mode) for n, d in logged)

    def speed(mode: str) -> tuple[bool, list[int]]:
        return not board.modes[mode].default, [_top(board, n, mode) for n in missing]

    return min(filter(allows, board.modes), key=speed, default=None)


def _top(board: "Board", domain: str, mode: str | None) -> int:
    """The highest operating point of a domain in a power mode; KeyError for an unknown mode."""
    table_hz = board.clocks[domain].freqs_hz.array
    if mode is None:
        return len(table_hz) - 1
    most_hz = board.mode(mode).max_freq_hz.get(domain, table_hz[-1])
    return max(int(np.searchsorted(table_hz, most_hz + 0.5)) - 1, 0)
