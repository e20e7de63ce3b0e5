"""Tables of measured points are read whole or refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_models.tables import (
    read_cluster_power_table,
    read_grids,
    read_latency_table,
    read_step_table,
    table_kind,
)

LATENCY = "network,gpu_hz,emc_hz,fps,latency_s\nvgg,1e9,2e9,10,0.1\nvgg,2e9,2e9,20,0.05\n"
STEPS = (
    "network,batch,gpu_hz,emc_hz,step_s,mean_w,peak_w\n"
    "net,8,1e9,2e9,0.1,5,6\nnet,16,1e9,2e9,0.2,5.5,6\n"
)
CLUSTER = "core,freq_hz,opp_v,n_cpus,power_w\nA53,5e8,0.7,1,0.1\nA53,5e8,0.7,4,0.3\n"
GRID = (
    "dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power\n"
    "d,n,16,adam,150,9,140\nd,n,8,adam,100,10,90\nd,n,8,sgd,100,11,91\n"
)
Read = Callable[[Path], Any]


def written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_table_is_known_by_its_columns(tmp_path: Path) -> None:
    kinds = {"latency": LATENCY, "steps": STEPS, "cluster power": CLUSTER, "grid": GRID}
    for kind, text in kinds.items():
        assert table_kind(written(tmp_path, text)) == kind
    assert table_kind(written(tmp_path, "t_s,power_w\n1,2\n")) is None


def test_a_latency_table_keeps_the_order_of_its_points(tmp_path: Path) -> None:
    table = read_latency_table(written(tmp_path, LATENCY))
    assert table.networks == ("vgg", "vgg")
    assert table.latency_s.tolist() == [0.1, 0.05]
    assert table.take(np.array([1])).gpu_hz.tolist() == [2e9]


def test_a_grid_file_is_one_grid_per_workload_sorted_by_batch(tmp_path: Path) -> None:
    grids = read_grids(written(tmp_path, GRID))
    assert list(grids) == ["d/n/adam", "d/n/sgd"]
    assert grids["d/n/adam"].batch.tolist() == [8, 16]
    assert grids["d/n/adam"].power_w.tolist() == [90, 140]


def test_steps_and_clusters_are_read(tmp_path: Path) -> None:
    assert read_step_table(written(tmp_path, STEPS)).peak_w.tolist() == [6, 6]
    assert read_cluster_power_table(written(tmp_path, CLUSTER)).of("A53").n_cpus.tolist() == [1, 4]


def test_an_unknown_network_is_named_with_the_nearest(tmp_path: Path) -> None:
    table = read_latency_table(written(tmp_path, LATENCY))
    with pytest.raises(KeyError, match="Did you mean 'vgg'"):
        table.of("vgg19")


@pytest.mark.parametrize(
    ("read", "text", "said"),
    [
        (read_latency_table, "network,gpu_hz,latency_s\nvgg,1e9,0.1\n", "no column 'emc_hz'"),
        (read_latency_table, LATENCY.replace("0.05", "nan"), "line 3: latency_s is 'nan'"),
        (read_latency_table, LATENCY.replace("0.05", "-1"), "line 3: latency_s is '-1'"),
        (read_latency_table, LATENCY.replace("0.05", ""), "line 3: latency_s is ''"),
        (read_latency_table, LATENCY.replace("0.05", "inf"), "expected a number above zero"),
        (read_latency_table, LATENCY.replace("vgg,2e9", "vgg,1000e6"), "stands in line 2 already"),
        (read_latency_table, LATENCY.splitlines()[0] + "\n", "no measured point"),
        (read_latency_table, LATENCY + "vgg,3e9\n", "row 2 has 2 cells"),
        (read_latency_table, "", "no column 'network'"),
        (read_step_table, STEPS.replace("8,1e9", "0,1e9"), "batch is '0'"),
        (read_step_table, STEPS.replace("0.1,5,6", "0.1,7,6"), "mean_w 7 is above peak_w 6"),
        (read_cluster_power_table, CLUSTER.replace("0.3", "watt"), "power_w is 'watt'"),
        (read_cluster_power_table, CLUSTER.replace(",4,", ",1,"), "A53, 5e+08, 1 stands in"),
        (read_grids, GRID.replace("sgd", "adam"), "stands in line 3 already"),
        (read_grids, GRID.replace("power_limit", "limit"), "no column 'power_limit'"),
    ],
)
def test_a_bad_table_is_refused_in_one_line(
    tmp_path: Path, read: Read, text: str, said: str
) -> None:
    with pytest.raises(ValueError, match=r"table\.csv") as refused:
        read(written(tmp_path, text))
    message = str(refused.value)
    assert said in message
    assert "\n" not in message
