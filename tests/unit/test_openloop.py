"""The physics of a board driven by a recording: against the simulator and against hand sums."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_board import application, program, tiny_board, trip

from edgetwin.scenario import Scenario
from edgetwin.simulator import Simulator
from hw_models.board import Board, Knobs, load_board
from hw_models.openloop import drive, starting_temps_c
from hw_models.parameters import with_values
from hw_models.power import powers_w
from hw_models.recorded import recorded
from hw_models.thermal import Network, leakage_law
from hw_models.trace import Trace, read_trace
from hw_models.validation import compare

EXACT_SKIN = {
    "sensors.zones.skin.resolution_k": 0.0,
    "sensors.zones.skin.noise_k": 0.0,
    "sensors.zones.skin.period_s": 0.05,
    "sensors.rails.vdd_cpu.resolution_w": 0.0,
    "sensors.rails.vdd_cpu.noise": 0.0,
    "sensors.rails.vdd_cpu.period_s": 0.05,
}


def log(rows: int = 4, **columns: Any) -> Trace:
    """A log of the tiny board at rest, one reading a second; `__` in a name stands for a dot."""
    base = {
        "temps_c.cpu": 30.0,
        "temps_c.skin": 30.0,
        "power_w.vdd_in": 1.0,
        "freq_hz.little": 0.5e9,
        "freq_hz.big": 0.5e9,
        "freq_hz.gpu": 0.2e9,
        "freq_hz.mem": 0.8e9,
        "busy.big0": 0.0,
    }
    named = base | {name.replace("__", "."): value for name, value in columns.items()}
    kept = {name: value for name, value in named.items() if value is not None}
    filled = {name: np.broadcast_to(value, rows).copy() for name, value in kept.items()}
    return Trace({"t_s": np.arange(float(rows)), **filled})


def simulated(board: Board) -> Trace:
    """Ninety seconds of CPU work that neither stalls nor moves data, under changing clocks."""
    sim = Simulator(board, seed=4)
    traces = [Trace.from_readings([sim.reset()])]
    steps = [
        (Knobs(freq_hz={"big": 2.0e9}), "big0"),
        (Knobs(freq_hz={"big": 0.5e9, "little": 0.5e9}), "big1"),
        (Knobs(fan=1), "little0"),
        (Knobs(freq_hz={"big": 1.5e9, "mem": 0.8e9}), None),
        (Knobs(fan=2, freq_hz={"gpu": 0.2e9}), None),
        (Knobs(freq_hz={"little": 1.5e9}), "little1"),
    ]
    for knobs, unit in steps:
        sim.apply(knobs)
        if unit:
            sim.submit(application(program(activity=1.0)), unit)
        traces += [sim.advance(0.5) for _ in range(30)]
    return Trace.concat(traces)


def test_a_recording_of_the_twin_is_reproduced_by_the_twin() -> None:
    board = tiny_board(EXACT_SKIN)
    trace = simulated(board)
    predicted = drive(board, trace).columns
    for zone in board.sensors.zones:
        name = f"temps_c.{zone}"
        assert np.ptp(trace.columns[name]) > 5.0
        assert np.abs(predicted[name] - trace.columns[name]).max() < 1e-3
    for rail in board.sensors.rails:
        name = f"power_w.{rail}"
        assert np.abs(predicted[name][1:] / trace.columns[name][1:] - 1.0).max() < 1e-3
    used_j = trace.columns["energy_j"][-1]
    assert predicted["energy_j"][-1] == pytest.approx(used_j, rel=1e-5)


def recording_of_a_jetson_twin(board: Board, path: Path, ambient_c: float = 25.0) -> Trace:
    """Three minutes at three clocks, read once a second, kept as a file and read again."""
    scenario = Scenario(name="air", title="air", duration_s=180.0, ambient=ambient_c)
    sim = Simulator(board, scenario=scenario, seed=1)
    traces = [Trace.from_readings([sim.reset()])]
    for hz in (345.6e6, 2035.2e6, 1113.6e6):
        sim.apply(Knobs(freq_hz={"a57": hz, "gpu": 114.75e6}))
        traces += [sim.advance(1.0) for _ in range(60)]
    Trace.concat(traces).to_parquet(path)
    return read_trace(path)


def test_a_recording_of_a_jetson_twin_is_as_close_as_its_sensors_are_fine(tmp_path: Path) -> None:
    """Every zone sits on the sink, which starts where its own sensor of 1 K says it is: over the
    fractions of a kelvin that this hides, errors are as small as the sensors are fine."""
    board = load_board("jetson-tx2")
    airs_c = (25.0, 25.25, 25.5, 25.75)
    found = [
        compare(
            board, [recording_of_a_jetson_twin(board, tmp_path / f"{i}.parquet", air_c)],
            ambient_c=air_c,
        ).signals
        for i, air_c in enumerate(airs_c)
    ]  # fmt: skip
    assert set(found[0]) == {
        *(f"power_w.{rail}" for rail in board.sensors.rails),
        *(f"temps_c.{zone}" for zone in board.sensors.zones),
    }

    def rmse(name: str) -> float:
        return float(np.sqrt(np.mean([signals[name].rmse ** 2 for signals in found])))

    for zone, sensor in board.sensors.zones.items():
        assert rmse(f"temps_c.{zone}") < sensor.resolution_k.value / 2 + 0.3
    for rail, probe in board.sensors.rails.items():
        assert rmse(f"power_w.{rail}") < probe.resolution_w.value / 2 + 0.02


def test_a_recording_by_fine_sensors_is_followed_to_their_noise(tmp_path: Path) -> None:
    board = load_board("jetson-tx2")
    fine = {
        f"sensors.zones.{zone}.{what}": value
        for zone in board.sensors.zones
        for what, value in (("resolution_k", 1e-3), ("noise_k", 1e-3))
    }
    board = with_values(board, fine)
    signals = compare(board, [recording_of_a_jetson_twin(board, tmp_path / "t.parquet")]).signals
    for zone in board.sensors.zones:
        assert signals[f"temps_c.{zone}"].rmse < 0.01


def test_rows_without_a_change_between_them_may_be_left_out() -> None:
    board = tiny_board()
    many = log(121, busy__big0=0.9, freq_hz__big=2e9)
    few = many.select(np.isin(np.arange(121), [0, 60, 120]))
    close, coarse = drive(board, many).columns, drive(board, few).columns
    for name in ("temps_c.cpu", "temps_c.skin", "energy_j"):
        assert coarse[name] == pytest.approx(close[name][[0, 60, 120]], rel=1e-5)
    assert coarse["temps_c.cpu"][-1] > coarse["temps_c.cpu"][0] + 5.0


def test_power_is_the_sum_of_its_parts() -> None:
    board = tiny_board(leakage=False)
    at_rest, loaded = (
        drive(board, log(2, busy__big0=busy, freq_hz__big=2e9)).columns["power_w.vdd_in"][0]
        for busy in (0.0, 0.5)
    )
    assert loaded - at_rest == pytest.approx((4e-10 + 1e-10) * 0.5 * 1.0**2 * 2e9)


def test_memory_traffic_follows_the_logged_load() -> None:
    board = tiny_board(leakage=False)
    idle, half = (
        drive(board, log(2, memory_busy=share)).columns["power_w.vdd_in"][0] for share in (0.0, 0.5)
    )
    assert half - idle == pytest.approx(0.5 * 4.0 * 0.8e9 * 5e-11)


def test_a_busy_accelerator_moves_what_it_can_where_memory_load_is_not_logged() -> None:
    board = tiny_board({"performance.accelerators.gpu-core.bytes_per_cycle": 3.0})
    seen = recorded(board, log(2, busy__gpu0=0.5))
    assert seen.traffic == pytest.approx(0.5 * 3.0 * 0.8e9)
    assert any("memory load not in the log" in note for note in seen.notes)


def test_the_start_is_the_steady_state_where_that_was_measured() -> None:
    board = tiny_board(EXACT_SKIN)
    level = np.zeros(4, dtype=np.int64)
    power_w, gain_w = powers_w(board, level=level, busy=np.zeros(5))
    steady_c = Network.of(board).steady(power_w, 25.0, gain_w, leakage_law(board))
    at = dict(zip(board.thermal.nodes, steady_c, strict=True))
    trace = log(2, temps_c__cpu=at["big"], temps_c__skin=at["base"] + 2.0, memory_busy=0.0)
    seen = recorded(board, trace)
    assert starting_temps_c(board, seen, 25.0) == pytest.approx(steady_c, abs=1e-6)


def test_measured_zones_start_where_they_were_measured() -> None:
    board = tiny_board()
    predicted = drive(board, log(3, temps_c__cpu=71.0, temps_c__skin=40.5)).columns
    assert predicted["temps_c.cpu"][0] == pytest.approx(71.0)
    assert predicted["temps_c.skin"][0] == pytest.approx(40.5)
    assert predicted["temps_c.cpu"][2] < 70.0


def test_a_warmer_room_makes_a_warmer_board() -> None:
    trace = log(600)
    cool, warm = (drive(tiny_board(), trace, ambient_c=c).columns for c in (20.0, 35.0))
    assert warm["temps_c.skin"][-1] > cool["temps_c.skin"][-1] + 10.0


@pytest.mark.parametrize("ambient_c", [float("nan"), -300.0, 1e9])
def test_an_impossible_ambient_is_refused(ambient_c: float) -> None:
    with pytest.raises(ValueError, match="ambient is"):
        drive(tiny_board(), log(), ambient_c=ambient_c)


def test_names_of_the_log_are_mapped_by_aliases_and_others_listed() -> None:
    aliases = {"zones": {"CPU-therm": "cpu"}, "domains": {"cpu2": "big"}, "units": {"cpu2": "big0"}}
    board = tiny_board({"aliases": aliases})
    trace = log(
        3, temps_c__cpu=None, freq_hz__big=None, busy__big0=None, freq_hz__cpu2=2e9, busy__cpu2=0.7,
        busy__dla=0.1, **{"temps_c.CPU-therm": 50.0, "temps_c.pmic": 100.0},
    )  # fmt: skip
    seen = recorded(board, trace)
    assert list(seen.zones_c) == ["cpu", "skin"]
    assert seen.zones_c["cpu"][0] == 50.0
    assert seen.level[0].tolist() == [0, 3, 0, 0]
    assert seen.busy[0].tolist() == [0.0, 0.0, 0.7, 0.0, 0.0]
    assert "not of this board, left out: temps_c.pmic" in seen.notes
    assert "not of this board, left out: busy.dla" in seen.notes


def test_a_mean_load_of_all_cores_is_so_many_full_cores() -> None:
    trace = log(2, freq_hz__little=None, freq_hz__big=None, busy__big0=None, **{"freq_hz.cpu": 1e9})
    seen = recorded(
        tiny_board(), Trace({**trace.columns, "busy.cpu": [0.25, 0.5], "busy.gpu0": [0.9, 0.9]})
    )
    assert seen.busy[0].tolist() == [1.0, 0.0, 0.0, 0.0, 0.9]
    assert seen.busy[1].tolist() == [1.0, 1.0, 0.0, 0.0, 0.9]
    assert "load of the cores known as a mean: taken as full cores, in board order" in seen.notes
    assert seen.level[1].tolist() == [1, 1, 0, 0]


def test_a_clock_near_its_operating_point_is_that_point() -> None:
    seen = recorded(tiny_board(), log(3, freq_hz__big=[1.02e9, 1.96e9, 2.05e9]))
    assert seen.level[:, 1].tolist() == [1, 3, 3]


def test_a_clock_off_the_table_is_refused_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"freq_hz\.big in row 2: 1200000000 Hz is off the table"):
        recorded(tiny_board(), log(4, freq_hz__big=[1e9, 1e9, 1.2e9, 1e9]))


def test_one_stray_clock_in_thousands_is_taken_as_the_nearest() -> None:
    hz = np.full(2000, 1e9)
    hz[7] = 2.4e9
    seen = recorded(tiny_board(), log(2000, freq_hz__big=hz))
    assert seen.level[7, 1] == 3
    assert any("freq_hz.big: 1 of 2000 off the table (row 7" in note for note in seen.notes)


@pytest.mark.parametrize("column", ["busy.big0", "freq_hz.gpu", "memory_busy", "fan"])
def test_a_gap_in_an_input_is_refused_with_column_and_row(column: str) -> None:
    values = [0.0, 0.0, np.nan, 0.0]
    with pytest.raises(ValueError, match=rf"{column} in row 2 is nan"):
        recorded(tiny_board(), log(4, **{column: values}))


def test_a_gap_in_a_measurement_counts_for_nothing() -> None:
    trace = log(4, **{"temps_c.cpu": [np.nan, 30.0, 31.0, np.nan]})
    comparison = compare(tiny_board(), [trace])
    assert comparison.signals["temps_c.cpu"].n == 2
    assert comparison.signals["temps_c.skin"].n == 4
    assert "temps_c.cpu: 2 of 4 readings are missing" in comparison.notes


@pytest.mark.parametrize("busy", [-0.1, 1.5, 99.0])
def test_a_load_that_is_no_share_is_refused(busy: float) -> None:
    with pytest.raises(ValueError, match=r"busy\.big0 in row 0 .* expected a share"):
        recorded(tiny_board(), log(busy__big0=busy))


def test_a_unit_without_a_clock_is_off() -> None:
    board = tiny_board()
    stopped = recorded(board, log(2, freq_hz__gpu=[0.0, 0.2e9]))
    assert stopped.online[:, 4].tolist() == [0, 1]
    off = drive(board, stopped).columns["power_w.vdd_in"]
    assert off[0] < off[1] - 0.005


def test_clocks_that_the_log_lacks_are_the_highest_of_the_default_mode() -> None:
    board = tiny_board({"modes.half.default": True})
    seen = recorded(board, log(2, freq_hz__big=None))
    assert seen.level[0].tolist() == [0, 1, 0, 0]
    assert "clocks not in the log, taken as the highest of power mode half: big 1000000000 Hz" in (
        seen.notes
    )


def test_a_log_faster_than_the_default_mode_ran_in_the_lowest_mode_that_allows_it() -> None:
    board = load_board("jetson-orin-nano")
    columns = {"t_s": [0.0], "temps_c.gpu": [50.0], "busy.gpu": [0.5], "freq_hz.cpu0": [1510e6]}
    seen = recorded(board, Trace(columns))
    clocks_hz = board.clocks["gpu"].freqs_hz.value
    assert clocks_hz[seen.level[0, list(board.clocks).index("gpu")]] == 612e6


def test_a_given_mode_switches_units_off() -> None:
    seen = recorded(tiny_board(), log(2), mode="half")
    assert seen.online[0].tolist() == [1, 1, 1, 0, 1]
    with pytest.raises(KeyError, match="no power mode"):
        recorded(tiny_board(), log(2), mode="hlaf")


def test_the_fan_follows_its_trips_at_the_logged_temperatures() -> None:
    trips = [trip("fan", 50.0, hysteresis_k=5.0, fan_level=1), trip("fan", 60.0, fan_level=2)]
    board = tiny_board({"limits.trips": trips})
    temps_c = [40.0, 52.0, 47.0, np.nan, 61.0, 56.0, 54.0, 44.0]
    seen = recorded(board, log(8, **{"temps_c.cpu": temps_c}))
    assert seen.fan.tolist() == [0, 1, 1, 1, 2, 2, 1, 0]


def test_a_logged_fan_is_taken_as_logged() -> None:
    assert recorded(tiny_board(), log(3, fan=[0, 2, 1])).fan.tolist() == [0, 2, 1]
    with pytest.raises(ValueError, match="fan in row 1 is 7; expected 0 to 2"):
        recorded(tiny_board(), log(3, fan=[0, 7, 1]))


def test_heat_is_kept_when_the_fan_changes() -> None:
    board = tiny_board({"power.baseline.rest.power_w": 0.0}, leakage=False)
    warm = drive(board, log(200, fan=[0] * 100 + [2] * 100, temps_c__cpu=60.0, temps_c__skin=60.0))
    skin_c = warm.columns["temps_c.skin"]
    fall_c = -np.diff(skin_c)
    assert fall_c.max() < 2.0
    assert fall_c[100] > 2.0 * fall_c[98]


def test_a_log_of_another_board_names_what_both_have() -> None:
    trace = Trace({"t_s": [0.0], "temps_c.soc9": [40.0], "busy.big0": [0.0]})
    with pytest.raises(ValueError, match=r"temps_c\.soc9; tiny has temps_c\.cpu, temps_c\.skin"):
        recorded(tiny_board(), trace)


def test_a_log_without_loads_drives_nothing() -> None:
    with pytest.raises(ValueError, match="nothing drives tiny"):
        recorded(tiny_board(), log(2, busy__big0=None))


def test_an_empty_trace_is_refused() -> None:
    with pytest.raises(ValueError, match="holds no reading"):
        recorded(tiny_board(), log(1).select(slice(0, 0)))


def test_sessions_are_driven_apart_and_their_errors_pooled() -> None:
    board, short, long = tiny_board(), log(3, temps_c__cpu=50.0), log(7, temps_c__cpu=70.0)
    both = compare(board, [short, long])
    apart = [compare(board, [trace]).signals["temps_c.cpu"] for trace in (short, long)]
    assert both.signals["temps_c.cpu"].n == 10
    mean_bias = (3 * apart[0].bias + 7 * apart[1].bias) / 10
    assert both.signals["temps_c.cpu"].bias == pytest.approx(mean_bias)
