"""Coarser networks hold the same heat and lose it the same way."""

import numpy as np
import pytest
from tiny_board import tiny_board

from hw_models.board import board_names, load_board
from hw_models.fit import coarser, lumped
from hw_models.thermal import Network


@pytest.mark.parametrize("name", board_names())
def test_every_board_can_be_made_coarser_node_by_node(name: str) -> None:
    board = load_board(name)
    networks = coarser(board)
    sizes = [len(groups) for groups in networks]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == len(board.thermal.nodes)
    assert sizes[-1] == 1
    for groups in networks:
        coarse = lumped(board, groups)
        assert coarse.thermal.nodes == tuple(groups)
        total = sum(board.thermal.capacity_j_per_k.value)
        assert sum(coarse.thermal.capacity_j_per_k.value) == pytest.approx(total)


def test_one_node_loses_heat_as_the_whole_board_does() -> None:
    board = tiny_board(leakage=False)
    one = lumped(board, coarser(board)[-1])
    network = Network.of(one, 0)
    assert network.conductance_w_per_k == pytest.approx(np.array([[0.12]]))


def test_parallel_ways_add_up() -> None:
    board = tiny_board()
    groups = {"big": ("little", "big"), "gpu": ("gpu",), "case": ("case",), "base": ("base",)}
    coarse = lumped(board, groups)
    links = {link.between: link.conductance_w_per_k.value for link in coarse.thermal.links}
    assert links == {
        ("big", "case"): pytest.approx(0.9),
        ("gpu", "case"): 0.8,
        ("case", "base"): 0.6,
    }
    assert {unit.node for unit in coarse.unit_list} == {"big", "gpu"}


def test_groups_that_leave_a_node_out_are_refused() -> None:
    with pytest.raises(ValueError, match="exactly once"):
        lumped(tiny_board(), {"all": ("little", "big", "gpu", "case")})
