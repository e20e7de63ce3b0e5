"""Jumping over quiet stretches ends where stepping period by period ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_board import application, program, tiny_board, training, trip

from edgetwin.backend import JobResult
from edgetwin.scenario import Scenario
from edgetwin.simulator import Simulator
from hw_models.board import Board, Knobs, load_board
from hw_models.trace import Reading

Array = NDArray[np.float64]
# A step may end a nanosecond apart where sums are taken in another order.
END_S = 5e-9
LONG_PERIODS = {
    "sensors.rails.vdd_cpu.period_s": 1.35,
    "sensors.rails.vdd_cpu.noise": 0.0,
    "sensors.rails.vdd_cpu.resolution_w": 0.0,
    "sensors.zones.skin.resolution_k": 0.0,
    "sensors.zones.skin.noise_k": 0.0,
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What was seen of a run: readings, true temperatures (n, n_nodes), jobs."""

    readings: tuple[Reading, ...]
    temps_c: Array
    jobs: tuple[JobResult, ...]
    energy_j: float


def course(
    board: Board,
    *,
    coast: bool,
    pieces_s: Sequence[float],
    work: Sequence[tuple[float, str]] = (),
    knobs: Mapping[int, Knobs] | None = None,
    scenario: Scenario | None = None,
) -> Course:
    """Submit work of (instructions, unit), turn knobs before some pieces and advance."""
    sim = Simulator(board, scenario=scenario, coast=coast, seed=5)
    for instructions, unit in work:
        profile = program(cycles=1.0, stall_s=2e-10, dram_bytes=0.1)
        sim.submit(application(profile, instructions=instructions, target_ips=6e8), unit)
    readings, temps_c = [], []
    for i, piece_s in enumerate(pieces_s):
        sim.apply((knobs or {}).get(i, Knobs()))
        readings.append(sim.advance(piece_s).last)
        temps_c.append(list(sim.node_temps_c().values()))
    return Course(
        readings=tuple(readings),
        temps_c=np.array(temps_c),
        jobs=sim.results(),
        energy_j=float(np.sum(sim.state["energy_j"])),
    )


def assert_alike(board: Board, **given: Any) -> tuple[Course, Course]:
    """Coast and step through the same; the two courses."""
    jumped, stepped = course(board, coast=True, **given), course(board, coast=False, **given)
    assert np.max(np.abs(jumped.temps_c - stepped.temps_c)) <= 1e-3
    assert jumped.energy_j == pytest.approx(stepped.energy_j, rel=1e-5)
    for a, b in zip(jumped.jobs, stepped.jobs, strict=True):
        assert (a.id, a.violated) == (b.id, b.violated)
        assert (a.end_s or 0.0) == pytest.approx(b.end_s or 0.0, abs=END_S)
        assert a.below_s == pytest.approx(b.below_s, abs=END_S)
    for x, y in zip(jumped.readings, stepped.readings, strict=True):
        assert (x.freq_hz, x.fan, x.throttled) == (y.freq_hz, y.fan, y.throttled)
        assert x.busy == y.busy
    return jumped, stepped


WORK = st.tuples(
    st.floats(7.0, 11.0).map(lambda x: 10.0**x), st.sampled_from(["little0", "big0", "big1"])
)


@settings(max_examples=25)
@example(work=[(10.0**8.46875, "big0")], pieces_s=[10.0])  # steps too long once cost 1.2e-5 here
@given(
    work=st.lists(WORK, max_size=5),
    pieces_s=st.lists(st.floats(1e-3, 40.0), min_size=1, max_size=8),
)
def test_coasting_equals_stepping(work: list[tuple[float, str]], pieces_s: list[float]) -> None:
    assert_alike(tiny_board(), work=work, pieces_s=pieces_s)


def test_coasting_is_another_way() -> None:
    """The two runs differ in the last digits: there is something to compare."""
    jumped, stepped = assert_alike(tiny_board(), work=[(1e12, "big0")], pieces_s=[300.0])
    assert not np.array_equal(jumped.temps_c, stepped.temps_c)


@settings(max_examples=10)
@example(pieces_s=[16.0, 11.0])  # steps too long once cost 1.1e-5 here
@given(pieces_s=st.lists(st.floats(0.1, 30.0), min_size=1, max_size=6))
def test_sensors_of_long_periods_read_the_same(pieces_s: list[float]) -> None:
    """A rail averages over its last 1.35 s, which a jump may not swallow."""
    jumped, stepped = assert_alike(
        tiny_board(LONG_PERIODS), work=[(6e9, "big0"), (5e10, "little0")], pieces_s=pieces_s
    )
    for x, y in zip(jumped.readings, stepped.readings, strict=True):
        assert x.power_w == pytest.approx(y.power_w, rel=2e-4)
        assert x.temps_c == pytest.approx(y.temps_c, abs=1e-3)


def test_noise_is_the_same_at_the_same_instant() -> None:
    noisy = tiny_board({"sensors.zones.cpu.noise_k": 0.3})
    jumped, stepped = assert_alike(noisy, work=[(1e11, "big0")], pieces_s=[20.0] * 5)
    for x, y in zip(jumped.readings, stepped.readings, strict=True):
        assert x.temps_c["cpu"] == pytest.approx(y.temps_c["cpu"], abs=1e-3)


@pytest.mark.parametrize("poll_s", [0.05, 1.0])
@pytest.mark.parametrize("temp_c", [43.0, 44.0, 45.0])
def test_trips_act_as_when_stepping(temp_c: float, poll_s: float) -> None:
    """A clock is throttled and set free again; both ways see the same steps."""
    hot = tiny_board(
        {
            "limits.poll_s": poll_s,
            "limits.trips": [trip("throttle", temp_c, hysteresis_k=1.0, domains=("big",))],
        }
    )
    jumped, _ = assert_alike(
        hot, work=[(9e10, "big0"), (9e10, "big1"), (2e10, "little0")], pieces_s=[4.3] * 40
    )
    assert any(reading.throttled for reading in jumped.readings)
    assert not jumped.readings[-1].throttled


@pytest.mark.parametrize("poll_s", [0.05, 1.0])
def test_fan_thresholds_act_as_when_stepping(poll_s: float) -> None:
    """Two fan steps on the way up, and back down when the work has ended."""
    trips = [
        trip("fan", 39.5, fan_level=1, hysteresis_k=3.0),
        trip("fan", 41.0, fan_level=2, hysteresis_k=1.0),
        trip("shutdown", 90.0),
    ]
    board = tiny_board({"limits.poll_s": poll_s, "limits.trips": trips})
    jumped, _ = assert_alike(
        board,
        work=[(9e10, "big0"), (9e10, "big1"), (4e10, "little0")],
        pieces_s=[5.7] * 50,
    )
    assert {reading.fan for reading in jumped.readings} == {0, 1, 2}
    assert jumped.readings[-1].fan == 0


def test_a_fan_given_back_to_the_board_is_polled_before_the_next_jump() -> None:
    """The board wants level 1, the hand had set 2, and polls come once a second only."""
    trips = [trip("fan", 40.0, fan_level=1, hysteresis_k=12.0)]
    board = tiny_board({"limits.poll_s": 1.0, "limits.trips": trips})
    jumped, _ = assert_alike(
        board,
        work=[(1e12, "big0"), (1e12, "big1"), (1e12, "little0")],
        pieces_s=[60.03, 30.0, 0.02, 30.0, 5.0, 5.0],
        knobs={1: Knobs(fan=2), 3: Knobs(fan=-1)},
    )
    assert [reading.fan for reading in jumped.readings] == [1, 2, 2, 1, 1, 1]


def fault(kind: str, target: str) -> Scenario:
    """A fault from 60.1 s to 90.1 s."""
    return Scenario.model_validate(
        {
            "name": "broken",
            "title": "something breaks",
            "duration_s": 200,
            "faults": [{"kind": kind, "target": target, "at_s": 60.1, "duration_s": 30}],
        }
    )


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("trip", "cpu"),
        ("sensor-dropped", "cpu"),
        ("sensor-stuck", "cpu"),
        ("sensor-dropped", "vdd_in"),
        ("clock-refused", "big"),
    ],
)
def test_faults_act_as_when_stepping(kind: str, target: str) -> None:
    """With polls once a second a fault falls between two of them."""
    trips = [
        trip("fan", 40.0, fan_level=1, hysteresis_k=12.0),
        trip("throttle", 85.0, domains=("big",)),
    ]
    board = tiny_board({"limits.poll_s": 1.0, "limits.trips": trips})
    jumped, stepped = assert_alike(
        board,
        work=[(1e12, "big0"), (1e12, "big1"), (1e12, "little0")],
        pieces_s=[55.0, 8.3, 9.4, 21.7, 13.9],
        scenario=fault(kind, target),
    )
    for x, y in zip(jumped.readings, stepped.readings, strict=True):
        known = [(x.temps_c[z] is None, y.temps_c[z] is None) for z in x.temps_c]
        assert all(a == b for a, b in known)


def test_governors_settle_as_when_stepping() -> None:
    board = tiny_board()
    sims = []
    for coast in (True, False):
        sim = Simulator(board, coast=coast)
        sim.apply(Knobs(governor={"big": "qos-dvfs", "little": "schedutil", "gpu": "ondemand"}))
        sim.submit(application(instructions=5e9, target_ips=9e8), "big0")
        sim.submit(training(samples=3000.0), "gpu0")
        sim.submit(application(program(2e9, 5e9, cycles=[1.0, 2.0]), target_ips=4e8), "little1")
        sims.append(sim)
    for _ in range(60):
        jumped, stepped = (sim.advance(0.77).last for sim in sims)
        assert jumped.freq_hz == stepped.freq_hz
    ends = [[(j.id, j.end_s) for j in sim.results() if j.end_s] for sim in sims]
    assert len(ends[0]) == 2
    for (name, end_s), (other, other_s) in zip(*ends, strict=True):
        assert (name, end_s) == (other, pytest.approx(other_s, abs=END_S))


@pytest.mark.parametrize("name", ["hikey970", "jetson-tx2", "odroid-xu3"])
def test_an_hour_of_a_shipped_board_is_the_same_either_way(name: str) -> None:
    scenario = Scenario.model_validate(
        {
            "name": "hour",
            "title": "programs now and then",
            "duration_s": 3600,
            "ambient": [[0, 25], [1800.03, 32]],
            "arrivals": {
                "process": "poisson", "rate_hz": 0.03, "duration_s": 3500,
                "instructions": [1e9, 1e11], "lifetime_s": [20, 200], "target_share": [0.2, 0.8],
                "programs": ["adi", "gemm", "jacobi-2d", "atax"],
            },
        }
    )  # fmt: skip
    jumped, _ = assert_alike(load_board(name), pieces_s=[600.0] * 6, scenario=scenario)
    assert sum(job.end_s is not None for job in jumped.jobs) > 70
