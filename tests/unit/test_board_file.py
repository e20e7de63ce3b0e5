"""A board that is written is read back the same, whatever its numbers and words."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.board import Board, board_names, load_board, parse_board
from hw_models.board_file import board_text, write_board
from tests.tiny_board import tiny_board

every_board = pytest.mark.parametrize("name", board_names())
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=3)
numbers = st.floats(min_value=5e-324, max_value=1e300)


@every_board
def test_every_shipped_board_is_read_back_equal(name: str, tmp_path: Path) -> None:
    board = load_board(name)
    write_board(board, tmp_path / "board.toml")
    assert load_board(tmp_path / "board.toml") == board


@every_board
def test_a_board_that_was_drawn_is_read_back_equal(name: str) -> None:
    drawn = load_board(name).sample(np.random.default_rng(1))
    assert parse_board(board_text(drawn), "drawn") == drawn


@every_board
def test_the_same_board_gives_the_same_bytes(name: str) -> None:
    text = board_text(load_board(name))
    assert board_text(parse_board(text, "again")) == text


@given(title=words, note=words, place=words, hz=numbers)
@settings(max_examples=60, deadline=None)
def test_any_words_and_numbers_survive(title: str, note: str, place: str, hz: float) -> None:
    board = tiny_board({"sources.made.note": note, "title": title, "power.baseline.rest": {
        "node": "base", "power_w": {"value": hz, "std": hz, "source": "made"}}})  # fmt: skip
    board = board.model_copy(update={"paths": {place: board.paths["zone.cpu.temp"]}})
    assert parse_board(board_text(board), "written") == board


def test_clocks_are_written_in_megahertz_and_a_number_on_one_line() -> None:
    text = board_text(load_board("jetson-tx2"))
    assert "114.75e6, 216.75e6" in text
    assert 'leakage_w = { value = 0.15, std = 0.1, source = "trace_gpu" }' in text


def test_a_board_made_in_memory_has_no_certificate() -> None:
    board: Board = tiny_board()
    assert board.certificate is None
