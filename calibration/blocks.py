"""One run in blocks: some rows of a run are a run, and each block is held out in turn."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.board import Board
from hw_models.fit import Run
from hw_models.fit.regimes import with_fan
from hw_models.recorded import Recorded

BLOCK_S: Final = 640.0
GAP_S: Final = 120.0
_SHORTEST_S: Final = 600.0
_FAN_NOTE: Final = "fan not in the log"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What is fitted and what is held out of one run, with a gap between them."""

    fitted: tuple[Run, ...]
    held_out: Run


def splits(run: Run, block_s: float = BLOCK_S, gap_s: float = GAP_S) -> tuple[Split, ...]:
    """Every contiguous block of a run held out in turn, the rest fitted but for the gaps.

    A last block shorter than 600 s is left to the fit. Blocks are named after their start.
    """
    t_s = run.recorded.t_s - run.recorded.t_s[0]
    starts = np.arange(0.0, t_s[-1] - _SHORTEST_S, block_s)
    return tuple(
        Split(
            fitted=tuple(_rest(run, t_s, start, start + block_s, gap_s)),
            held_out=part(run, (t_s >= start) & (t_s < start + block_s), f"{start:.0f}-s"),
        )
        for start in starts.tolist()
    )


def _rest(
    run: Run, t_s: NDArray[np.float64], start_s: float, end_s: float, gap_s: float
) -> Iterator[Run]:
    sides = {"before": t_s < start_s - gap_s, "after": t_s >= end_s + gap_s}
    for name, rows in sides.items():
        if t_s[rows].size and np.ptp(t_s[rows]) >= gap_s:
            yield part(run, rows, name)


def with_settled_fan(board: Board, run: Run) -> Run:
    """The run with its fan as its temperatures tell it, for fit and prediction alike."""
    seen, _, findings = with_fan(board, run.name, run.recorded)
    notes = tuple(note for note in seen.notes if not note.startswith(_FAN_NOTE))
    return replace(run, recorded=replace(seen, notes=notes), findings=(*run.findings, *findings))


def part(run: Run, rows: NDArray[np.bool_], name: str) -> Run:
    """Some rows of a run whose fan is settled, time as in the whole; rows (n,) is a mask."""
    seen = run.recorded
    cut = Recorded(
        **{
            key: getattr(seen, key)[rows]
            for key in ("t_s", "level", "busy", "loop", "online", "traffic", "fan")
        },
        zones_c={zone: values[rows] for zone, values in seen.zones_c.items()},
        rails_w={rail: values[rows] for rail, values in seen.rails_w.items()},
        notes=seen.notes,
    )
    return replace(run, name=f"{run.name}-{name}", recorded=cut)
