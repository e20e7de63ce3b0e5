"""The board `mine` is sane, and a twin of it runs."""

from pathlib import Path

import edgetwin
from edgetwin.checks import check_backend, check_board

BOARD = Path(__file__).with_name("board.toml")


def test_the_board_is_sane() -> None:
    check_board(BOARD)


def test_its_twin_keeps_the_promises_of_a_backend() -> None:
    check_backend(lambda: edgetwin.make_backend("sim", board=BOARD))
