"""The event loop: ends in closed form, one order of events, the same run for the same seed."""

from collections.abc import Generator
from itertools import permutations

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_board import application, program, tiny_board, training, trip

from edgetwin.backend import run
from edgetwin.kernel import REACHED, SHUT_DOWN, advance
from edgetwin.scenario import Scenario
from edgetwin.simulator import Simulator
from hw_models.board import Board, Knobs, load_board
from hw_models.jobs import Job
from hw_models.trace import Reading, Trace

NS = 1e-9
TINY = tiny_board()


def ends_s(sim: Simulator) -> dict[str, float | None]:
    """When each job ended."""
    return {job.id: job.end_s for job in sim.results()}


@settings(max_examples=60)
@given(
    work=st.floats(1.0, 1e10),
    cycles=st.floats(0.2, 10.0),
    stall_s=st.floats(0.0, 1e-8),
    level=st.integers(0, 3),
)
def test_a_program_ends_when_its_work_is_done(
    work: float, cycles: float, stall_s: float, level: int
) -> None:
    sim, hz = Simulator(TINY), TINY.clocks["big"].freqs_hz.value[level]
    sim.apply(Knobs(freq_hz={"big": hz}))
    job = application(program(cycles=cycles, stall_s=stall_s), instructions=work)
    sim.submit(job, "big0", name="a")
    expected_s = work * (cycles / hz + stall_s)
    sim.advance(expected_s + 1e-6)
    (result,) = sim.results()
    assert result.end_s == pytest.approx(expected_s, abs=1.001 * NS, rel=1e-14)
    assert result.work == pytest.approx(work, rel=1e-12)


@given(
    phases=st.lists(st.tuples(st.floats(1e5, 1e8), st.floats(0.5, 5.0)), min_size=2, max_size=6),
    rounds=st.floats(0.1, 5.0),
)
def test_phases_follow_one_another_and_start_again(
    phases: list[tuple[float, float]], rounds: float
) -> None:
    """The end is the sum over phases; each phase may start up to 1 ns late."""
    insns, cycles = zip(*phases, strict=True)
    work, left, seconds, count = rounds * sum(insns), rounds * sum(insns), 0.0, 0
    while left > 0.0:
        n = min(left, insns[count % len(insns)])
        seconds += n * cycles[count % len(insns)] / 2.0e9
        left, count = left - n, count + 1
    sim = Simulator(TINY)
    profile = program(*insns, cycles=list(cycles))
    sim.submit(application(profile, instructions=work), "big0", name="a")
    sim.advance(seconds + 1e-6)
    assert ends_s(sim)["a"] == pytest.approx(seconds, abs=10.0 * count * NS)


def test_a_migration_costs_its_pause_and_nothing_else() -> None:
    sim = Simulator(TINY)
    sim.submit(application(program(cycles=1.0), instructions=2e9), "big0", name="a")
    sim.advance(0.25)
    sim.apply(Knobs(placement={"a": "big1"}))
    assert sim.advance(0.004).last.jobs["a"].rate == 0.0
    assert sim.advance(0.002).last.jobs["a"].rate == pytest.approx(2e9)
    sim.advance(2.0)
    assert ends_s(sim)["a"] == pytest.approx(1.0 + 0.005, abs=2 * NS)
    assert sim.kpis()["migrations"] == 1.0


def test_work_left_goes_on_at_the_pace_of_the_new_core() -> None:
    """A slow core needs twice the cycles and runs at 1.5 GHz."""
    sim = Simulator(TINY)
    sim.submit(application(program(cycles=1.0), instructions=2e9), "big0", name="a")
    sim.advance(0.5)
    sim.apply(Knobs(placement={"a": "little1"}))
    sim.advance(3.0)
    assert ends_s(sim)["a"] == pytest.approx(0.5 + 0.005 + 1e9 * 2 / 1.5e9, abs=3 * NS)


def test_two_programs_on_a_core_take_turns() -> None:
    """Each runs at half speed while both are there: 1 s of work joined at 0.4 s by 0.3 s more."""
    sim = Simulator(TINY)
    sim.submit(application(program(cycles=1.0), instructions=2e9), "big0", name="long")
    sim.advance(0.4)
    sim.submit(application(program(cycles=1.0), instructions=0.6e9), "big0", name="short")
    sim.advance(2.0)
    assert ends_s(sim) == pytest.approx({"short": 0.4 + 0.6, "long": 1.3}, abs=3 * NS)


def test_a_job_that_arrives_when_another_ends_finds_its_core_free() -> None:
    """At one instant completions come before arrivals; otherwise big0 would be as good."""
    sim = Simulator(TINY)
    for unit in ("big0", "little0", "little1"):
        sim.submit(application(), unit)
    sim.submit(application(instructions=1e9), "big1")
    sim.advance(0.0)
    end_ns = int(sim.state["job_event_ns"][0][3])

    def arrive(sim: Simulator, state: dict[str, float]) -> Generator[simpy.Event, None, None]:
        yield sim.clock.timeout(state["at_s"])
        sim.submit(application(), name="next")

    sim.process(arrive, {"at_s": end_ns * 1e-9})
    job = sim.advance(0.6).last.jobs["next"]
    assert job.unit == "big1"
    assert sim.results()[0].end_s == pytest.approx(end_ns * 1e-9, abs=1e-12)
    assert sim.results()[-1].alive_s == pytest.approx(0.6 - end_ns * 1e-9, abs=1e-12)


def test_sensors_are_read_before_the_clocks_change() -> None:
    """A reading at the instant of a decision still speaks of the time before it."""
    sim = Simulator(tiny_board(leakage=False))
    sim.submit(application(), "big0")
    before = sim.advance(1.0).last
    sim.apply(Knobs(freq_hz={"big": 0.5e9}))
    at_once = sim.advance(0.0).last
    assert at_once.power_w == before.power_w
    assert at_once.freq_hz["big"] == 0.5e9
    later = sim.advance(0.05).last
    assert before.power_w and later.power_w
    assert (later.power_w["vdd_in"] or 0.0) < 0.8 * (before.power_w["vdd_in"] or 0.0)


def crowded(order: tuple[int, ...]) -> Reading:
    """Two programs share the core that also launches the kernels of a training job."""
    jobs: list[Job] = [application(), training(), application()]
    units = ("little0", "gpu0", "little0")
    sim = Simulator(TINY)
    for i in order:
        sim.submit(jobs[i], units[i], name=str(i))
    return sim.advance(2.0).last


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_submission_does_not_matter(order: tuple[int, ...]) -> None:
    reading, straight = crowded(order), crowded((0, 1, 2))
    assert reading.energy_j == pytest.approx(straight.energy_j, rel=1e-12)
    assert reading.busy == pytest.approx(straight.busy, rel=1e-12)
    assert max(reading.busy.values()) <= 1.0
    rates = {name: job.rate for name, job in reading.jobs.items()}
    assert rates == pytest.approx({n: j.rate for n, j in straight.jobs.items()}, rel=1e-12)


@settings(max_examples=25)
@given(st.lists(st.floats(1e-4, 0.7), min_size=1, max_size=12))
def test_looking_more_often_changes_nothing(pieces_s: list[float]) -> None:
    """Any way to cut a run into pieces gives the same ends, counters and temperatures."""
    sims = []
    for pieces in (pieces_s, [sum(round(p * 1e9) for p in pieces_s) * 1e-9]):
        sim = Simulator(tiny_board(leakage=False))
        for i, unit in enumerate(("big0", "big0", "little1")):
            work = 0.3e9 * (i + 1)
            sim.submit(application(program(3e7, 5e7, cycles=[1.0, 3.0]), instructions=work), unit)
        for piece_s in pieces:
            sim.advance(piece_s)
        sims.append(sim)
    many, one = sims
    assert abs(many.now_ns - one.now_ns) <= 1
    many.advance(3.0)
    one.advance(3.0)
    assert ends_s(many) == pytest.approx(ends_s(one), abs=20 * NS)
    assert many.node_temps_c() == pytest.approx(one.node_temps_c(), abs=1e-7)
    assert np.sum(many.state["energy_j"]) == pytest.approx(np.sum(one.state["energy_j"]), rel=1e-8)


def policy(reading: Reading) -> Knobs:
    """Something that migrates and changes clocks all the time."""
    turn = round(reading.t_s * 2)
    jobs = [name for name, job in reading.jobs.items() if job.unit is not None]
    if not jobs:
        return Knobs()
    return Knobs(placement={jobs[turn % len(jobs)]: f"cpu{turn % 8}"})


def mixed(board: Board, seed: int) -> Trace:
    """A minute of everything that can happen to a board."""
    sim = Simulator(board)
    return run(sim, policy, duration_s=60.0, seed=seed, scenario=BUSY).trace


BUSY = Scenario.model_validate(
    {
        "name": "busy",
        "title": "programs come and go",
        "duration_s": 60,
        "ambient": [[0, 25], [31.7, 38]],
        "arrivals": {
            "process": "poisson", "rate_hz": 0.5, "count": 40, "instructions": [1e8, 3e10],
            "lifetime_s": [3, 40], "target_share": [0.1, 0.9],
        },
        "faults": [{"kind": "sensor-stuck", "target": "soc", "at_s": 20, "duration_s": 7}],
    }
)  # fmt: skip


def test_the_same_seed_gives_the_same_trace_bit_for_bit() -> None:
    board = load_board("hikey970")
    first, again = mixed(board, seed=3), mixed(board, seed=3)
    assert first == again
    assert len(first) == 121
    assert mixed(board, seed=4) != first


def test_another_seed_moves_the_noise_and_not_the_truth() -> None:
    """Without a scenario the seed is in the sensors alone."""
    sims = [Simulator(TINY, seed=seed) for seed in (1, 1, 2)]
    readings = []
    for sim in sims:
        sim.submit(application(), "big0")
        readings.append([sim.advance(0.7).last for _ in range(20)])
    assert readings[0] == readings[1]
    rails = [[r.power_w["vdd_cpu"] for r in row if r.power_w] for row in readings]
    assert rails[0] != rails[2]
    assert sims[0].node_temps_c() == sims[2].node_temps_c()


def test_noise_has_the_spread_that_the_board_states() -> None:
    board = tiny_board(
        {
            "sensors.zones.cpu.noise_k": 0.5,
            "sensors.rails.vdd_cpu.period_s": 0.05,
            "sensors.rails.vdd_cpu.resolution_w": 0.0,
            "sensors.rails.vdd_cpu.noise": 0.05,
        },
        leakage=False,
    )
    sim = Simulator(board, coast=False)
    readings = [sim.advance(0.05).last for _ in range(2000)]
    truth_c = sim.node_temps_c()["big"]
    temps_c = np.array([r.temps_c["cpu"] for r in readings], float)
    watts = np.array([r.power_w["vdd_cpu"] for r in readings if r.power_w], float)
    assert np.mean(temps_c) == pytest.approx(truth_c, abs=4 * 0.5 / 2000**0.5)
    assert np.std(temps_c) == pytest.approx(0.5, rel=0.07)
    assert np.std(watts) / np.mean(watts) == pytest.approx(0.05, rel=0.07)
    assert abs(np.corrcoef(temps_c[1:], temps_c[:-1])[0, 1]) < 0.08


def test_a_completion_is_told_until_its_slot_is_freed() -> None:
    sim = Simulator(TINY)
    sim.submit(application(instructions=2e8), "big0")
    records = sim.state, sim.lowered.record, sim.table.rows
    assert advance(*records, 10**9) == 0
    assert advance(*records, 10**9) == 0
    assert sim.now_ns == 10**8
    sim.run_until(10**9)
    assert not sim.running
    assert advance(*records, 2 * 10**9) == REACHED


def test_a_shutdown_is_told_once_and_the_board_then_cools() -> None:
    board = tiny_board({"limits.trips": [trip("shutdown", 40.0)]})
    sim = Simulator(board)
    sim.submit(application(), "big0")
    sim.submit(application(), "big1")
    records = sim.state, sim.lowered.record, sim.table.rows
    assert advance(*records, 10**10) == SHUT_DOWN
    hot_c, off_ns = sim.node_temps_c()["big"], sim.now_ns
    assert hot_c >= 40.0
    assert advance(*records, off_ns + 10**12) == REACHED
    assert sim.node_temps_c() == pytest.approx(dict.fromkeys(board.thermal.nodes, 25.0), abs=0.1)
