"""From a twin with hidden numbers to a certified board file, by commands alone."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibration_case import HIDDEN, excitation, file_board, true_board

from edgetwin.cli import FAILED, OK, main
from hw_models.board import load_board
from hw_models.board_file import write_board
from hw_models.certificate import Certificate, read_certificate
from hw_models.parameters import value_at, with_values
from hw_models.trace import Trace, read_trace


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(map(str, arguments)))
    return int(left.value.code or 0)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three boards and four recordings; the board file knows nothing of the hidden numbers."""
    here = tmp_path_factory.mktemp("desk")
    truth = true_board()
    name = "power.units.fast.active_capacitance_f"
    other = with_values(truth, {name: 1.6 * value_at(truth, name)})
    for title, board in (("file", file_board()), ("true", truth), ("other", other)):
        write_board(board, here / f"{title}.toml")
    for seed in range(1, 5):
        (here / f"steps{seed}.toml").write_text(excitation(seed), encoding="utf-8")
        assert record(here, seed, "true", f"run{seed}.parquet") == OK
    return here


def record(desk: Path, seed: int, board: str, out: str, *more: str) -> int:
    scenario = desk / f"steps{seed}.toml"
    return command(
        "record", "--scenario", scenario, "--board", desk / f"{board}.toml", "--seed", seed,
        "--out", desk / out, *more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def calibrated(desk: Path) -> Path:
    """The folder of a calibration on three of the runs."""
    runs = [desk / f"run{seed}.parquet" for seed in (1, 2, 3)]
    assert command("calibrate", *runs, "--board", desk / "file.toml", "--out", desk / "cal") == OK
    return desk / "cal"


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_hidden_numbers_are_found_with_their_errors(calibrated: Path) -> None:
    certificate = read_certificate(calibrated / "certificate.json")
    found, truth = load_board(calibrated / "board.toml"), true_board()
    assert {p.path for p in certificate.parameters} == set(HIDDEN)
    for parameter in certificate.parameters:
        true = value_at(truth, parameter.path)
        assert value_at(found, parameter.path) == parameter.value
        assert parameter.value == pytest.approx(true, abs=4 * parameter.std)


def test_the_folder_holds_board_certificate_figures_and_page(calibrated: Path) -> None:
    run = json.loads((calibrated / "run.json").read_text())
    assert run["status"] == "done" and len(run["hashes"]) == 4
    assert json.loads((calibrated / "kpis.json").read_text())["grade"] == "A"
    page = (calibrated / "report.html").read_text(encoding="utf-8")
    for heading in ("Parameters", "Coverage", "Skill", "Excitation covered", "residual"):
        assert heading in page


def test_the_data_choose_how_many_nodes_they_can_tell(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, out = [desk / "run1.parquet", desk / "run2.parquet"], desk / "chosen"
    board = ("--board", desk / "file.toml")
    assert command("calibrate", *runs, *board, "--out", out, "--choose-nodes") == OK
    (note,) = re.findall(r"thermal network of (\d) nodes .* wins: (.*)", capsys.readouterr().out)
    criteria = {int(n): float(c) for n, c in re.findall(r"(\d): (-?\d+)", note[1])}
    assert criteria[int(note[0])] == min(criteria.values())
    assert len(load_board(out / "board.toml").thermal.nodes) == int(note[0])
    assert len(criteria) == len(file_board().thermal.nodes)


def test_new_data_pass_and_another_board_fails(
    desk: Path, calibrated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = ("--board", calibrated / "board.toml", "--json")
    assert record(desk, 4, "other", "other.csv") == OK
    capsys.readouterr()
    assert command("validate", desk / "run4.parquet", *board) == OK
    passed = said(capsys)
    assert passed["inside"] and passed["board"] == "tiny"
    figures = {"n", "bias", "mae", "rmse", "p95", "mape", "nmbe", "cvrmse"}
    assert set(passed["signals"]["power_w.vdd_in"]) == figures
    assert passed["claim"]["outside_envelope_share"] < 0.05
    assert command("validate", desk / "other.csv", *board) == FAILED
    failed = said(capsys)
    assert not failed["inside"]
    assert not failed["claim"]["signals"]["power_w.vdd_cpu"]["holds"]


def test_a_verdict_is_told_in_words_too(
    desk: Path, calibrated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = ("--board", calibrated / "board.toml")
    assert command("validate", desk / "run4.parquet", *board) == OK
    text = capsys.readouterr().out
    assert "inside its claim" in text and "outside the validity envelope: 0.0 %" in text


def test_an_environment_of_the_board_says_what_it_is_worth(calibrated: Path) -> None:
    from edgetwin.envs.observe import block_size, entries, fill_block
    from edgetwin.simulator import Simulator

    board = load_board(calibrated / "board.toml")
    sim = Simulator(board)
    sim.advance(1.0)
    block = np.zeros(block_size(sim))
    fill_block(sim.state[0], sim.lowered.record[0], block)
    found = entries(sim, ("reward_a", "reward_b"), "sim", board.sampled_how)["calibration"](block)
    assert found["id"] == read_certificate(calibrated / "certificate.json").id
    assert found["grade"] == "A" and found["sampled"] == "covariance"
    assert isinstance(found["in_envelope"], bool)


def test_a_plan_runs_on_the_twin_below_its_limit(
    desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board, plan = ("--board", desk / "file.toml"), tmp_path / "plan.toml"
    assert command("excite", *board, "--out", plan, "--safety-c", 60, "--json") == OK
    planned = said(capsys)
    assert planned["hottest_c"] <= planned["safe_c"] == 60.0
    assert set(HIDDEN) <= set(planned["expected_std"])
    out = tmp_path / "trace.parquet"
    assert command("record", "--scenario", plan, *board, "--out", out, "--json") == OK
    trace = read_trace(out)
    assert trace.duration_s == pytest.approx(planned["duration_s"])
    assert float(np.max(trace.columns["temps_c.cpu"])) <= 60.0 + 1.0
    assert len(np.unique(trace.columns["freq_hz.big"])) > 1


def test_a_recording_is_the_same_for_the_same_seed(desk: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.parquet"
    assert record(desk, 1, "true", str(again)) == OK
    assert read_trace(again) == read_trace(desk / "run1.parquet")


def test_a_recording_can_be_recorded_again(
    desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = command(
        "record", "--backend", "replay", "--trace", desk / "run1.parquet", "--board",
        desk / "true.toml", "--duration", 60, "--period", 2, "--out", tmp_path / "part.csv",
        "--json",
    )  # fmt: skip
    assert code == OK
    assert said(capsys)["readings"] == 61  # every recorded reading on the way
    assert read_trace(tmp_path / "part.csv").duration_s == pytest.approx(60.0)


def test_a_task_is_recorded_on_its_own_board(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "training.parquet"
    assert command("record", "training", "--duration", 20, "--out", out, "--json") == OK
    assert said(capsys)["board"] == "jetson-tx2"


def test_what_is_wrong_with_a_log_is_named(
    desk: Path, calibrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = read_trace(desk / "run4.parquet")
    kept = np.ones(len(whole), dtype=bool)
    kept[600:700] = False
    columns = {name: values[kept] for name, values in whole.columns.items()}
    columns["temps_c.skin"] = columns["temps_c.skin"].copy()
    columns["temps_c.skin"][50] = np.nan
    Trace(columns, whole.meta).to_parquet(tmp_path / "gap.parquet")
    command("validate", tmp_path / "gap.parquet", "--board", calibrated / "board.toml")
    notes = capsys.readouterr().err
    assert re.search(r"gap-1: .*\n", notes) and re.search(r"gap", notes)


def test_a_latency_grid_is_certified_too(
    desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = tmp_path / "grid.csv"
    rng = np.random.default_rng(0)
    rows = ["network,gpu_hz,emc_hz,latency_s"]
    for gpu_hz in (0.2e9, 0.4e9, 0.6e9, 0.8e9):
        for emc_hz in (0.8e9, 1.2e9, 1.6e9):
            latency_s = ((4e6 / gpu_hz) ** 2 + (5e6 / emc_hz) ** 2) ** 0.5 + 1e-3
            rows.append(f"net,{gpu_hz},{emc_hz},{latency_s * (1 + 0.003 * rng.normal())}")
    grid.write_text("\n".join(rows) + "\n", encoding="utf-8")
    out = tmp_path / "cal"
    assert command("calibrate", grid, "--board", desk / "file.toml", "--out", out, "--json") == OK
    assert said(capsys)["errors"]["held-out"]["latency_s.net"]["mape"] < 0.01
    board = ("--board", out / "board.toml", "--json")
    assert command("validate", grid, *board) == OK
    slow = grid.read_text().splitlines()
    slow[1:] = [f"{r.rpartition(',')[0]},{1.3 * float(r.rpartition(',')[2])}" for r in slow[1:]]
    grid.write_text("\n".join(slow) + "\n", encoding="utf-8")
    assert command("validate", grid, *board) == FAILED


def test_the_schema_of_a_certificate_can_be_exported(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("boards", "--certificate-schema") == OK
    assert said(capsys) == Certificate.model_json_schema(by_alias=True)


def test_an_external_meter_pins_the_watts_of_a_board_without_a_power_sensor(
    desk: Path, tmp_path: Path
) -> None:
    """The meter's clock runs 7 s ahead of the board's; three of its numbers are hidden again."""
    bare = file_board().model_copy(
        update={
            "sensors": file_board().sensors.model_copy(update={"rails": {}, "input_rail": None})
        }
    )
    write_board(bare, tmp_path / "bare.toml")
    whole = read_trace(desk / "run1.parquet")
    t_s, power_w = whole.columns["t_s"], whole.columns["power_w.vdd_in"]
    columns = {n: v for n, v in whole.columns.items() if not n.startswith(("power_w.", "energy"))}
    Trace(columns, whole.meta).to_parquet(tmp_path / "run.parquet")
    rows = [f"{t + 7.0},{w}" for t, w in zip(t_s.tolist(), power_w.tolist(), strict=True)]
    meter = tmp_path / "meter.csv"
    meter.write_text("\n".join(["t_s,power_w", *rows]) + "\n", encoding="utf-8")
    out = ("--board", tmp_path / "bare.toml", "--out", tmp_path / "cal")
    assert command("calibrate", tmp_path / "run.parquet", *out, "--meter", meter) == OK
    certificate = read_certificate(tmp_path / "cal" / "certificate.json")
    assert {data.file for data in certificate.data} == {"run.parquet", "meter.csv"}
    found = {p.path: p for p in (*certificate.parameters, *certificate.nuisances)}
    rest = found["power.baseline.rest.power_w"]
    assert rest.value == pytest.approx(value_at(true_board(), rest.path), abs=4 * rest.std)
    assert rest.std < 0.1 * rest.value
