"""What is wrong with a trace is named, and split, left out or refused: never fitted unseen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tiny_board import tiny_board

from hw_models.board import Board
from hw_models.fit import Run, check_run, read_meter, read_runs
from hw_models.trace import Trace

Columns = dict[str, NDArray[Any]]
ROWS = 300


def _board() -> Board:
    """The tiny board with a GPU rail beside the rail of its CPUs."""
    data = tiny_board().model_dump(by_alias=True)
    rails = data["sensors"]["rails"]
    rails["vdd_gpu"] = rails["vdd_cpu"] | {"covers": ["gpu0"]}
    return Board.model_validate(data)


BOARD = _board()


def _columns() -> Columns:
    """A log in which CPUs work first and the GPU later, all sensors in order."""
    rows = np.arange(float(ROWS))
    cpu, gpu = np.where(rows < 150, 1.0, 0.1), np.where(rows < 150, 0.0, 0.9)
    return {
        "t_s": rows,
        "temps_c.cpu": 40.0 + 5.0 * np.sin(rows / 40.0) + 0.01 * rows,
        "temps_c.skin": 35.0 + 4.0 * np.sin(rows / 50.0),
        "power_w.vdd_in": 1.0 + 2.0 * cpu + 2.6 * gpu,
        "power_w.vdd_cpu": 0.1 + 1.9 * cpu,
        "power_w.vdd_gpu": 0.1 + 2.4 * gpu,
        "freq_hz.little": np.full(ROWS, 0.5e9),
        "freq_hz.big": np.full(ROWS, 2.0e9),
        "freq_hz.gpu": np.full(ROWS, 0.8e9),
        "freq_hz.mem": np.full(ROWS, 1.6e9),
        "busy.big0": cpu,
        "busy.gpu0": gpu,
        **{f"busy.{unit}": np.zeros(ROWS) for unit in ("little0", "little1", "big1")},
        "memory_busy": np.zeros(ROWS),
        "fan": np.zeros(ROWS, dtype=np.int64),
    }


def _with(name: str, rows: slice, value: float) -> Callable[[Columns], Columns]:
    def spoil(columns: Columns) -> Columns:
        values = np.asarray(columns[name], dtype=np.float64).copy()
        values[rows] = value
        return columns | {name: values}

    return spoil


def _later(columns: Columns) -> Columns:
    return columns | {"t_s": columns["t_s"] + np.where(columns["t_s"] >= 100, 60.0, 0.0)}


def _warmer(columns: Columns) -> Columns:
    jump_k = np.where(columns["t_s"] >= 120, 12.0, 0.0)
    zones = {name: columns[name] + jump_k for name in ("temps_c.cpu", "temps_c.skin")}
    return columns | zones


def _exchanged(a: str, b: str) -> Callable[[Columns], Columns]:
    return lambda columns: columns | {a: columns[b], b: columns[a]}


def _findings(runs: tuple[Run, ...]) -> str:
    return " | ".join(f.message for run in runs for f in run.findings if f.kind == "data")


def test_a_clean_trace_is_one_run_without_findings() -> None:
    (run,) = check_run(BOARD, Trace(_columns()), name="clean")
    assert run.name == "clean"
    assert len(run.sha256) == 64
    assert not run.findings
    assert set(run.recorded.rails_w) == {"vdd_in", "vdd_cpu", "vdd_gpu"}


@pytest.mark.parametrize(
    ("spoil", "n_runs", "words"),
    [
        (_later, 2, "nothing for 61 s after 99 s (reading 100)"),
        (_warmer, 2, "every temperature jumps by more than 8 K at 120 s (reading 120)"),
        (_with("temps_c.cpu", slice(10, 30), np.nan), 1, "temps_c.cpu is missing in 20 of 300"),
        (_with("temps_c.cpu", slice(40, 41), 300.0), 1, "temps_c.cpu says 300 at 40 s"),
        (_with("temps_c.skin", slice(60, 200), 36.0), 1, "temps_c.skin is stuck at 36 from 60 to"),
        (_with("power_w.vdd_gpu", slice(90, 300), 0.1), 1, "power_w.vdd_gpu is stuck at 0.1 from"),
        (_with("power_w.vdd_in", slice(20, 40), 0.2), 1, "power_w.vdd_in is 0.2 W at 20 s, below"),
        (_with("busy.gpu0", slice(70, 80), np.nan), 1, "busy.gpu0 is missing in 10 of 300"),
    ],
)
def test_what_can_be_handled_is_handled_and_said(
    spoil: Callable[[Columns], Columns], n_runs: int, words: str
) -> None:
    runs = check_run(BOARD, Trace(spoil(_columns())))
    assert len(runs) == n_runs
    assert words in _findings(runs)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_with("busy.gpu0", slice(70, 200), np.nan), r"busy.gpu0 is missing in 130 .* at 70 s"),
        (_exchanged("power_w.vdd_in", "power_w.vdd_cpu"), r"power_w.vdd_in is .* at 0 s, below"),
        (_exchanged("power_w.vdd_gpu", "power_w.vdd_cpu"), r"follows the loads of .* swapped"),
    ],
)
def test_what_cannot_be_handled_is_refused(spoil: Callable[[Columns], Columns], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        check_run(BOARD, Trace(spoil(_columns())))


def test_what_is_not_to_be_believed_is_not_there() -> None:
    (run,) = check_run(BOARD, Trace(_with("temps_c.skin", slice(60, 200), 36.0)(_columns())))
    skin_c = run.recorded.zones_c["skin"]
    assert np.isnan(skin_c[60:200]).all()
    assert not np.isnan(skin_c[:60]).any()


def test_a_clock_that_goes_back_splits_a_file_in_every_format(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = _columns()
    columns["t_s"] = np.where(columns["t_s"] >= 140, columns["t_s"] - 140.0, columns["t_s"])
    pq.write_table(pa.table(columns), tmp_path / "log.parquet")
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    for name in ("log.parquet", "log.csv"):
        runs = read_runs(BOARD, tmp_path / name)
        assert [run.name for run in runs] == ["log-1", "log-2"]
        assert [len(run.recorded.t_s) for run in runs] == [140, 160]
        assert "the clock goes back from 139 to 0 s (reading 140)" in _findings(runs)


def test_sessions_too_short_to_fit_are_left_out_or_refused() -> None:
    columns = _columns()
    columns["t_s"] = columns["t_s"] + np.where(np.arange(ROWS) >= 290, 100.0, 0.0)
    (run,) = check_run(BOARD, Trace(columns))
    assert len(run.recorded.t_s) == 290
    assert "has 10 readings: left out" in _findings((run,))
    with pytest.raises(ValueError, match="no session of run has 20 readings; the longest has 10"):
        check_run(BOARD, Trace({name: values[:10] for name, values in columns.items()}))


def test_what_the_log_lacks_is_said() -> None:
    columns = {name: v for name, v in _columns().items() if name not in ("fan", "freq_hz.mem")}
    (run,) = check_run(BOARD, Trace(columns))
    said = [f.message for f in run.findings if f.kind == "unmeasured input"]
    assert any("fan not in the log" in words for words in said)
    assert any("clocks not in the log" in words for words in said)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "expected a column of time"),
        ("a,b\n1,2\n", "the header is 'a,b'"),
        ("time,watts\n0,5\n", "holds 1 readings"),
        ("time,watts\n0,5\n1,x\n", "line 3: watts is 'x'; expected a number"),
        ("time,watts\n0,5\n1\n", "line 3: watts is 'missing'"),
        ("time,watts\n0,5\n2,5\n1,5\n", "reading 3: time goes from 2 to 1 s"),
        ("time,watts\n0,5\n1,-2\n", "-2.0 W at 1.0 s; expected watts from 0 up"),
    ],
)
def test_a_meters_log_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "meter.csv"
    path.write_text(text)
    with pytest.raises(ValueError) as caught:
        read_meter(path)
    assert words in str(caught.value)


def test_a_meter_may_count_milliwatts(tmp_path: Path) -> None:
    path = tmp_path / "meter.csv"
    path.write_text("Timestamp, mW\n10,5000\n11,5250\n\n12,5500\n")
    meter = read_meter(path)
    assert meter.power_w.tolist() == [5.0, 5.25, 5.5]
    assert meter.t_s.tolist() == [10.0, 11.0, 12.0]
    assert meter.resolution_w == 0.25
