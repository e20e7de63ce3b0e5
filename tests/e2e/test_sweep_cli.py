"""`edgetwin sweep` from the command line to its file, killed on the way, and on a Ray cluster."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from edgetwin.cli import _run
from edgetwin.storage import json_lines

SWEEP = [
    *("sweep", "--policies", "powersave,qos-dvfs", "--boards", "hikey970,odroid-xu3"),
    *("--scenarios", "mixed-20", "--seeds", "8", "--duration", "20", "--jobs", "2"),
    *("--json", "--out"),
]
RUNS = 32


def sweep(out: Path, *more: str, **variables: str) -> subprocess.Popen[str]:
    """A sweep in a process group of its own."""
    code = "from edgetwin.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *SWEEP, str(out), *more],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder and the printed object of a sweep that nobody disturbs."""
    out = tmp_path_factory.mktemp("whole")
    process = sweep(out)
    printed, said = process.communicate()
    assert process.returncode == 0, said
    return out, json.loads(printed)


def test_one_object_says_how_many_runs_and_where_they_are(whole: tuple[Path, Any]) -> None:
    out, result = whole
    assert result["runs"] == RUNS
    assert Path(result["results"]) == out / "results.parquet"
    assert [(g["board"], g["policy"], g["runs"]) for g in result["groups"]] == [
        (board, policy, 8)
        for board in ("hikey970", "odroid-xu3")
        for policy in ("powersave", "qos-dvfs")
    ]
    energy = result["groups"][0]["kpis"]["energy_j"]
    assert energy["low"] < energy["value"] < energy["high"]
    assert pq.read_table(result["results"]).num_rows == RUNS
    assert json.loads((out / "run.json").read_text())["status"] == "done"


def finished(out: Path) -> int:
    """Cells in the logs of a sweep."""
    return sum(isinstance(r, dict) for log in out.glob("cells/*.jsonl") for r in json_lines(log))


def test_a_killed_sweep_goes_on_and_ends_in_the_same_file(
    whole: tuple[Path, Any], tmp_path: Path
) -> None:
    kept = []
    for enough in (5, 15):
        process = sweep(tmp_path)
        while finished(tmp_path) < enough and process.poll() is None:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        kept.append(finished(tmp_path))
    process = sweep(tmp_path)
    assert process.communicate()[1] is not None and process.returncode == 0
    one, other = (folder / "results.parquet" for folder in (whole[0], tmp_path))
    assert one.read_bytes() == other.read_bytes()
    assert kept[0] < kept[1] < RUNS
    assert finished(tmp_path) == RUNS  # nothing finished was lost, and nothing run again


def test_the_table_has_a_row_for_every_board_scenario_and_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "sweep --policies powersave --scenarios single-app --duration 2 --seeds 2 --jobs 1 --out"
    assert _run([*line.split(), str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert "mean_temp_c [degC]" in said.out and "single-app" in said.out
    assert f"2 runs kept in {tmp_path / 'results.parquet'}" in said.err


# -- Ray --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two Ray nodes on loopback, one core each, without telemetry or dashboard."""
    pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=node)
    made.add_node(num_cpus=1, object_store_memory=80 * 2**20)
    yield made
    made.shutdown()


@pytest.mark.slow
def test_a_ray_cluster_of_two_nodes_leaves_the_same_file(
    cluster: Any, whole: tuple[Path, Any], tmp_path: Path
) -> None:
    process = sweep(tmp_path, "--engine", "ray", RAY_ADDRESS=cluster.address)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    one, other = (folder / "results.parquet" for folder in (whole[0], tmp_path))
    assert one.read_bytes() == other.read_bytes()
    assert len(list(tmp_path.glob("cells/*.jsonl"))) == 2  # both nodes worked


def test_no_cluster_at_the_address_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert _run(["sweep", "--engine", "ray", "--seeds", "2", "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("edgetwin: no Ray cluster answers at RAY_ADDRESS 127.0.0.1:1")
