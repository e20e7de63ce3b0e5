"""What happened in a run is told from its readings alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgetwin.report.happenings import Event, events, lives, placements, switched_on
from edgetwin.report.kept import read_kept
from edgetwin.report.perfetto import trace_events, write_perfetto
from edgetwin.report.run_sections import run_sections, validity
from edgetwin.report.sections import Gantt, KeyValue, SeriesChart, Table
from hw_models import JobReading, Reading, Trace, load_board

JOB = JobReading(unit="cpu0", progress=None, rate=2e9, target=1e9, l2d_per_s=None, batch=None)
READING = Reading(
    t_s=0.0,
    temps_c={"soc": 40.0},
    power_w={"vdd_in": 3.0},
    energy_j=0.0,
    freq_hz={"cpu": 1e9},
    busy={"cpu0": 1.0},
    fan=0,
    throttled=False,
    cap_w=None,
    jobs={},
)


def trace(*changes: dict[str, object]) -> Trace:
    """One reading a second, each as the one before it but for what is named."""
    readings, last = [], READING
    for t_s, change in enumerate(changes):
        last = replace(last, t_s=float(t_s), **change)
        readings.append(last)
    return Trace.from_readings(readings, {"board": "jetson-tx2"})


MOVED = replace(JOB, unit="cpu1")
SLOW = replace(JOB, rate=0.5e9)
# opt-1.3b-1 is an id with a dot; it starts at 1 s, moves at 3 s, is gone at 5 s.
RUN = trace(
    {},
    {"jobs": {"opt-1.3b-1": JOB}},
    {"jobs": {"opt-1.3b-1": SLOW}},
    {"jobs": {"opt-1.3b-1": MOVED}, "throttled": True, "cap_w": 5.0},
    {"cap_w": 4.0},
    {"jobs": {}, "throttled": False, "cap_w": None, "fan": 2},
    {},
)


def test_stretches_of_a_job_end_where_it_moves_or_leaves() -> None:
    found = [(one.row, one.label, one.start_s, one.end_s) for one in placements(RUN)]
    assert found == [("cpu0", "opt-1.3b-1", 1.0, 3.0), ("cpu1", "opt-1.3b-1", 3.0, 5.0)]


def test_throttling_is_a_row_of_its_own() -> None:
    assert [(one.start_s, one.end_s) for one in switched_on(RUN)] == [(3.0, 5.0)]


def test_events_are_in_order_of_time() -> None:
    assert events(RUN) == [
        Event(t_s=1.0, what="start", detail="opt-1.3b-1 on cpu0"),
        Event(t_s=3.0, what="cap", detail="5 W"),
        Event(t_s=3.0, what="migration", detail="opt-1.3b-1: cpu0 to cpu1"),
        Event(t_s=3.0, what="throttling begins", detail=""),
        Event(t_s=4.0, what="cap", detail="4 W"),
        Event(t_s=5.0, what="cap", detail="lifted"),
        Event(t_s=5.0, what="end", detail="opt-1.3b-1"),
        Event(t_s=5.0, what="fan", detail="level 2"),
        Event(t_s=5.0, what="throttling ends", detail=""),
    ]


def test_a_life_weighs_rates_by_time() -> None:
    (life,) = lives(RUN)
    # 1 s at 2e9, 1 s at 0.5e9, 1 s at 2e9; the reading at 4 s is the last and holds no time.
    assert life.rate == pytest.approx(1.5e9)
    assert life.below_share == pytest.approx(1 / 3)
    assert (life.start_s, life.end_s, life.migrations) == (1.0, 4.0, 1)
    assert life.units == ("cpu0", "cpu1")


def test_a_run_shows_every_panel() -> None:
    sections = run_sections(load_board("jetson-tx2"), RUN, "x: ")
    assert [section.title.removeprefix("x: ") for section in sections] == [
        "temperature", "power", "clocks", "load of the units", "placement",
        "quality of service", "jobs", "events", "calibration and validity",
    ]  # fmt: skip
    power = next(s for s in sections if isinstance(s, SeriesChart) and "power" in s.title)
    assert [one.name for one in power.series] == ["vdd_in", "cap"]  # a cap that changes is a line
    gantt = next(s for s in sections if isinstance(s, Gantt))
    assert {one.row for one in gantt.intervals} == {"cpu0", "cpu1", "throttled by heat"}


def test_a_cap_that_holds_is_a_level() -> None:
    capped = trace({"cap_w": 7.0}, {}, {})
    power = run_sections(None, capped)[1]
    assert isinstance(power, SeriesChart) and [one.value for one in power.levels] == [7.0]


def test_a_run_without_jobs_or_board_has_no_empty_sections() -> None:
    titles = [section.title for section in run_sections(None, trace({}, {}))]
    assert titles == ["temperature", "power", "clocks", "load of the units"]


def test_events_beyond_the_most_are_counted() -> None:
    flicker = trace(*({"cap_w": float(i % 2 + 1)} for i in range(700)))
    table = run_sections(None, flicker)[-1]
    assert isinstance(table, Table) and len(table.rows) == 500
    assert "200 more" in table.caption


def test_validity_counts_readings_outside_the_certified_envelope() -> None:
    board = load_board("jetson-tx2")
    assert board.certificate is not None
    zone, (low, high) = next(iter(board.certificate.envelope.temps_c.items()))
    inside = trace(*({"temps_c": {zone: t}, "power_w": None, "freq_hz": {}} for t in
                     (low, high, high + 1, high + 2)))  # fmt: skip
    facts = validity(board, inside)
    assert isinstance(facts, KeyValue)
    assert facts.items["readings inside the envelope (%)"] == 50.0
    assert facts.items["outside"] == f"temps_c.{zone} 50%"


def test_validity_without_a_certificate_says_so() -> None:
    items = validity(load_board("jetson-nano"), RUN).items
    assert "none" in str(items["certificate"]) and "thermal D" in str(items["by section"])


# ---- other tools


def test_perfetto_has_a_track_per_unit_and_counters_with_units(tmp_path: Path) -> None:
    found = trace_events(RUN, "run")
    tracks = {e["args"]["name"]: e["tid"] for e in found["traceEvents"] if
              e["name"] == "thread_name"}  # fmt: skip
    assert set(tracks) == {"cpu0", "cpu1", "throttled by heat"}
    slices = [e for e in found["traceEvents"] if e["ph"] == "X" and e["name"] == "opt-1.3b-1"]
    assert [(e["tid"], e["ts"], e["dur"]) for e in slices] == [
        (tracks["cpu0"], 1e6, 2e6), (tracks["cpu1"], 3e6, 2e6),
    ]  # fmt: skip
    counters = {e["name"] for e in found["traceEvents"] if e["ph"] == "C"}
    assert {"temps_c.soc [degC]", "power_w.vdd_in [W]", "freq_hz.cpu [Hz]", "busy.cpu0"} <= counters
    caps = [e["args"]["value"] for e in found["traceEvents"] if e["name"] == "cap_w [W]"]
    assert caps == [5.0, 4.0]
    write_perfetto(RUN, tmp_path / "run.json")
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail)["displayTimeUnit"] == "ms"


def test_perfetto_times_rise_and_every_event_is_of_a_known_phase() -> None:
    timed = [e for e in trace_events(RUN)["traceEvents"] if e["ph"] != "M"]
    assert [e["ts"] for e in timed] == sorted(e["ts"] for e in timed)
    assert {e["ph"] for e in timed} <= {"X", "C", "i", "b", "e"}


def test_jobs_that_share_a_unit_become_async_slices() -> None:
    shared = trace({"jobs": {"a": JOB, "b": JOB}}, {}, {"jobs": {"b": JOB}}, {})
    found = [e for e in trace_events(shared)["traceEvents"] if e["ph"] in "be"]
    assert len(found) == 4 and len({e["id"] for e in found}) == 2


def test_pandas_gets_units_and_meta() -> None:
    pandas = pytest.importorskip("pandas", reason="to_pandas needs pandas")
    frame = RUN.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.attrs["units"]["temps_c.soc"] == "degC"
    assert frame.attrs["meta"] == {"board": "jetson-tx2"}
    assert np.array_equal(frame["t_s"].to_numpy(), RUN.columns["t_s"])
    frame.loc[0, "t_s"] = -1.0  # a copy: the trace never changes
    assert RUN.columns["t_s"][0] == 0.0


def test_parquet_says_the_unit_of_every_column(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    RUN.to_parquet(tmp_path / "t.parquet")
    units = {f.name: f.metadata[b"unit"] for f in pq.read_schema(tmp_path / "t.parquet")}
    assert (units["energy_j"], units["freq_hz.cpu"]) == (b"J", b"Hz")


# ---- kept runs


def test_a_kept_run_lists_its_traces_by_policy_and_seed(tmp_path: Path) -> None:
    for policy, seed in (("mine%3Amake", 10), ("mine%3Amake", 2), ("ondemand", 0)):
        file = tmp_path / policy / str(seed) / "trace.parquet"
        file.parent.mkdir(parents=True)
        RUN.to_parquet(file)
    kept = read_kept(tmp_path)
    assert list(kept.traces) == ["mine:make, seed 2", "mine:make, seed 10", "ondemand, seed 0"]
    assert kept.read()[1] == RUN
    with pytest.raises(KeyError, match="it has mine:make, seed 2"):
        kept.read("other")


@pytest.mark.parametrize("make", [lambda p: p / "missing", lambda p: p])
def test_what_is_no_run_is_refused_in_one_line(tmp_path: Path, make) -> None:
    with pytest.raises(FileNotFoundError, match="give a folder of --out"):
        read_kept(make(tmp_path))
