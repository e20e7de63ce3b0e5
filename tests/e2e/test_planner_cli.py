"""`edgetwin plan`, `train` and the policies from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from planner_case import written

from edgetwin.cli import main

KEYS = {"schema", "choice", "true", "optimum", "gap", "points", "runners_up"}


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The one JSON object that a command prints."""
    with pytest.raises(SystemExit) as left:
        main([*arguments, "--json"])
    assert left.value.code == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line with which a command ends badly."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    assert left.value.code == 2
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("edgetwin: ")]
    assert len(lines) == 1
    assert "Traceback" not in captured.err
    return lines[0]


def test_a_plan_from_a_grid_states_truth_optimum_and_gap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    power, train = written(tmp_path)
    found = said(
        capsys, "plan", "--grid", str(power), "--efficiency", str(train), "--workload", "d/n/o",
        "--target", "0.6", "--cap-w", "120", "--points", "15",
    )  # fmt: skip
    assert set(found) >= KEYS
    assert found["schema"] == 1
    assert found["choice"]["limit_w"] in (100, 125, 150, 175, 200, 225, 250)
    assert found["true"]["time_s"] >= found["optimum"]["time_s"]
    assert 0.0 <= found["gap"] < 0.05
    assert found["points"] == 15
    assert found["choice"]["peak_power_w"] <= 120


def test_a_plan_for_a_board_drives_a_script_on_its_twin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("torch")
    plan = tmp_path / "plan.json"
    found = said(
        capsys, "plan", "--board", "jetson-nano", "--network", "digits-cnn", "--cap-w", "4",
        "--samples", "16=4000,32=4400,64=5600", "--points", "8", "--out", str(plan),
    )  # fmt: skip
    assert json.loads(plan.read_text())["choice"] == found["choice"]
    trained = said(capsys, "train", "digits-cnn", "--plan", str(plan), "--backend", "sim")
    assert trained["reached"]
    assert trained["metric"] >= 0.95
    assert trained["batch"] == found["choice"]["batch"]
    assert trained["peak_power_w"] <= 4.0
    assert trained["time_s"] > 0


def test_the_measured_efficiency_of_a_script_is_planned_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from edgetwin import training_hook\n"
        "hook = training_hook(batch=32)\n"
        "for step in range(1000):\n"
        "    hook.step()\n"
        "    hook.report(step * hook.batch / (1 + hook.batch / 64))\n"
    )
    measured = said(
        capsys, "train", str(script), "--measure", str(tmp_path / "m"), "--batches", "16,64",
        "--seeds", "2", "--target", "640", "--budget", "20000",
    )  # fmt: skip
    assert measured["needed"] == {"16": 816.0, "64": 1344.0}
    plan = said(
        capsys, "plan", "--board", "jetson-nano", "--network", "digits-cnn", "--cap-w", "4",
        "--efficiency", str(tmp_path / "m" / "efficiency.json"), "--points", "6",
    )  # fmt: skip
    assert plan["choice"]["batch"] in (16, 64)


def test_planner_and_fixed_batch_run_in_training_v0(capsys: pytest.CaptureFixture[str]) -> None:
    found = said(
        capsys, "run", "training", "--board", "jetson-nano", "--policies", "planner,fixed-batch",
        "--duration", "60",
    )  # fmt: skip
    assert set(found["policies"]) == {"planner", "fixed-batch"}
    for figures in found["policies"].values():
        assert figures["samples_done"]["value"] > 0


def test_what_cannot_be_planned_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    power, train = map(str, written(tmp_path))
    grid = ("plan", "--grid", power, "--efficiency", train)
    board = ("plan", "--board", "jetson-nano", "--cap-w", "4")
    cases = {
        ("plan", "--cap-w", "5"): "give --board",
        ("plan", "--cap-w", "5", "--grid", power): "needs --efficiency",
        (*grid, "--cap-w", "5"): "the lowest power is batch",
        (*grid, "--cap-w", "120", "--workload", "d/n/x"): "no workload of the grid named",
        (*grid, "--cap-w", "120", "--target", "0.7"): "no run of d/n/o records target 0.7",
        (*grid, "--cap-w", "nan"): "cap",
        (*grid, "--cap-w", "120", "--objective", "fun"): "give time or energy",
        (*grid, "--cap-w", "120", "--points", "2"): "profiling needs 4",
        (*grid, "--cap-w", "120", "--deadline", "1"): "the soonest is",
        board: "needs --samples",
        (*board, "--samples", "x=3"): "no whole number",
        (*board, "--samples", "16=1000", "--network", "none"): "no network named",
        (*board, "--samples", "16=1000", "--batches", "32"): "batch 32 has no efficiency",
        ("train", "digits-cnn"): "give --plan",
        ("train", "nothing.py", "--plan", power): "no training script",
        ("train", "digits-cnn", "--plan", power): "",
    }
    for arguments, expected in cases.items():
        assert expected in complaint(capsys, *arguments), arguments
