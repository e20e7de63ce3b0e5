"""Planning and training on a device: a virtual board of its own, driven as one on the desk."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgetwin.cli import NO_HARDWARE, OK, USAGE, _run
from edgetwin.cli.target import metric_and_place
from edgetwin.reproduce.hardware.bench import Served, same, served, why_not

needs_fuse = pytest.mark.skipif(bool(why_not()), reason=f"no virtual board here: {why_not()}")
SAMPLES = ("--samples", "16=142500,32=124500,64=138000")
BOARD = ("--board", "jetson-nano", "--network", "resnet-18-cifar")
SCRIPT = """
import time
from edgetwin import training_hook
hook = training_hook(batch=32)
samples = 0
while not hook.report(samples):
    time.sleep(0.005)
    samples += hook.batch
    hook.step()
"""


@pytest.fixture(scope="module")
def nano() -> Iterator[Served]:
    with served("jetson-nano", speed=20.0) as board:
        yield board


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert _run([*words, "--json"]) == OK
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@needs_fuse
def test_a_device_is_profiled_and_a_script_drives_it(
    nano: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = nano.knobs()
    place = ("--backend", "hardware", "--target", "local", "--root", str(nano.root))
    plan = tmp_path / "plan.json"
    found = told(
        capsys, "plan", *BOARD, *SAMPLES, *place, "--cap-w", "4", "--points", "6",
        "--settle-s", "0", "--out", str(plan),
    )  # fmt: skip
    assert same(before, nano.knobs()) == []
    assert found["backend"] == "hardware"
    assert found["points"] == 6
    assert found["choice"]["is_measured"]
    assert found["choice"]["peak_power_w"] <= 4.0
    assert found["overshoot"] <= 0.15  # asked for 0.1; a cell is known only when it is measured
    assert found["true"] is None
    twin = told(capsys, "plan", *BOARD, *SAMPLES, "--cap-w", "4", "--points", "6")
    assert found["choice"]["time_s"] == pytest.approx(twin["choice"]["time_s"], rel=0.15)

    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    trained = told(
        capsys, "train", str(script), "--plan", str(plan), *place, "--target", "20000",
        "--caps", "0=4,20=2.6",
    )  # fmt: skip
    assert trained["reached"]
    assert trained["refused"] == {}
    assert trained["time_s"] > 20.0
    assert trained["energy_j"] > 0.0
    assert {change["cap_w"] for change in trained["changes"]} == {4.0, 2.6}
    clocks_hz = [change["freq_hz"]["gpu"] for change in trained["changes"]]
    assert clocks_hz[-1] < clocks_hz[0]
    assert same(before, nano.knobs()) == []


@needs_fuse
def test_a_script_is_profiled_as_the_process_that_trains(
    nano: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # A step takes 5 ms whatever its batch, a tenth of a second of a board that is 20 times as fast.
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    worker = f"{sys.executable} -m edgetwin.systems.planner.worker {script}"
    found = told(
        capsys, "plan", *BOARD, *SAMPLES, "--backend", "hardware", "--root", str(nano.root),
        "--cap-w", "4", "--points", "5", "--settle-s", "0", "--command", worker,
    )  # fmt: skip
    assert found["choice"]["batch"] == 64
    assert found["choice"]["time_s"] == pytest.approx(138_000 / 64 * 0.1, rel=0.2)


def test_a_target_is_a_metric_a_place_or_both() -> None:
    assert metric_and_place(None) == (None, None)
    assert metric_and_place(["0.6"]) == (0.6, None)
    assert metric_and_place(["ssh://me@board", "0.6"]) == (0.6, "ssh://me@board")
    with pytest.raises(ValueError, match="one place"):
        metric_and_place(["local", "ssh://me@board"])


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--target", "local"), USAGE, "for --backend hardware only"),
        (("--backend", "desk"), USAGE, "desk"),
        (("--command", "python3 train.py"), USAGE, "--command: for --backend hardware only"),
        (("--backend", "hardware", "--root", "/nowhere-at-all"), NO_HARDWARE, "is no folder"),
    ],
)
def test_what_people_get_wrong_is_one_line(
    words: tuple[str, ...], code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(["plan", *BOARD, *SAMPLES, "--cap-w", "4", *words]) == code
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "edgetwin: " in line]
    assert text in line
