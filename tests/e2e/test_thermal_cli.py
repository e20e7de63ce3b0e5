"""From demonstrations to a student on the command line, and what users get wrong there."""

import json
from pathlib import Path
from typing import Any

import pytest

from edgetwin.cli import _run


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("thermal") / "demos"
    assert _run(["demos", "--out", str(out), "--shards", "1", "--scenes", "8", "--jobs", "1"]) == 0
    return out


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    _run([*arguments, "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_demonstrations_are_told_as_one_object(
    demos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = told(
        capsys, "demos", "--out", str(demos), "--shards", "1", "--scenes", "8", "--jobs", "1"
    )
    assert again["shards"] == 2 and again["decisions"] == 80 and len(again["sha256"]) == 64


@pytest.mark.slow
def test_a_student_is_trained_and_drives_a_board(
    demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    from edgetwin.backend import run
    from edgetwin.scenario import load_scenario
    from edgetwin.simulator import Simulator
    from edgetwin.systems.thermal.policies import ManagedPolicy
    from edgetwin.systems.thermal.student import Student
    from hw_models import load_board

    arguments = ("train-manager", str(demos), "--out", str(tmp_path / "made"), "--seeds", "1")
    found = told(capsys, *arguments, "--rounds", "0", "--quick")
    (metrics,) = found["students"]
    assert metrics["float_parity"] == 1.0
    again = told(capsys, *arguments, "--rounds", "0", "--quick")
    assert again["students"] == found["students"]
    file = tmp_path / "made" / "student-0.onnx"
    sim = Simulator(load_board("hikey970"), scenario=load_scenario("mixed-20"), seed=1)
    result = run(sim, ManagedPolicy(lambda: Student(file)), duration_s=120.0, seed=1)
    assert result.kpis["mean_temp_c"] is not None and result.kpis["mean_temp_c"] < 60.0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train-manager", "nowhere", "--out", "x"], "run edgetwin demos"),
        (["demos", "--out", "x", "--shards", "0"], "positive"),
        (["demos", "--out", "x", "--board", "jetson-nano"], "CPU clusters"),
        (["train-manager", "nowhere", "--out", "x", "--seeds", "0"], "at least one seed"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert _run(arguments) == 2
    error = capsys.readouterr().err
    assert says in error and error.startswith("edgetwin: ")
    assert error.count("\n") == 1 or "compiling" in error
