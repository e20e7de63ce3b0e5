"""The four mistakes that event-driven models of boards make, each shut out by name."""

from collections.abc import Generator
from itertools import pairwise

import numpy as np
import pytest
import simpy
from by_hand import heat_of, load_of, warmed
from numpy.typing import NDArray
from tiny_board import application, program, tiny_board, trip

from edgetwin.scenario import Scenario
from edgetwin.simulator import Simulator
from hw_models.board import Knobs

TOP = {"little": 2, "big": 3, "gpu": 2, "mem": 1}


def start_temps_c(sim: Simulator) -> NDArray[np.float64]:
    return np.array(list(sim.node_temps_c().values()))


def test_heat_and_energy_settle_before_inputs_change() -> None:
    """Inputs change between control periods: what was before them is booked under the old ones."""
    board = tiny_board(leakage=False)
    scenario = Scenario(
        name="warmer-air", title="the air warms up", duration_s=10.0,
        ambient=((0.0, 25.0), (1.7321, 40.0)),
    )  # fmt: skip
    sim = Simulator(board, scenario=scenario)
    job = program()
    sim.submit(application(job), "big0")
    temps_c, energy_j = start_temps_c(sim), 0.0

    def expect(level: int, dt_s: float, ambient_c: float, fan: int) -> None:
        nonlocal temps_c, energy_j
        load = load_of(board, [(job, "big0")], TOP | {"big": level}, fan)
        heat = heat_of(board, load.watts)
        temps_c = warmed(board, temps_c, heat, dt_s, ambient_c=ambient_c, fan=fan)
        energy_j += load.total_w * dt_s

    sim.advance(1.0137)
    expect(3, 1.0137, 25.0, fan=0)
    sim.apply(Knobs(freq_hz={"big": 0.5e9}))
    sim.advance(1.7321 - 1.0137)
    expect(0, 1.7321 - 1.0137, 25.0, fan=0)
    sim.advance(0.7)
    expect(0, 0.7, 40.0, fan=0)
    sim.apply(Knobs(fan=2))
    reading = sim.advance(1.1).last
    expect(0, 1.1, 40.0, fan=2)
    assert start_temps_c(sim) == pytest.approx(temps_c, abs=1e-9)
    assert reading.energy_j == pytest.approx(energy_j, rel=1e-12)


@pytest.mark.parametrize(("first_hz", "then_hz"), [(2.0e9, 1.0e9), (1.0e9, 2.0e9)])
def test_clock_change_retimes_running_jobs(first_hz: float, then_hz: float) -> None:
    """Half the work at half the clock takes 1.5 times as long, whichever half comes first."""
    sim = Simulator(tiny_board())
    sim.submit(application(program(cycles=1.0), instructions=2.0e9), "big0")
    sim.apply(Knobs(freq_hz={"big": first_hz}))
    sim.advance(1.0e9 / first_hz)
    sim.apply(Knobs(freq_hz={"big": then_hz}))
    sim.advance(5.0)
    (result,) = sim.results()
    assert result.end_s == pytest.approx(1.5, abs=1.5e-9)
    assert result.work == pytest.approx(2.0e9, rel=1e-12)


def test_a_throttled_clock_retimes_running_jobs() -> None:
    """A clock that the board itself changes in mid-flight moves the end of the job, too."""
    hot = tiny_board({"limits.trips": [trip("throttle", 30.0, domains=("big",))]})
    sim = Simulator(hot)
    sim.submit(application(program(cycles=1.0), instructions=2.0e9), "big0")
    done, last_s, trace = 0.0, 0.0, [sim.advance(0.0).last]
    while sim.running:
        trace.append(sim.advance(0.05).last)
    for before, after in pairwise(trace):
        # The clock that a control period begins with is the one its end reports.
        last_s = min(after.t_s, before.t_s + (2.0e9 - done) / after.freq_hz["big"])
        done += (last_s - before.t_s) * after.freq_hz["big"]
    assert trace[-1].throttled
    assert sim.results()[0].end_s == pytest.approx(last_s, abs=1e-8)


def test_energy_is_a_counter_not_an_integral_of_samples() -> None:
    """Work that starts and ends between two samples costs its energy all the same."""
    board = tiny_board(leakage=False)
    idle_w = load_of(board, [], TOP).total_w
    busy_w = load_of(board, [(program(), "big0")], TOP).total_w
    sim = Simulator(board)
    readings = [sim.advance(0.0).last]
    for _ in range(10):
        sim.submit(application(instructions=0.4e9), "big0")  # 0.2 s of every 0.5 s
        readings.append(sim.advance(0.5).last)
    counted_j = 10 * (0.2 * busy_w + 0.3 * idle_w)
    assert readings[-1].energy_j == pytest.approx(counted_j, rel=1e-9)
    sampled_w = [reading.power_w["vdd_in"] for reading in readings if reading.power_w]
    integral_j = float(np.trapezoid(np.array(sampled_w, float), [r.t_s for r in readings]))
    assert abs(integral_j - counted_j) > 0.05 * counted_j


def test_energy_does_not_depend_on_how_often_somebody_looks() -> None:
    board = tiny_board(leakage=False)
    energies_j = []
    for pieces in (1, 7, 501):
        sim = Simulator(board)
        sim.submit(application(instructions=1.3e9), "big1")
        for _ in range(pieces):
            reading = sim.advance(3.0 / pieces).last
        assert reading.energy_j is not None
        energies_j.append(reading.energy_j * 3.0 / reading.t_s)
    assert energies_j == pytest.approx([energies_j[0]] * 3, rel=1e-6)


def test_time_is_integer_and_never_waits_for_a_remainder() -> None:
    """After 1e8 s a float cannot hold a nanosecond, the clock still can, and nothing hangs."""
    sim = Simulator(tiny_board({"limits.control_period_s": 1e4, "limits.poll_s": 1e4}))
    sim.advance(1e8)
    late = sim.now_ns
    assert late == 10**17
    for i in range(1, 1001):
        sim.advance(1e-9)
        assert sim.now_ns == late + i
    sim.submit(application(program(7.0, 11.0), instructions=40.0), "big0")  # 20 ns at 2 GHz
    for _ in range(19):
        sim.advance(1e-9)
    assert sim.running
    sim.advance(30e-9)
    assert not sim.running
    assert sim.now_ns == late + 1000 + 19 + 30


def test_a_process_still_wakes_late_in_simulated_time() -> None:
    sim = Simulator(tiny_board({"limits.control_period_s": 1e4, "limits.poll_s": 1e4}))
    sim.advance(1e8)
    woken: list[int] = []

    def ticks(sim: Simulator, state: dict[str, int]) -> Generator[simpy.Event, None, None]:
        while state["n"] < 100:
            yield sim.clock.timeout(1e-3)
            state["n"] += 1
            woken.append(sim.now_ns)

    process: simpy.Process = sim.process(ticks, {"n": 0})
    sim.advance(0.2)
    assert not process.is_alive
    gaps = np.diff(woken)
    assert len(woken) == 100
    assert np.all(np.abs(gaps - 1_000_000) < 100)  # the float of simpy's clock has 15 ns there


def test_ten_short_advances_are_one_long_one() -> None:
    """0.1 s is no binary fraction; the clock does not care."""
    short, long = Simulator(tiny_board()), Simulator(tiny_board())
    for _ in range(10):
        short.advance(0.1)
    long.advance(1.0)
    assert short.now_ns == long.now_ns == 10**9
