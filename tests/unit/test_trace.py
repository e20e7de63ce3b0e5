"""Readings and columns are two forms of one trace, and a file loses none of it."""

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hw_models.trace import JobReading, Reading, Trace, read_trace, require_finite


def _job(**changes: Any) -> JobReading:
    fields = {"unit": "a73", "progress": 0.25, "rate": 1.5e9, "target": 1e9, "l2d_per_s": 2e7}
    return JobReading(**{**fields, "batch": None, **changes})


def _reading(t_s: float, **changes: Any) -> Reading:
    fields: dict[str, Any] = {
        "temps_c": {"gpu": 41.5, "cpu": None},
        "power_w": {"vdd_in": 5.158},
        "energy_j": 12.5,
        "freq_hz": {"gpu": 114.75e6},
        "busy": {"gpu": 0.5},
        "fan": 2,
        "throttled": False,
        "cap_w": None,
        "jobs": {},
    }
    return Reading(t_s=t_s, **{**fields, **changes})


READINGS = [
    _reading(0.0),
    _reading(0.1, throttled=True, cap_w=7.5, jobs={"app-1": _job()}),
    _reading(0.3, jobs={"app-1": _job(unit=None, progress=None), "net": _job(batch=32)}),
]
TRACE = Trace.from_readings(READINGS, {"board": "jetson-tx2"})


def _columns(**changes: Any) -> dict[str, Any]:
    return {"t_s": [0.0, 1.0, 2.0], **{name.replace("__", "."): v for name, v in changes.items()}}


def test_readings_become_columns_by_name() -> None:
    columns = TRACE.columns
    assert columns["t_s"].tolist() == [0.0, 0.1, 0.3]
    assert columns["temps_c.gpu"].tolist() == [41.5] * 3
    assert np.isnan(columns["temps_c.cpu"]).all()
    assert columns["power_w.vdd_in"].tolist() == [5.158] * 3
    assert columns["throttled"].tolist() == [False, True, False]
    assert columns["fan"].dtype == np.int64
    assert columns["jobs.app-1.unit"].tolist() == [None, "a73", None]
    np.testing.assert_array_equal(columns["cap_w"], [np.nan, 7.5, np.nan])
    np.testing.assert_array_equal(columns["jobs.net.batch"], [np.nan, np.nan, 32.0])


def test_columns_become_the_readings_they_were_made_from() -> None:
    again = Trace(TRACE.columns, TRACE.meta)
    assert list(again) == READINGS
    assert type(again[0].fan) is int
    assert type(again[2].jobs["net"].batch) is int
    assert type(again[1].throttled) is bool


def test_a_trace_of_readings_hands_out_those_very_readings() -> None:
    assert all(TRACE[i] is reading for i, reading in enumerate(READINGS))
    assert TRACE.last is READINGS[-1]
    assert TRACE[-3] is READINGS[0]


def test_a_board_without_a_power_sensor_has_no_power_columns() -> None:
    trace = Trace.from_readings([_reading(0.0, power_w=None)])
    assert not any(name.startswith("power_w") for name in trace.columns)
    assert Trace(trace.columns)[0].power_w is None


def test_a_rail_that_drops_out_reads_none_while_the_others_go_on() -> None:
    rows = [_reading(0.0, power_w={"a": 1.0, "b": 2.0}), _reading(1.0, power_w={"a": 1.5})]
    again = Trace(Trace.from_readings(rows).columns)
    assert again[1].power_w == {"a": 1.5, "b": None}


def test_a_job_that_waits_is_there_and_one_that_left_is_not() -> None:
    jobs = [reading.jobs for reading in Trace(TRACE.columns)]
    assert [list(row) for row in jobs] == [[], ["app-1"], ["app-1", "net"]]
    assert jobs[2]["app-1"].unit is None


def test_a_fan_that_is_not_always_read_keeps_whole_levels() -> None:
    trace = Trace.from_readings([_reading(0.0, fan=None), _reading(1.0, fan=3)])
    assert [reading.fan for reading in Trace(trace.columns)] == [None, 3]


def test_nobody_can_write_to_a_trace() -> None:
    given = np.arange(3.0)
    trace = Trace({"t_s": given}, {"board": "x"})
    given[0] = -1.0
    assert trace.columns["t_s"][0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        trace.columns["t_s"][0] = 9.0
    with pytest.raises(TypeError):
        trace.columns["busy.gpu"] = given  # type: ignore[index]
    with pytest.raises(TypeError):
        trace.meta["board"] = "y"  # type: ignore[index]
    with pytest.raises(AttributeError):
        trace.meta = {}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"busy.gpu": [1.0]}, "needs a column t_s; given: busy.gpu"),
        ({}, "needs a column t_s; given: no column"),
        ({"t_s": [0.0, np.nan, 2.0]}, "t_s in row 1 is nan"),
        ({"t_s": [0.0, np.inf]}, "t_s in row 1 is inf"),
        ({"t_s": [0.0, 2.0, 1.0]}, "t_s in row 2 is 1.0, after 2.0"),
        ({"t_s": [0.0, 1.0, 1.0]}, "t_s in row 2 is 1.0, after 1.0"),
        (_columns(busy__gpu=[0.5]), "busy.gpu has 1 rows, t_s has 3"),
        (_columns(volts=[1, 1, 1]), "no trace has a column 'volts'"),
        (_columns(busy__=[1, 1, 1]), "no trace has a column 'busy.'"),
        (_columns(jobs__unit=["x"] * 3), "no trace has a column 'jobs.unit'"),
        (_columns(jobs__a__colour=["x"] * 3), "no trace has a column 'jobs.a.colour'"),
        (_columns(busy__gpu=["a", "b", "c"]), "busy.gpu holds string values; expected float"),
        (_columns(throttled=[0.0, 1.0, 0.0]), "throttled holds float values; expected bool"),
        (_columns(fan=[1.0, 2.5, np.nan]), "fan, row 1: 2.5 is not a whole number"),
        (_columns(extra__x=[1j, 2j, 3j]), "extra.x holds complex128"),
        (_columns(extra__x=["a", 3, None]), "extra.x, row 1: 3 is neither a string nor None"),
        (_columns(busy__gpu=[[1.0]] * 3), r"busy.gpu has shape \(3, 1\)"),
    ],
)
def test_columns_that_are_no_trace_are_refused(columns: dict[str, Any], message: str) -> None:
    if "extra.x" in columns and "a" in columns["extra.x"]:
        columns["extra.x"] = np.array(columns["extra.x"], dtype=object)
    with pytest.raises(ValueError, match=message) as error:
        Trace(columns)
    assert "\n" not in str(error.value)


def test_a_job_id_may_hold_dots() -> None:
    reading = _reading(0.0, jobs={"opt-1.3b-1": _job()})
    columns = Trace.from_readings([reading]).columns
    assert "jobs.opt-1.3b-1.unit" in columns
    assert Trace(columns)[0] == reading


def test_traces_that_follow_one_another_are_one() -> None:
    parts = [TRACE.select(slice(0, 1)), Trace(TRACE.select(slice(1, None)).columns, TRACE.meta)]
    joined = Trace.concat(parts)
    assert list(joined) == READINGS
    assert joined.meta == {"board": "jetson-tx2"}
    assert list(Trace.concat([TRACE.select(slice(0, 1)), TRACE.select(slice(1, 3))])) == READINGS
    assert len(Trace.concat([])) == 0


def test_what_one_part_lacks_is_missing_there() -> None:
    parts = [
        Trace({"t_s": [0.0], "throttled": [True], "extra.note": np.array(["x"], dtype=object)}),
        Trace({"t_s": [1.0], "temps_c.gpu": [40.0]}),
    ]
    joined = Trace.concat(parts)
    assert joined[0].temps_c == {"gpu": None}
    assert joined.columns["extra.note"].tolist() == ["x", None]
    assert joined.columns["throttled"].tolist() == [True, False]


def test_traces_out_of_order_do_not_join() -> None:
    with pytest.raises(ValueError, match="t_s in row 3"):
        Trace.concat([TRACE, TRACE]).columns  # noqa: B018


def test_rows_are_selected_by_mask_or_slice() -> None:
    assert list(TRACE.select(np.array([True, False, True]))) == [READINGS[0], READINGS[2]]
    assert list(Trace(TRACE.columns).select(slice(1, None))) == READINGS[1:]


def test_a_trace_has_length_duration_and_a_last_reading() -> None:
    assert len(TRACE) == 3
    assert TRACE.duration_s == 0.3
    assert Trace.from_readings([]).duration_s == 0.0
    with pytest.raises(IndexError, match="trace of 0 readings"):
        Trace.from_readings([]).last  # noqa: B018
    with pytest.raises(IndexError, match="no reading 3"):
        TRACE[3]


def test_traces_are_equal_when_every_value_and_the_meta_are() -> None:
    assert Trace(TRACE.columns, TRACE.meta) == TRACE
    assert Trace(TRACE.columns) != TRACE
    warmer = {**TRACE.columns, "temps_c.gpu": np.array([41.5, 41.5, 41.500000000000007])}
    assert Trace(warmer, TRACE.meta) != TRACE


def test_a_trace_travels_between_processes() -> None:
    assert pickle.loads(pickle.dumps(TRACE)) == TRACE
    columnar = Trace(TRACE.columns, TRACE.meta)
    assert pickle.loads(pickle.dumps(columnar)) == TRACE


@pytest.mark.parametrize("name", ["trace.parquet", "trace.csv", "trace"])
@pytest.mark.parametrize("write", [Trace.to_parquet, Trace.to_csv])
def test_a_file_holds_the_trace_whatever_its_name(
    tmp_path: Path, write: Callable[[Trace, Path], None], name: str
) -> None:
    write(TRACE, tmp_path / name)
    again = read_trace(tmp_path / name)
    assert again == TRACE
    assert list(again) == READINGS
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_every_parquet_field_names_its_unit(tmp_path: Path) -> None:
    TRACE.to_parquet(tmp_path / "t.parquet")
    schema = pq.read_schema(tmp_path / "t.parquet")
    units = {name: schema.field(name).metadata[b"unit"].decode() for name in schema.names}
    assert units["t_s"] == "s"
    assert units["temps_c.gpu"] == "degC"
    assert units["power_w.vdd_in"] == units["cap_w"] == "W"
    assert units["freq_hz.gpu"] == "Hz"
    assert units["energy_j"] == "J"
    assert units["jobs.net.rate"] == "1/s"
    assert json.loads(schema.metadata[b"edgetwin_meta"]) == {"board": "jetson-tx2"}
    assert schema.metadata[b"edgetwin_trace"] == b"1"


def test_a_csv_begins_with_one_line_about_itself(tmp_path: Path) -> None:
    trace = Trace({"t_s": [0.5], "extra.ram_used_bytes": [7]}, {"source": "a\nb"})
    trace.to_csv(tmp_path / "t.csv")
    first, header, row = (tmp_path / "t.csv").read_text().splitlines()
    about = json.loads(first.removeprefix("# "))
    assert about["edgetwin_meta"] == {"source": "a\nb"}
    assert about["units"] == {"t_s": "s", "extra.ram_used_bytes": "B"}
    assert (header, row) == ("t_s,extra.ram_used_bytes", "0.5,7")


def test_a_table_made_by_hand_is_read_without_that_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "t_s,temps_c.gpu,fan,throttled,extra.note,extra.n,extra.x\n"
        "0,40.5,1,true,7b,1,1\n1,,2,false,,2,2.5\n"
    )
    trace = read_trace(tmp_path / "t.csv")
    assert trace[1].temps_c == {"gpu": None}
    assert [reading.fan for reading in trace] == [1, 2]
    assert trace[0].throttled
    assert trace.columns["extra.note"].tolist() == ["7b", None]
    assert trace.columns["extra.n"].dtype == np.int64
    assert trace.columns["extra.x"].tolist() == [1.0, 2.5]


def test_parquet_of_other_writers_is_read(tmp_path: Path) -> None:
    table = pa.table(
        {
            "t_s": pa.array([0, 1], pa.int32()),
            "temps_c.gpu": pa.array([40.5, None], pa.float32()),
            "fan": pa.array([3, None], pa.int8()),
            "jobs.a.unit": pa.array(["gpu", None]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    trace = read_trace(tmp_path / "t.parquet")
    assert [reading.temps_c["gpu"] for reading in trace] == [40.5, None]
    assert [reading.fan for reading in trace] == [3, None]
    assert trace[0].jobs["a"].unit == "gpu"
    assert trace[1].jobs == {}


def _parquet_bytes(tmp_path: Path) -> bytes:
    TRACE.to_parquet(tmp_path / "whole.parquet")
    return (tmp_path / "whole.parquet").read_bytes()


def _csv_bytes(tmp_path: Path) -> bytes:
    TRACE.to_csv(tmp_path / "whole.csv")
    return (tmp_path / "whole.csv").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda _: b"", "file is empty; expected a trace"),
        (lambda path: _parquet_bytes(path)[:-200], "truncated or damaged Parquet"),
        (lambda path: _parquet_bytes(path)[:6], "truncated or damaged Parquet"),
        (lambda path: _csv_bytes(path)[:-3], "it is truncated"),
        (lambda path: _csv_bytes(path)[:-40], "cells; expected"),
        (lambda path: _csv_bytes(path).rsplit(b"\n", 2)[0] + b"\n", "ends in row 2 of 3"),
        (lambda _: b"\xff\xfe\x00\x01", "neither Parquet nor text"),
        (lambda _: b"hello\n", "no column t_s"),
        (lambda _: b"# hello\nt_s\n0\n", "no JSON about a trace"),
        (lambda _: b"# 3\nt_s\n0\n", "no JSON about a trace"),
        (lambda _: b'# {"edgetwin_trace": 9}\nt_s\n0\n', "trace has format 9"),
        (lambda _: b"t_s,t_s\n0,1\n", "two columns 't_s'"),
        (lambda _: b"t_s,busy.gpu\n0,1\n1\n", "row 1 has 1 cells; expected 2"),
        (lambda _: b"t_s,busy.gpu\n0,1\n1,fast\n", "column busy.gpu, row 1: 'fast' is no float"),
        (lambda _: b"t_s,throttled\n0,maybe\n", "column throttled, row 0: 'maybe' is no bool"),
        (lambda _: b"t_s\n1\n1\n", "t_s in row 1 is 1.0"),
        (lambda _: b't_s,extra.x\n0,"a\n', "damaged CSV"),
        (lambda _: b"t_s,volts\n0,1\n", "no trace has a column 'volts'"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    tmp_path: Path, content: Callable[[Path], bytes], message: str
) -> None:
    (tmp_path / "broken").write_bytes(content(tmp_path))
    with pytest.raises(ValueError, match=message) as error:
        read_trace(tmp_path / "broken")
    assert "\n" not in str(error.value)
    assert "broken" in str(error.value)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    TRACE.to_parquet(tmp_path / "t.parquet")

    def half(_table: object, path: Path, **_options: object) -> None:
        path.write_bytes(b"PAR1")
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", half)
    with pytest.raises(OSError, match="disk full"):
        TRACE.select(slice(0, 1)).to_parquet(tmp_path / "t.parquet")
    assert read_trace(tmp_path / "t.parquet") == TRACE
    assert len(list(tmp_path.iterdir())) == 1


def test_an_input_with_gaps_is_refused_by_column_and_row() -> None:
    require_finite(TRACE, ["temps_c.gpu", "fan", "throttled"])
    with pytest.raises(ValueError, match=r"cap_w in row 0 is nan; expected a number"):
        require_finite(TRACE, ["temps_c.gpu", "cap_w"])
    with pytest.raises(ValueError, match=r"jobs.net.unit holds strings"):
        require_finite(TRACE, ["jobs.net.unit"])
    with pytest.raises(KeyError, match=r"Did you mean 'temps_c.gpu'"):
        require_finite(TRACE, ["temps_c.gpi"])


def test_to_pandas_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        TRACE.to_pandas()


def test_the_record_format_needs_no_pyarrow_until_a_file_is_touched() -> None:
    code = "import sys, hw_models.tegrastats; print('pyarrow' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
