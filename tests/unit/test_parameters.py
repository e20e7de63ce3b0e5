"""A parameter is a place in the board file."""

import pytest
from tiny_board import tiny_board

from hw_models.board import load_board
from hw_models.parameters import paths, replaced, std_at, value_at, with_values


def test_every_path_leads_to_its_number() -> None:
    board = load_board("jetson-tx2")
    known = list(paths(board))
    assert len(known) == len(set(known)) > 250
    assert value_at(board, "thermal.links[2].conductance_w_per_k") == 0.5
    assert value_at(board, "thermal.cooling[0].conductance_w_per_k[1]") == 0.6
    assert std_at(board, "thermal.cooling[1].conductance_w_per_k[4]") == 0.03
    assert value_at(board, "power.baseline.cpu-rail.power_w") == 0.12
    for path in known:
        value_at(board, path)


def test_other_values_change_what_they_name_and_nothing_else() -> None:
    board = tiny_board()
    path = "thermal.capacity_j_per_k[3]"
    other = with_values(board, {path: 3.0}, std={path: 0.1}, source="made")
    assert other.thermal.capacity_j_per_k.value == [0.05, 0.1, 0.2, 3.0, 20.0]
    assert other.thermal.capacity_j_per_k.std == [0.0, 0.0, 0.0, 0.1, 0.0]
    assert with_values(other, {path: 2.0}, std={path: 0.0}).thermal.nodes == board.thermal.nodes
    assert with_values(board, {}) == board


def test_a_changed_board_is_lowered_anew() -> None:
    board = tiny_board()
    board.lower()
    other = replaced(board, {"power.baseline.rest.power_w": 0.9})
    part = board.parts.index("rest")
    assert other.lower().record[0]["constant_w"][part] == 0.9
    assert board.lower().record[0]["constant_w"][part] == 0.5


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("thermal.capacity_j_per_k[9]", "thermal.capacity_j_per_k"),
        ("thermal.capacity_j_per_k", "thermal.capacity_j_per_k"),
        ("power.units.slow.active_capacitance", "power.units.slow.active_capacitance_f"),
        ("power.baseline.rest", "power.baseline.rest.power_w"),
        ("clocks.little.governor", "clocks.little"),
    ],
)
def test_an_unknown_path_is_answered_with_the_nearest(path: str, hint: str) -> None:
    with pytest.raises(KeyError, match=r"no number of tiny named") as caught:
        value_at(tiny_board(), path)
    assert hint in str(caught.value)


def test_values_that_make_no_board_are_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"capacity_j_per_k .* must be positive") as caught:
        with_values(tiny_board(), {"thermal.capacity_j_per_k[0]": -1.0})
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="not in \\[sources\\]"):
        with_values(tiny_board(), {"thermal.capacity_j_per_k[0]": 1.0}, source="nobody")
