"""The study of federated fine-tuning: its rows, and the page that shows them."""

from pathlib import Path

from edgetwin.reproduce.federated.page import write_page_of
from edgetwin.reproduce.federated.rows_boards import ROWS as BOARD_ROWS
from edgetwin.reproduce.federated.rows_core import core_rows
from edgetwin.reproduce.federated.rows_cost import ROWS as COST_ROWS
from edgetwin.reproduce.federated.rows_desk import ROWS as DESK_ROWS
from edgetwin.reproduce.federated.rows_digits import digits_rows, parts_rows
from edgetwin.reproduce.federated.rows_encoder import encoder_rows
from edgetwin.studies import Means, Study


def make_study(folder: Path, means: Means) -> Study:
    """Rows of estimator and protocol, of encoder and cost; finished runs are kept in `folder`."""
    judged, beside = encoder_rows(folder, means)
    return Study(
        name="federated",
        rows={
            **core_rows(),
            **digits_rows(folder / "core", means),
            **COST_ROWS,
            **judged,
            **DESK_ROWS,
        },
        more={**beside, **parts_rows(folder / "core", means), **BOARD_ROWS},
        draw=write_page_of,
    )
