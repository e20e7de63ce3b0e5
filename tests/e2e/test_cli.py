"""What `edgetwin` prints, keeps and repeats, from the command line to the files."""

import io
import json
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, final

import gymnasium as gym
import pytest
from tiny_board import TEXT as TINY

from edgetwin.cli import OK, USAGE, _run
from edgetwin.progress import Progress
from hw_models import board_names, read_trace
from hw_models.quantity import GRADES

THERMAL = {
    "mean_temp_c",
    "peak_temp_c",
    "violation_time_share",
    "violated_jobs_share",
    "energy_j",
    "migrations",
    "completed",
}
TRAINING = {
    "time_to_target_s",
    "samples_done",
    "energy_j",
    "peak_power_w",
    "cap_violation_time_share",
    "max_overshoot_share",
    "peak_temp_c",
}
ERRORS = {"n", "bias", "mae", "rmse", "p95", "mape", "nmbe", "cvrmse"}
POLICIES = ("powersave", "ondemand", "qos-dvfs")
THERMAL_RUN = "run thermal --policies powersave,ondemand,qos-dvfs --seeds 2 --duration 300 --json"
SHORT_RUN = "run thermal --policies powersave,ondemand --seeds 2 --duration 5 --json"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> Any:
        """The one JSON object on stdout; an error if there is anything else."""
        return json.loads(self.out)


def edgetwin(line: str, *more: str | Path) -> Done:
    """Run a command line in this process; it must end well."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = _run([*line.split(), *map(str, more)])
    assert code == OK, err.getvalue()
    return Done(code=code, out=out.getvalue(), err=err.getvalue())


@pytest.fixture(scope="module")
def thermal_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "thermal"


@pytest.fixture(scope="module")
def thermal(thermal_folder: Path) -> Any:
    return edgetwin(THERMAL_RUN, "--out", thermal_folder).result


@pytest.fixture(scope="module")
def training() -> Any:
    policies = "performance,powersave,schedutil"
    return edgetwin(f"run training --policies {policies} --duration 60 --json").result


def _value(result: Any, policy: str, figure: str) -> float:
    value = result["policies"][policy][figure]["value"]
    assert isinstance(value, float)
    return value


# -- lists ------------------------------------------------------------------------------------


def test_every_shipped_board_is_listed_with_the_grade_of_its_worst_section() -> None:
    boards = edgetwin("boards --json").result["boards"]
    assert [board["name"] for board in boards] == list(board_names())
    for board in boards:
        assert board["grade"] == max(board["sections"].values(), key=GRADES.index)
        assert board["title"]


def test_a_board_file_is_listed_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TINY, encoding="utf-8")
    result = edgetwin("boards --json --board", tmp_path / "mine.toml").result
    assert [board["name"] for board in result["boards"]] == ["tiny"]


def test_the_schema_of_a_board_file_names_every_section() -> None:
    schema = edgetwin("boards --schema").result
    assert {"clocks", "power", "thermal", "performance", "sensors", "limits"} <= set(
        schema["required"]
    )


def test_every_listed_environment_is_registered() -> None:
    envs = edgetwin("envs --json").result["envs"]
    ids = {"edgetwin/Thermal-v0", "edgetwin/Training-v0", "edgetwin/Federated-v0"}
    assert {env["id"] for env in envs} == ids
    for env in envs:
        assert gym.spec(env["id"]).max_episode_steps
        assert {"title", "board", "scenario", "step_s"} <= env.keys()


@pytest.mark.parametrize("task", ["thermal", "training"])
def test_policies_help_names_what_the_task_may_run(task: str) -> None:
    table = edgetwin(f"run {task} --policies help").out
    named = edgetwin(f"run {task} --policies help --json").result["policies"]
    assert {"performance", "powersave", "ondemand"} <= named.keys()
    assert ("random-placement" in named) is (task == "thermal")
    assert all(name in table and title in table for name, title in named.items())


def test_without_a_verb_the_help_names_them_all() -> None:
    said = edgetwin("").out
    assert all(verb in said for verb in ("boards", "envs", "run", "replay"))


# -- what a run prints ------------------------------------------------------------------------


def test_a_thermal_run_prints_the_promised_figures(thermal: Any) -> None:
    assert list(thermal["policies"]) == list(POLICIES)
    for figures in thermal["policies"].values():
        assert figures.keys() >= THERMAL
        for figure in figures.values():
            assert figure.keys() == {"value", "low", "high"}
            assert figure["low"] <= figure["value"] <= figure["high"]


def test_a_training_run_prints_the_promised_figures(training: Any) -> None:
    for figures in training["policies"].values():
        assert figures.keys() == TRAINING
        assert figures["time_to_target_s"]["value"] is None  # 60 s are too short to get there
        for figure in figures.values():
            assert figure.keys() == {"value", "low", "high"}
            assert figure["low"] is figure["high"] is None  # one seed has no interval


def test_the_table_holds_every_figure_with_its_unit() -> None:
    done = edgetwin("run thermal --policies powersave --duration 1")
    head = done.out.splitlines()[1]
    assert all(name in head for name in THERMAL)
    assert "[degC]" in head and "[J]" in head
    assert "powersave" in done.out


def test_stdout_holds_nothing_but_the_object_while_progress_goes_to_stderr(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgetwin.progress.LOG_PERIOD_S", 0.01)
    monkeypatch.setattr("edgetwin.sweeps.Progress", partial(Progress, quiet_s=0.0))
    monkeypatch.setattr("edgetwin.sweeps._cell", _slowly)
    done = edgetwin("run thermal --policies powersave,ondemand --duration 1 --json")
    assert done.result["policies"]["powersave"]["energy_j"]["value"] == 1.0
    assert "runs: " in done.err and " of 2" in done.err


def _slowly(*_: object) -> dict[str, float]:
    """A run that takes longer than the first line of progress."""
    time.sleep(0.05)
    names = {*THERMAL, "instructions_done"}
    return dict.fromkeys(names, 1.0)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_color", [False, True])
def test_no_color_keeps_colours_off_a_terminal(
    no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = _Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1" if no_color else "")
    monkeypatch.setattr("edgetwin.sweeps.Progress", partial(Progress, stream=screen, quiet_s=0.0))
    monkeypatch.setattr("edgetwin.sweeps._cell", _slowly)
    edgetwin("run thermal --policies powersave --duration 1 --json")
    assert "runs: " in screen.getvalue()
    assert ("\x1b[36m" in screen.getvalue()) is not no_color


# -- what a run keeps -------------------------------------------------------------------------


def test_a_run_folder_says_what_was_asked_and_holds_every_trace(
    thermal: Any, thermal_folder: Path
) -> None:
    record = json.loads((thermal_folder / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "done"
    assert record["arguments"]["seeds"] == [0, 1]
    assert record["arguments"]["policies"] == list(POLICIES)
    assert record["versions"].keys() >= {"edgetwin", "numpy", "numba", "python"}
    assert len(record["hashes"]["board hikey970"]) == 64
    assert json.loads((thermal_folder / "kpis.json").read_text(encoding="utf-8")) == thermal
    traces = {path.relative_to(thermal_folder) for path in thermal_folder.rglob("*.parquet")}
    assert traces == {Path(p, str(seed), "trace.parquet") for p in POLICIES for seed in (0, 1)}


def test_a_kept_trace_covers_the_whole_run(thermal: Any, thermal_folder: Path) -> None:
    trace = read_trace(thermal_folder / "qos-dvfs" / "1" / "trace.parquet")
    assert trace.meta["board"] == "hikey970"
    assert trace[0].t_s == 0.0
    assert trace.last.t_s == pytest.approx(300.0)
    assert trace.last.power_w is None  # the board has no power sensor
    assert trace.last.jobs


def test_a_run_without_out_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edgetwin("run thermal --policies powersave --duration 1 --json")
    assert not list(tmp_path.iterdir())


def test_the_same_seed_gives_the_same_trace_bit_for_bit(
    thermal: Any, thermal_folder: Path, tmp_path: Path
) -> None:
    edgetwin("run thermal --policies ondemand --duration 300 --seed 1 --out", tmp_path / "again")
    first = read_trace(thermal_folder / "ondemand" / "1" / "trace.parquet").columns
    again = read_trace(tmp_path / "again" / "ondemand" / "1" / "trace.parquet").columns
    other = read_trace(thermal_folder / "ondemand" / "0" / "trace.parquet").columns
    numbers = [name for name, values in first.items() if values.dtype != object]
    assert list(first) == list(again)
    assert all(first[name].tobytes() == again[name].tobytes() for name in numbers)
    assert first["temps_c.soc"].tobytes() != other["temps_c.soc"].tobytes()


def test_a_resumed_run_repeats_only_what_is_missing_and_ends_the_same(tmp_path: Path) -> None:
    whole = edgetwin(SHORT_RUN, "--out", tmp_path / "run").result
    (log,) = (tmp_path / "run" / "cells").glob("*.jsonl")
    content = log.read_text(encoding="utf-8")
    lines = content.split("\n\n")
    log.write_text("\n\n".join(lines[:-1]) + "\n", encoding="utf-8")
    assert edgetwin(SHORT_RUN, "--out", tmp_path / "run").result == whole
    assert log.read_text(encoding="utf-8") == content


def test_a_job_called_after_a_network_with_a_dot_in_its_name_is_kept(tmp_path: Path) -> None:
    job = 'kind = "forward"\nnetwork = "opt-1.3b"\nbatch = 1\npasses = 2\nsteps = 5\n'
    head = 'name = "forward"\ntitle = "zero-order steps"\nduration_s = 5\n'
    (tmp_path / "forward.toml").write_text(f"{head}[[jobs]]\n{job}", encoding="utf-8")
    line = "run thermal --board jetson-tx2 --policies powersave --scenario"
    edgetwin(line, tmp_path / "forward.toml", "--out", tmp_path / "run")
    trace = read_trace(tmp_path / "run" / "powersave" / "0" / "trace.parquet")
    assert trace.last.jobs["opt-1.3b-1"].unit == "gpu"


def test_several_processes_find_what_one_finds() -> None:
    assert edgetwin(SHORT_RUN, "--jobs", "2").result == edgetwin(SHORT_RUN).result


def test_a_changed_board_file_is_another_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board, scenario, out = (tmp_path / name for name in ("tiny.toml", "idle.toml", "run"))
    scenario.write_text('name = "idle"\ntitle = "no work"\nduration_s = 5\n', encoding="utf-8")
    board.write_text(TINY, encoding="utf-8")
    line = f"run thermal --board {board} --scenario {scenario} --policies powersave --out {out}"
    edgetwin(line)
    board.write_text(TINY.replace("[0.1, 0.3, 0.6]", "[0.2, 0.3, 0.6]"), encoding="utf-8")
    assert _run(line.split()) == USAGE
    assert "another run" in capsys.readouterr().err


# -- what the figures mean --------------------------------------------------------------------


def test_powersave_is_cooler_than_ondemand_and_does_less(thermal: Any) -> None:
    for figure in ("mean_temp_c", "peak_temp_c", "energy_j", "completed"):
        assert _value(thermal, "powersave", figure) < _value(thermal, "ondemand", figure)
    late = "violation_time_share"
    assert _value(thermal, "powersave", late) > _value(thermal, "ondemand", late)


def test_qos_dvfs_is_cooler_than_ondemand_and_keeps_more_targets_than_powersave(
    thermal: Any,
) -> None:
    assert _value(thermal, "qos-dvfs", "energy_j") < _value(thermal, "ondemand", "energy_j")
    assert _value(thermal, "qos-dvfs", "mean_temp_c") < _value(thermal, "ondemand", "mean_temp_c")
    late = "violation_time_share"
    assert _value(thermal, "qos-dvfs", late) < _value(thermal, "powersave", late) / 2


def test_no_policy_of_governors_migrates(thermal: Any) -> None:
    assert all(_value(thermal, policy, "migrations") == 0.0 for policy in POLICIES)


def test_full_clocks_train_fastest_and_break_the_cap_that_powersave_keeps(training: Any) -> None:
    for figure in ("samples_done", "energy_j", "peak_power_w", "peak_temp_c"):
        assert _value(training, "performance", figure) > _value(training, "powersave", figure)
    assert _value(training, "powersave", "peak_power_w") < 7.0  # the cap of train-cap
    assert _value(training, "powersave", "cap_violation_time_share") == 0.0
    assert _value(training, "performance", "cap_violation_time_share") > 0.9
    overshoot = _value(training, "performance", "peak_power_w") / 7.0 - 1.0
    assert _value(training, "performance", "max_overshoot_share") == pytest.approx(overshoot)


def test_mean_power_is_between_nothing_and_the_peak(training: Any) -> None:
    for policy in training["policies"]:
        mean_w = _value(training, policy, "energy_j") / 60.0
        assert 0.0 < mean_w <= _value(training, policy, "peak_power_w")


# -- replay -----------------------------------------------------------------------------------


@pytest.mark.parametrize("work", ["training", "thermal --scenario single-app"])
def test_a_trace_of_the_twin_replays_with_small_errors(work: str, tmp_path: Path) -> None:
    line = f"run {work} --board jetson-tx2 --policies performance --duration 60 --out"
    edgetwin(line, tmp_path / "run")
    trace = tmp_path / "run" / "performance" / "0" / "trace.parquet"
    result = edgetwin("replay --board jetson-tx2 --json", trace).result
    assert result["board"] == "jetson-tx2"
    for name, errors in result["signals"].items():
        assert errors.keys() == ERRORS
        assert (errors["mape"] is None) is name.startswith("temps_c.")
    assert result["signals"]["power_w.vdd_in"]["mape"] < 0.05
    assert result["signals"]["temps_c.gpu"]["mae"] < 1.0


# -- as installed -----------------------------------------------------------------------------


def test_the_installed_command_keeps_its_two_outputs_apart(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "edgetwin"), *SHORT_RUN.split(), "--out", "kept"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == OK, done.stderr
    assert json.loads(done.stdout)["policies"].keys() == {"powersave", "ondemand"}
    assert (tmp_path / "kept" / "run.json").is_file()
