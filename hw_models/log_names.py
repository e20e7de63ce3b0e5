"""Names in a log and names on a board: aliases say what is meant, the rest is listed, not guessed.

The one addition: a column `cpu`, where the board has nothing of that name, is the mean of all CPU
cores, as some recordings keep it.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.trace import Trace, require_finite

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]
Columns = dict[str, list[str]]

ALL_CORES: Final = "cpu"


def columns_of(
    trace: Trace, group: str, known: Iterable[str], aliases: Mapping[str, str], notes: list[str]
) -> Columns:
    """The columns of each name the log and the board share, in board order; notes what is left."""
    found, unknown = _sorted(trace, group, known, aliases)
    _left_out(unknown, notes)
    return found


def core_columns_of(
    trace: Trace, group: str, board: "Board", aliases: Mapping[str, str], notes: list[str]
) -> Columns:
    """The same for domains ("freq_hz") and units ("busy"), where one column may be of all cores."""
    units, cores = board.unit_list, board.performance.cores
    is_clock = group == "freq_hz"
    known = list(board.clocks) if is_clock else [u.name for u in units]
    of_cores = [u.domain if is_clock else u.name for u in units if u.kind in cores]
    found, unknown = _sorted(trace, group, known, aliases)
    shared = [column for column in unknown if column == f"{group}.{ALL_CORES}"]
    _left_out([column for column in unknown if column not in shared], notes)
    return {name: shared for name in of_cores if shared} | found


def share(trace: Trace, column: str) -> Array:
    """A column of shares, (rows,); ValueError names the first that is not in [0, 1]."""
    require_finite(trace, [column])
    values = trace.columns[column]
    wrong = np.flatnonzero((values < 0) | (values > 1 + 1e-9))
    if len(wrong):
        raise ValueError(
            f"{column} in row {wrong[0]} is {values[wrong[0]]}; expected a share from 0 to 1."
        )
    return np.minimum(values, 1.0)


def _sorted(
    trace: Trace, group: str, known: Iterable[str], aliases: Mapping[str, str]
) -> tuple[Columns, list[str]]:
    """The columns of each of the board's names, and those of no name of it."""
    own: Columns = {name: [] for name in known}
    unknown: list[str] = []
    for column in trace.columns:
        if column.startswith(f"{group}."):
            name = column.removeprefix(f"{group}.")
            own.get(name if name in own else aliases.get(name, ""), unknown).append(column)
    return {name: columns for name, columns in own.items() if columns}, unknown


def _left_out(columns: list[str], notes: list[str]) -> None:
    if columns:
        notes.append(f"not of this board, left out: {', '.join(columns)}")
