"""`edgetwin federate` from the outside: one JSON object, one line for what is wrong."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from edgetwin.cli import OK, USAGE, _run

DIGITS = [
    *("federate", "--model", "mlp", "--task", "digits", "--clients", "3", "--batch", "16"),
    *("--rounds", "3", "--set", "at=5", "--set", "lr=5e-4,4e-3"),
]


def test_a_run_prints_one_object_and_keeps_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run([*DIGITS, "--json", "--out", str(tmp_path / "run")]) == OK
    found = json.loads(capsys.readouterr().out)
    assert found["method"] == "fedspzo"
    assert found["round"] == 3
    assert found["bytes_per_step"] == 32
    assert found["upload_bytes"] == 3 * 2 * 32
    assert 0 <= found["accuracy"] <= 1
    assert [look["round"] for look in found["course"]] == [0, 1, 2, 3]
    assert json.loads((tmp_path / "run" / "kpis.json").read_text()) == found
    assert _run([*DIGITS, "--json", "--out", str(tmp_path / "run")]) == OK
    assert json.loads(capsys.readouterr().out) == found


def test_boards_add_seconds_and_joules(capsys: pytest.CaptureFixture[str]) -> None:
    boards = "jetson-nano,jetson-tx2-nx,jetson-orin-nano"
    assert _run([*DIGITS, "--boards", boards, "--json"]) == OK
    found = json.loads(capsys.readouterr().out)
    assert found["time_s"] > 0
    assert found["energy_j"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "fedspz"], "no method named 'fedspz'. Did you mean 'fedspzo'?"),
        (["--set", "lr"], "--set lr: give NAME=VALUE"),
        (["--set", "colour=1"], "settings of fedspzo"),
        (["--boards", "jetson-nan"], "Did you mean 'jetson-nano'?"),
        (["--runtime", "cloud"], "no runtime named 'cloud'"),
        (["--clients", "0"], "clients is 0"),
        (["--alpha", "-1"], "alpha is -1.0"),
        (["--model", "minilm"], "model 'minilm' cannot do task 'digits'"),
        (["--model", "minilm", "--task", "sst2"], "task sst2 needs a file to train on"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [*DIGITS, *words]
    assert _run(given) == USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert message in said.err


def test_a_data_file_that_is_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.tsv").write_text("no label here\n")
    files = ["--train", str(tmp_path / "a.tsv"), "--test", str(tmp_path / "a.tsv")]
    assert _run(["federate", "--task", "sst2", *files]) == USAGE
    assert "line 1 has 1 columns, not 2" in capsys.readouterr().err
