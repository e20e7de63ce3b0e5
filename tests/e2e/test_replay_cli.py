"""`edgetwin replay` from the command line: what it prints, keeps and refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgetwin.backend import run
from edgetwin.cli import main
from edgetwin.simulator import Simulator
from hw_models.board import Knobs, load_board
from hw_models.trace import Trace, read_trace

LINE = (
    "{stamp} RAM 1817/7607MB (lfb 98x4MB) SWAP 11/3804MB (cached 0MB) "
    "CPU [1%@1510,2%@1510,1%@1510,1%@1510,12%@1510,5%@1510] GR3D_FREQ {gpu}% cpu@55.718C "
    "soc2@54.343C soc0@52.687C gpu@55.593C tj@55.718C soc1@54.687C VDD_IN {power}mW/5237mW "
    "VDD_CPU_GPU_CV 1030mW/1030mW VDD_SOC 1388mW/1388mW"
)
FIGURES = ["n", "bias", "mae", "rmse", "p95", "mape", "nmbe", "cvrmse"]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds of an idle Jetson TX2, recorded from its twin."""
    path = tmp_path_factory.mktemp("recording") / "trace.parquet"
    simulator = Simulator(load_board("jetson-tx2"), seed=1)
    run(simulator, lambda reading: Knobs(), duration_s=20.0).trace.to_parquet(path)
    return path


def log(folder: Path, lines: int = 30) -> Path:
    """A tegrastats log of an Orin Nano, with a line that is none."""
    rows = [
        LINE.format(stamp=f"06-13-2026 15:34:{i:02d}", gpu=99 * (i % 2), power=5237 + 10 * i)
        for i in range(lines)
    ]
    path = folder / "tegrastats.log"
    path.write_text("\n".join([*rows, "not tegrastats"]) + "\n")
    return path


def edited(recording: Path, folder: Path, column: str, row: int, value: float) -> Path:
    """A copy of a recording with one number changed."""
    trace = read_trace(recording)
    columns = {name: values.copy() for name, values in trace.columns.items()}
    columns[column] = columns[column].astype(float)
    columns[column][row] = value
    Trace(columns, trace.meta).to_parquet(folder / "edited.parquet")
    return folder / "edited.parquet"


def replay(*arguments: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["replay", *map(str, arguments)])
    return int(left.value.code or 0)


def test_json_is_one_object_with_every_signal_and_figure(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(recording, "--board", "jetson-tx2", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    board = load_board("jetson-tx2")
    assert result["board"] == "jetson-tx2"
    assert list(result["signals"]) == [
        *(f"power_w.{rail}" for rail in board.sensors.rails),
        *(f"temps_c.{zone}" for zone in board.sensors.zones),
    ]
    for name, figures in result["signals"].items():
        assert list(figures) == FIGURES
        assert figures["n"] == 41
        assert (figures["nmbe"] is None) == name.startswith("temps_c.")
    assert result["blocks"]["block_s"] == 20.0
    assert any("ambient not given" in note for note in result["notes"])


def test_a_recording_of_the_twin_is_met_by_the_twin(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay(recording, "--board", "jetson-tx2", "--json")
    signals = json.loads(capsys.readouterr().out)["signals"]
    assert signals["temps_c.gpu"]["mae"] < 0.5
    assert abs(signals["power_w.vdd_in"]["nmbe"]) < 0.02


def test_the_table_has_a_row_with_unit_for_every_signal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert replay(log(tmp_path), "--board", "jetson-orin-nano", "--ambient-c", 22) == 0
    lines = capsys.readouterr().out.splitlines()
    board = load_board("jetson-orin-nano")
    shown = [line.split()[:3] for line in lines]
    for rail in board.sensors.rails:
        assert [f"power_w.{rail}", "[W]", "30"] in shown
    for zone in board.sensors.zones:
        assert [f"temps_c.{zone}", "[K]", "30"] in shown
    assert any("clocks not in the log" in line for line in lines)
    assert any("1 line is not tegrastats, skipped" in line for line in lines)


def test_the_trace_knows_its_board(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(recording, "--json") == 0
    assert json.loads(capsys.readouterr().out)["board"] == "jetson-tx2"


def test_the_room_is_the_one_given(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    biases = []
    for ambient_c in (15, 45):
        replay(recording, "--ambient-c", ambient_c, "--json")
        result = json.loads(capsys.readouterr().out)
        assert result["ambient_c"] == ambient_c
        biases.append(result["signals"]["temps_c.tboard"]["bias"])
    assert biases[1] > biases[0] + 0.2


def test_a_run_folder_keeps_figures_prediction_and_page(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "kept"
    assert replay(recording, "--out", out, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert json.loads((out / "kpis.json").read_text()) == printed
    assert json.loads((out / "run.json").read_text())["status"] == "done"
    predicted = read_trace(out / "predicted" / "0" / "trace.parquet")
    measured = read_trace(recording)
    error = predicted.columns["temps_c.gpu"] - measured.columns["temps_c.gpu"]
    assert np.mean(error) == pytest.approx(printed["signals"]["temps_c.gpu"]["bias"])


def test_the_page_shows_measured_beside_predicted(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay(recording, "--out", tmp_path / "kept")
    page = (tmp_path / "kept" / "report.html").read_text(encoding="utf-8")
    for text in ("power_w.vdd_in", "temps_c.gpu", "measured", "predicted", "ambient not given"):
        assert text in page


def test_the_same_replay_may_be_kept_again(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [replay(recording, "--out", tmp_path / "kept") for _ in range(2)] == [0, 0]
    assert replay(recording, "--out", tmp_path / "kept", "--ambient-c", 30) == 2
    assert "holds another run (ambient_c 25.0 there, 30.0 now)" in capsys.readouterr().err


def test_a_folder_of_another_log_is_not_overwritten(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "kept"
    replay(recording, "--out", out)
    assert replay(log(tmp_path), "--board", "jetson-orin-nano", "--out", out) == 2
    assert "holds another run" in capsys.readouterr().err


def damaged(recording: Path, folder: Path, kind: str) -> Path:
    """A file that is no whole log."""
    path = folder / "log"
    whole = folder / "whole.csv"
    read_trace(recording).to_csv(whole)
    content = {
        "empty": b"",
        "words": b"hello\nworld\n",
        "parquet": recording.read_bytes()[:900],
        "csv": whole.read_bytes()[:-700],
    }
    path.write_bytes(content[kind])
    return path


TX2 = ("--board", "jetson-tx2")
ORIN = ("--board", "jetson-orin-nano")
# Arguments of a replay that cannot be, from a recording and a folder, and what is said of them.
BAD: dict[str, tuple[Callable[[Path, Path], tuple[object, ...]], str]] = {
    "missing file": (lambda r, f: (f / "nothing.log", *TX2), "no log at"),
    "folder": (lambda r, f: (f, *TX2), "no log at"),
    "empty log": (lambda r, f: (damaged(r, f, "empty"), *TX2), "it is empty"),
    "no tegrastats": (lambda r, f: (damaged(r, f, "words"), *TX2), "none of its 2 lines"),
    "cut Parquet": (lambda r, f: (damaged(r, f, "parquet"), *TX2), "truncated or damaged"),
    "cut CSV": (lambda r, f: (damaged(r, f, "csv"), *TX2), "row"),
    "NaN in a load": (
        lambda r, f: (edited(r, f, "busy.gpu", 3, np.nan), *TX2),
        "busy.gpu in row 3 is nan",
    ),
    "NaN in a clock": (
        lambda r, f: (edited(r, f, "freq_hz.a57", 5, np.nan), *TX2),
        "freq_hz.a57 in row 5 is nan",
    ),
    "clock off the table": (
        lambda r, f: (edited(r, f, "freq_hz.gpu", 2, 1e9 / 3), *TX2),
        "freq_hz.gpu in row 2: 333333333 Hz is off the table",
    ),
    "load above one": (
        lambda r, f: (edited(r, f, "busy.cpu0", 4, 50.0), *TX2),
        "busy.cpu0 in row 4 is 50.0",
    ),
    "other board": (lambda r, f: (log(f), *TX2), "freq_hz.cpu"),
    "unknown board": (lambda r, f: (r, "--board", "jetson-tx3"), "Did you mean 'jetson-tx2"),
    "unnamed board": (lambda r, f: (log(f),), "give --board"),
    "unknown mode": (
        lambda r, f: (r, "--mode", "MAXX"),
        "no power mode of jetson-tx2 named 'MAXX'. Did you mean 'MAX",
    ),
    "ambient of no room": (lambda r, f: (r, "--ambient-c", "nan"), "ambient is nan degC"),
    "period of no log": (lambda r, f: (log(f), *ORIN, "--period-s", 0), "period_s is 0"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line_and_exit_code_two(
    kind: str, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, said = BAD[kind]
    assert replay(*arguments(recording, tmp_path)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("edgetwin: ")
    assert said in line
