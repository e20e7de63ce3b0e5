"""A snapshot is plain data, and a run that goes on from it is the run that never stopped."""

import pickle
from collections.abc import Generator
from typing import Any

import pytest
import simpy
from tiny_board import application, program, tiny_board, training, trip

from edgetwin.kernel import SLOTS
from edgetwin.scenario import Scenario
from edgetwin.simulator import Simulator, Snapshot
from hw_models.board import Board, Knobs, load_board
from hw_models.trace import Reading

Steps = Generator[simpy.Event, Any, None]
BUSY = Scenario.model_validate(
    {
        "name": "busy",
        "title": "programs come and go while things break",
        "duration_s": 60,
        "ambient": [[0, 25], [21.3, 38]],
        "cap": [[0, 9], [14.1, 4]],
        "arrivals": {
            "process": "poisson", "rate_hz": 0.7, "count": 60, "instructions": [1e8, 3e10],
            "lifetime_s": [3, 40], "target_share": [0.1, 0.9],
        },
        "faults": [
            {"kind": "sensor-stuck", "target": "soc", "at_s": 18.07, "duration_s": 7},
            {"kind": "trip", "target": "soc", "at_s": 30.5, "duration_s": 4},
        ],
    }
)  # fmt: skip


def turns(sim: Simulator, state: dict[str, int]) -> Steps:
    """A policy as a process: every 0.7 s one job moves on by one core."""
    while True:
        yield sim.clock.timeout(max(0.0, 0.7 * (state["n"] + 1) - sim.clock.now))
        state["n"] += 1
        jobs = sorted(entry.id for entry in sim.running.values())
        if jobs:
            moved = jobs[state["n"] % len(jobs)]
            sim.apply(Knobs(placement={moved: f"cpu{state['n'] % 8}"}))


def busy(board: Board, seed: int = 3) -> Simulator:
    """A board with arrivals, departures, faults and a registered process."""
    sim = Simulator(board, scenario=BUSY, seed=seed)
    sim.apply(Knobs(governor={"big": "qos-dvfs", "little": "ondemand"}))
    sim.process(turns, {"n": 0})
    return sim


def readings(sim: Simulator, n: int) -> list[Reading]:
    """The next n readings, 0.37 s apart."""
    return [sim.advance(0.37).last for _ in range(n)]


@pytest.mark.parametrize("steps", [0, 1, 40, 77])
def test_a_restored_run_equals_the_uninterrupted_one_bit_for_bit(steps: int) -> None:
    board = load_board("hikey970")
    straight = busy(board)
    readings(straight, steps)
    expected = readings(straight, 60)
    other = busy(board)
    readings(other, steps)
    kept = other.snapshot()
    readings(other, 25)
    other.apply(Knobs(fan=1))
    other.restore(kept)
    assert readings(other, 60) == expected
    assert other.results() == straight.results()
    assert other.kpis() == straight.kpis()
    assert bytes(other.state) == bytes(straight.state)


def test_taking_a_snapshot_disturbs_nothing() -> None:
    board = load_board("hikey970")
    watched, left_alone = busy(board), busy(board)
    found = []
    for _ in range(30):
        watched.snapshot()
        found += readings(watched, 1)
    assert found == readings(left_alone, 30)


def test_branches_do_not_see_one_another() -> None:
    """From one snapshot three futures; the first, taken again at last, is what it was."""
    sim = Simulator(tiny_board())
    sim.submit(application(instructions=5e9), "big0", name="a")
    sim.submit(training(samples=500.0), name="t")
    sim.advance(1.0)
    kept = sim.snapshot()

    def future(unit: str) -> tuple[Reading, int]:
        sim.restore(kept)
        sim.apply(Knobs(placement={"a": unit}, batch={"t": 64}))
        reading = sim.advance(2.0).last
        return reading, len(sim.finished)

    first, second, third = future("big0"), future("little0"), future("big1")
    assert first not in (second, third) and second != third
    assert future("big0") == first
    assert kept.state["t_ns"][0] == 10**9
    assert kept.running[1].job == training(samples=500.0)


def test_a_snapshot_is_plain_data() -> None:
    sim = busy(load_board("hikey970"))
    sim.advance(20.0)
    kept: Snapshot = sim.snapshot()
    copied = pickle.loads(pickle.dumps(kept))
    expected = readings(sim, 20)
    sim.restore(copied)
    assert readings(sim, 20) == expected


def test_a_snapshot_brings_its_scenario_along() -> None:
    """Arrivals of the run it was taken from, not of the one that was started since."""
    sim = busy(load_board("hikey970"), seed=3)
    sim.advance(5.0)
    kept = sim.snapshot()
    expected = readings(sim, 40)
    sim.reset(seed=4)
    sim.advance(1.0)
    sim.restore(kept)
    assert readings(sim, 40) == expected


def test_waiting_jobs_and_trips_are_in_the_snapshot() -> None:
    trips = [trip("throttle", 40.0, domains=("big",)), trip("fan", 38.0, fan_level=1)]
    sim = Simulator(tiny_board({"limits.trips": trips}))
    for i in range(SLOTS + 6):
        sim.submit(application(instructions=2e8 * (i + 1)), f"big{i % 2}", name=str(i))
    sim.advance(3.0)
    kept = sim.snapshot()
    expected = readings(sim, 60), sim.results()
    assert any(reading.throttled for reading in expected[0])
    sim.restore(kept)
    assert (readings(sim, 60), sim.results()) == expected


def test_ties_end_alike_after_a_restore() -> None:
    """At 10 s one program leaves big0 and another arrives: who comes first decides its core."""
    entry = {"kind": "application", "program": "adi", "instructions": "endless"}
    scenario = Scenario.model_validate(
        {
            "name": "tie",
            "title": "two things at one instant",
            "duration_s": 60,
            "jobs": [
                *({**entry, "unit": f"cpu{i}", "id": f"stay-{i}"} for i in (0, 1, 2, 3, 4, 5, 7)),
                {**entry, "unit": "cpu6", "lifetime_s": 10.0, "id": "leaves"},
                {**entry, "at_s": 5.0, "lifetime_s": 2.0, "id": "between"},
                {**entry, "at_s": 10.0, "id": "comes"},
            ],
        }
    )
    units = []
    for stop_s in (None, 1.0, 6.0, 9.5):
        sim = Simulator(load_board("hikey970"), scenario=scenario)
        if stop_s is not None:
            sim.advance(stop_s)
            sim.restore(sim.snapshot())
        sim.advance(11.0 - sim.now_s)
        units.append(sim.advance(0.0).last.jobs["comes"].unit)
    assert units == ["cpu6"] * 4


def test_late_arrivals_keep_their_nanosecond_after_a_restore() -> None:
    """A day after the start a float has 15 ps left, and restoring waits for what is left."""
    entry = {"kind": "application", "program": "adi", "instructions": 1e6}
    times_s = [1e5 + 0.0123456789 * i**1.5 for i in range(300)]
    scenario = Scenario.model_validate(
        {
            "name": "late",
            "title": "a day later",
            "duration_s": 2e5,
            "jobs": [{**entry, "at_s": at_s} for at_s in times_s],
        }
    )
    starts_s = []
    for is_restored in (False, True):
        sim = Simulator(load_board("hikey970"), scenario=scenario)
        sim.advance(99_999.9)
        for _ in range(130):
            sim.advance(0.5)
            if is_restored:
                sim.restore(sim.snapshot())
        starts_s.append([job.start_s for job in sim.results()])
    assert len(starts_s[0]) == 300
    assert starts_s[0] == starts_s[1]


def test_a_process_goes_on_where_its_state_says() -> None:
    sim = Simulator(tiny_board())
    log: list[tuple[int, float]] = []

    def count(sim: Simulator, state: dict[str, int]) -> Steps:
        while state["n"] < 5:
            yield sim.clock.timeout(state["n"] + 1.0 - sim.clock.now)
            state["n"] += 1
            log.append((state["n"], sim.now_s))

    sim.process(count, {"n": 0})
    sim.advance(2.5)
    kept = sim.snapshot()
    sim.advance(10.0)
    sim.restore(kept)
    sim.advance(10.0)
    again = [(3, 3.0), (4, 4.0), (5, 5.0)]
    assert log == [(1, 1.0), (2, 2.0), *again, *again]
    assert sim.snapshot().processes == ()


def forever(env: simpy.Environment) -> Steps:
    """A process that wakes every second."""
    while True:
        yield env.timeout(1.0)


def never(env: simpy.Environment) -> Steps:
    """A process that waits for something that nobody has planned."""
    yield env.event()


@pytest.mark.parametrize("stranger", [forever, never])
def test_an_unregistered_process_is_refused_in_one_line(stranger: Any) -> None:
    sim = Simulator(tiny_board())
    sim.clock.process(stranger(sim.clock))
    sim.advance(3.5)
    with pytest.raises(RuntimeError) as error:
        sim.snapshot()
    (message,) = error.value.args
    assert f"process {stranger.__name__!r} is not registered" in message
    assert "sim.process(factory, state)" in message
    assert "\n" not in message


def test_a_process_started_inside_a_registered_one_is_found_too() -> None:
    def parent(sim: Simulator, state: dict[str, int]) -> Steps:
        sim.clock.process(never(sim.clock))
        yield sim.clock.timeout(100.0)

    sim = Simulator(tiny_board())
    sim.process(parent, {})
    sim.advance(1.0)
    with pytest.raises(RuntimeError, match="process 'never' is not registered"):
        sim.snapshot()


def test_a_process_that_has_ended_is_no_obstacle() -> None:
    def short(env: simpy.Environment) -> Steps:
        yield env.timeout(0.5)

    sim = Simulator(tiny_board())
    sim.clock.process(short(sim.clock))
    sim.advance(1.0)
    sim.submit(application(program(), instructions=2e9), "big0")
    kept = sim.snapshot()
    sim.advance(5.0)
    sim.restore(kept)
    assert sim.now_s == 1.0 and len(sim.running) == 1
