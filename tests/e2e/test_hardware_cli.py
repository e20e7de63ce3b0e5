"""The verbs that talk to a board, from serving a virtual one to its gap report; and their exits."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgetwin.cli import FAILED, NO_HARDWARE, OK, UNSAFE, USAGE, _run
from edgetwin.reproduce.hardware.bench import Served, same, served, sshd, why_no_ssh, why_not
from edgetwin.reproduce.hardware.fuzz import fuzz, lines_of
from edgetwin.reproduce.hardware.injections import inject
from edgetwin.virtual import write_plain
from hw_models.board import load_board
from hw_models.trace import read_trace

pytestmark = pytest.mark.alone

needs_fuse = pytest.mark.skipif(bool(why_not()), reason=f"no virtual board here: {why_not()}")
KINDS = (
    "kill -9 of the host", "kill -9 of agent and guardian", "sensor garbage", "write refused",
    "two hosts at once",
)  # fmt: skip


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_plain(load_board("jetson-nano"), tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def nano() -> Iterator[Served]:
    with served("jetson-nano", speed=10.0) as board:
        yield board


@pytest.fixture(scope="module")
def slow_nano() -> Iterator[Served]:
    with served("jetson-nano") as board:
        yield board


def told(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert _run([*words, "--json"]) == OK
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_doctor_names_every_file(plain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = told(capsys, "doctor", "--root", str(plain))
    assert said["board"] == "jetson-nano"
    works = {f["what"] for f in said["findings"] if f["works"]}
    assert {"read zone cpu", "read rail pom_5v_in", "set clock gpu", "set fan"} <= works


def test_a_doctor_fails_where_nothing_can_be_set(tmp_path: Path) -> None:
    (tmp_path / "sys/class/thermal/thermal_zone0").mkdir(parents=True)
    (tmp_path / "sys/class/thermal/thermal_zone0/temp").write_text("40000\n")
    (tmp_path / "sys/class/thermal/thermal_zone0/type").write_text("soc\n")
    assert _run(["doctor", "--root", str(tmp_path), "--board", "hikey970"]) == FAILED


def test_a_dry_run_prints_the_writes_and_makes_none(
    plain: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    top = plain / "sys/devices/gpu.0/devfreq/57000000.gpu/min_freq"
    before = top.read_text()
    scenario = tmp_path / "idle.toml"
    scenario.write_text('name = "idle"\ntitle = "nothing to do"\nduration_s = 1\n')
    words = ["run", "training", "--board", "jetson-nano", "--backend", "hardware", "--dry-run"]
    more = ["--root", str(plain), "--policies", "performance", "--duration", "1"]
    assert _run([*words, *more, "--scenario", str(scenario)]) == OK
    assert "would write performance to /sys/" in capsys.readouterr().err
    assert top.read_text() == before


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["run", "thermal", "--target", "local"], USAGE, "--target: for --backend hardware only"),
        (["doctor", "--target", "board"], USAGE, "give local, or ssh://user@host"),
        (["doctor", "--root", "/nowhere-at-all"], NO_HARDWARE, "is no folder"),
        (["serve", "no-such-board", "--mount", "x"], USAGE, "no-such-board"),
        (["serve", "jetson-nano", "--mount", "x", "--perturb", "much"], USAGE, "posterior"),
        (
            ["run", "thermal", "--backend", "hardware", "--jobs", "2"],
            USAGE, "one board runs one policy after the other",
        ),
    ],
)  # fmt: skip
def test_what_people_get_wrong_is_one_line(
    words: list[str], code: int, text: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert _run(words) == code
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert text in line


@needs_fuse
def test_a_policy_runs_on_a_virtual_board(
    nano: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = nano.knobs()
    said = told(
        capsys, "run", "training", "--board", "jetson-nano", "--backend", "hardware", "--root",
        str(nano.root), "--policies", "performance", "--duration", "20",
        "--out", str(tmp_path / "o"),
    )  # fmt: skip
    figures = said["policies"]["performance"]
    assert figures["samples_done"]["value"] > 100
    assert figures["peak_power_w"]["value"] > 3.0
    trace = read_trace(next((tmp_path / "o").glob("performance/0/trace.parquet")))
    assert trace.last.freq_hz["gpu"] == 921.6e6
    assert same(before, nano.knobs()) == []


@needs_fuse
def test_a_trace_is_recorded_on_a_device(
    nano: Served, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "trace.parquet"
    said = told(
        capsys, "record", "training", "--board", "jetson-nano", "--backend", "hardware", "--root",
        str(nano.root), "--duration", "10", "--out", str(out),
    )  # fmt: skip
    assert said["readings"] == 11
    assert read_trace(out).meta["board"] == "jetson-nano"


@needs_fuse
def test_the_gap_of_a_virtual_board_is_small(
    nano: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(
        capsys, "gap", "--board", "jetson-nano", "--root", str(nano.root), "--duration", "20",
        "--policies", "performance,powersave", "--out", str(tmp_path / "gap"),
    )  # fmt: skip
    page = (tmp_path / "gap" / "report.html").read_text()
    assert "powersave, seed 0: power_w.pom_5v_in" in page and "Order of policies" in page
    assert said["signals"]["power_w.pom_5v_in"]["mae"] < 1.0
    assert {run["decisions_alike_on_same_readings"] for run in said["runs"]} == {1.0}
    assert said["ranking_alike"]["energy_j"] == 1.0


@needs_fuse
def test_a_hot_board_ends_the_run_unsafe(nano: Served, capsys: pytest.CaptureFixture[str]) -> None:
    nano.say("ambient 95")
    nano.say("heat 99")
    try:
        words = ["run", "training", "--board", "jetson-nano", "--backend", "hardware", "--root"]
        assert _run([*words, str(nano.root), "--policies", "performance", "--duration", "20"]) == (
            UNSAFE
        )
        assert "degC, the limit is" in capsys.readouterr().err
    finally:
        nano.say("ambient 25")
        nano.say("heat 30")


@needs_fuse
def test_a_served_board_goes_when_it_is_interrupted(tmp_path: Path) -> None:
    mount = tmp_path / "board"
    program = "from edgetwin.cli import main; main()"
    words = ["serve", "hikey970", "--mount", str(mount), "--perturb", "posterior", "--seed", "3"]
    process = subprocess.Popen([sys.executable, "-c", program, *words], stderr=subprocess.PIPE)
    assert process.stderr is not None
    while b"Ctrl-C" not in process.stderr.readline():
        assert process.poll() is None
    from edgetwin.reproduce.hardware.bench import wait_until

    assert wait_until((mount / "edgetwin/now_s").exists, 60.0) is not None
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert not (mount / "edgetwin").exists()


@needs_fuse
@pytest.mark.parametrize("kind", KINDS)
def test_a_board_comes_back_from_a_fault(kind: str, slow_nano: Served) -> None:
    outcome = inject(kind, slow_nano, None, 5)
    assert outcome.ok, outcome


@needs_fuse
@pytest.mark.skipif(bool(why_no_ssh()), reason=f"no sshd here: {why_no_ssh()}")
def test_a_board_comes_back_when_its_ssh_is_killed(slow_nano: Served) -> None:
    with sshd() as door:
        outcome = inject("kill -9 of the sshd child", slow_nano, door, 5)
    assert outcome.ok, outcome


@needs_fuse
def test_hostile_messages_change_nothing(slow_nano: Served) -> None:
    found = fuzz(slow_nano, 1000, seed=3)
    assert list(lines_of(found)) == []
    assert (found.ended, found.hung) == ([], 0)
    assert found.messages == 1000
