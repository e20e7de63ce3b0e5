"""A board becomes a board file: TOML that people read and `load_board` reads back equal."""

from pathlib import Path
from typing import TYPE_CHECKING

from hw_models.toml_text import toml_text

if TYPE_CHECKING:
    from hw_models.board import Board


def write_board(board: "Board", path: str | Path) -> None:
    """Keep a board as TOML; the same board always gives the same bytes."""
    Path(path).write_text(board_text(board), encoding="utf-8", newline="\n")


def board_text(board: "Board") -> str:
    """The board as TOML, in the order of the schema; what equals a default is left out."""
    return toml_text(board.model_dump(by_alias=True, exclude_defaults=True))
