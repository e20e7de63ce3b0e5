"""`edgetwin reproduce planner`: rows of the table of promises, and the page of planes."""

from functools import partial
from pathlib import Path
from typing import Any

from edgetwin.cells import CellStore
from edgetwin.reproduce.planner import board_rows, boards, errors, grid_rows
from edgetwin.reproduce.planner.page import write_planner_page
from edgetwin.studies import Rows, Study

_ROWS = {
    "choice": (grid_rows.choice_row, "Zeus grids, 15 points for each cap: gap to brute force"),
    "fewer": (
        grid_rows.fewer_row,
        "Zeus grids: 15 points for all caps together, fewer points, half of the runs",
    ),
    "cap": (grid_rows.cap_row, "choices above the cap though a measured cell fits"),
    "baselines": (grid_rows.baseline_row, "Zeus grids: against fixed batch with DVFS"),
    "boards": (boards.row_of_boards, "four Jetson twins, four networks, six caps"),
    "violations": (board_rows.violation_row, "peak as the sensor reads it, 1000 seeds"),
    "schedule": (board_rows.schedule_row, "five changes of the cap: online against an oracle"),
    "predictor": (board_rows.predictor_row, "noise scale of a short run against real training"),
    "planning_time": (board_rows.time_row, "one plan over 13 x 8 x 4 cells"),
    "errors": (errors.error_row, "what cannot be planned is a clear error"),
}


def make_study(folder: Path) -> Study:
    """The study of the planner, its finished cells in a folder."""
    store = CellStore(path=folder / "cells")
    rows: Rows = {
        name: (title, partial(measure, store)) for name, (measure, title) in _ROWS.items()
    }
    return Study(name="planner", rows=rows, draw=_draw)


def _draw(found: Any, folder: Path) -> Path:
    return write_planner_page(found, CellStore(path=folder / "cells"), folder)
