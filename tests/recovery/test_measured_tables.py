"""Measured tables: a few splits of what benchmarks.fidelity judges in full."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fidelity import hikey960, latency, zeus
from hw_models.board import load_board
from hw_models.tables import read_cluster_power_table, read_grids, read_latency_table

FOLDER = Path(os.environ.get("EDGETWIN_DATA", ""))
pytestmark = pytest.mark.skipif(
    not os.environ.get("EDGETWIN_DATA"), reason="EDGETWIN_DATA, the folder of data, is not set"
)


def test_latency_of_unseen_clocks_is_predicted_to_a_hundredth() -> None:
    table = read_latency_table(FOLDER / latency.FILE)
    found = [latency.split_errors(table, seed) for seed in (100, 101, 102)]
    errors = np.concatenate([e for split in found for e, _ in split.values()])
    assert errors.mean() < 0.01


def test_cluster_power_of_an_unseen_clock_is_predicted() -> None:
    table = read_cluster_power_table(FOLDER / hikey960.FILE)
    for core in hikey960.GROUPS:
        errors = hikey960.left_out(load_board("hikey960"), table.of(core), core)
        assert errors.mean() < 0.05


@pytest.mark.parametrize("gpu", ["v100", "a40"])
def test_training_grids_are_predicted_from_fifteen_cells(gpu: str) -> None:
    grids = read_grids(FOLDER / zeus.FILES[gpu])
    grid = grids["squad/bert_base_uncased/adamw"]
    found = zeus.mean_errors(grid, 15, range(100, 102))
    assert found["time_mape"] < 0.04
    assert found["power_mape"] < 0.025
