"""Board i of a batch is the scalar board with the same scenario and seed."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_board import tiny_board, trip

from edgetwin.scenario import Scenario, load_scenario
from edgetwin.simulator import BatchSimulator, Simulator, batch_plan
from hw_models.board import Board, load_board

COUNTED = ("level", "target", "transitions", "migrations", "throttled", "fan", "off", "trip_cap")
FLOWING = ("aimed_s", "below_s", "throttled_s", "over_cap_s", "peak_w", "overshoot")


def assert_same(batch: BatchSimulator, sims: list[Simulator]) -> None:
    """Temperatures within 1e-6 K, equal whole numbers, joules and sensors to rounding."""
    truth_c = np.array([list(sim.node_temps_c().values()) for sim in sims])
    assert np.abs(batch.node_temps_c() - truth_c).max() <= 1e-6
    for name in COUNTED:
        per_domain = name in ("level", "target", "trip_cap")
        for k in range(len(batch.lowered.domains) if per_domain else 1):
            scalar = [sim.state[0][name][k] if per_domain else sim.state[0][name] for sim in sims]
            assert batch.get(name, k).tolist() == scalar, name
    for name in FLOWING:
        scalar = [float(sim.state[0][name]) for sim in sims]
        assert batch.get(name) == pytest.approx(scalar, rel=1e-9, abs=1e-9), name
    assert batch.get("finished").tolist() == [len(sim.finished) for sim in sims]
    assert batch.energy_j == pytest.approx([sim.kpis()["energy_j"] for sim in sims], rel=1e-10)
    zones, rails = len(batch.lowered.zones), len(batch.lowered.rails)
    told_c = [sim.state[0]["zone_c"][:zones] for sim in sims]
    assert np.allclose(batch.temps_c, told_c, rtol=0, atol=1e-9, equal_nan=True)
    told_w = [sim.state[0]["rail_w"][:rails] for sim in sims]
    assert np.allclose(batch.power_w, told_w, rtol=1e-9, atol=1e-9, equal_nan=True)


def run_both(
    board: Board, scenario: Scenario, seed: int, steps_s: list[float], *, coast: bool = True
) -> BatchSimulator:
    """A batch of ten and ten simulators, side by side, held against one another at every stop."""
    batch = BatchSimulator(board, 10, scenario=scenario, seeds=seed, coast=coast)
    sims = [Simulator(board, scenario=scenario, seed=seed + i, coast=coast) for i in range(10)]
    assert_same(batch, sims)
    for step_s in steps_s:
        batch.advance(step_s)
        for sim in sims:
            sim.advance(step_s)
        assert_same(batch, sims)
    return batch


def mixed(name: str, ambient_c: float, **changes: Any) -> Scenario:
    """Programs that come, end and leave; a cap and an ambient that change; three faults."""
    board = load_board(name)
    domain, zone = next(iter(board.clocks)), next(iter(board.sensors.zones))
    faults = [
        {"kind": "clock-refused", "target": domain, "at_s": 3.0, "duration_s": 4.0},
        {"kind": "sensor-dropped", "target": zone, "at_s": 9.02, "duration_s": 2.5},
    ]
    if board.limits.trips:
        tripping = board.limits.trips[0].zone
        faults.append({"kind": "trip", "target": tripping, "at_s": 6.0, "duration_s": 1.1})
    arrivals = {
        "process": "poisson", "rate_hz": 0.8, "count": 30, "programs": "all",
        "instructions": [1e9, 2e10], "target_share": [0.2, 0.6], "lifetime_s": [2.0, 30.0],
    }  # fmt: skip
    fields: dict[str, Any] = {
        "cooling": "board", "until": "done", "arrivals": arrivals, "faults": faults,
        "ambient": [(0.0, ambient_c), (8.3, ambient_c + 4.0)],
        "cap": [(0.0, 4.0), (5.0, 9.0)],
    }  # fmt: skip
    return load_scenario("mixed-20").with_(**(fields | changes))


steps_s = st.lists(st.sampled_from([0.05, 0.5, 0.013, 2.0, 0.35]), min_size=4, max_size=8)


@pytest.mark.parametrize("name", ["hikey970", "jetson-tx2", "jetson-orin-nano"])
@settings(max_examples=4, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    ambient_c=st.sampled_from([20.0, 55.0, 75.0]),
    steps=steps_s,
    coast=st.booleans(),
)
def test_a_board_of_a_batch_is_the_scalar_board(
    name: str, seed: int, ambient_c: float, steps: list[float], coast: bool
) -> None:
    board = load_board(name)
    run_both(board, mixed(name, ambient_c), seed, [*steps, 5.0], coast=coast)


def test_boards_that_shut_down_fan_and_coast_are_the_scalar_boards() -> None:
    board = tiny_board(
        {
            "limits.trips": [
                trip("fan", 34.0, fan_level=1),
                trip("fan", 40.0, fan_level=2),
                trip("throttle", 44.0, domains=("big", "little")),
                trip("shutdown", 75.0),
            ]
        }
    )
    scenario = load_scenario("train-cap").with_(ambient=[(0.0, 25.0), (40.0, 48.0), (90.0, 72.0)])
    batch = run_both(board, scenario, 1, [0.05, 3.0, 20.0, 40.0, 60.0, 100.0])
    assert batch.get("off").all()
    assert batch.get("fan").min() > 0


def test_jobs_wait_when_every_slot_is_taken() -> None:
    board = load_board("hikey970")
    arrivals = {
        "process": "poisson", "rate_hz": 40.0, "count": 40, "programs": "all",
        "instructions": [1e9, 5e9], "target_share": [0.2, 0.6], "lifetime_s": [1.0, 60.0],
    }  # fmt: skip
    scenario = load_scenario("mixed-20").with_(arrivals=arrivals)
    batch = run_both(board, scenario, 3, [0.05, 1.0, 1.0, 5.0, 20.0, 60.0])
    assert batch.get("finished").max() == 40


def test_some_boards_start_again_and_the_others_go_on() -> None:
    board, scenario = load_board("jetson-tx2"), mixed("jetson-tx2", 25.0)
    batch = BatchSimulator(board, 10, scenario=scenario, seeds=5)
    batch.advance(3.0)
    batch.reset(which=[2, 7], seeds=[50 + i for i in range(10)])
    batch.advance(2.0)
    for i in range(10):
        sim = Simulator(board, scenario=scenario, seed=50 + i if i in (2, 7) else 5 + i)
        if i not in (2, 7):
            sim.advance(3.0)
        sim.advance(2.0)
        truth_c = list(sim.node_temps_c().values())
        assert batch.node_temps_c()[i] == pytest.approx(truth_c, abs=1e-6)


def test_every_board_may_have_its_own_scenario() -> None:
    board = load_board("hikey970")
    scenarios = [mixed("hikey970", 20.0 + 5 * i) for i in range(9)]
    batch = BatchSimulator(board, 9, scenario=scenarios, seeds=2)
    batch.advance(7.0)
    for i, scenario in enumerate(scenarios):
        sim = Simulator(board, scenario=scenario, seed=2 + i)
        sim.advance(7.0)
        assert batch.node_temps_c()[i] == pytest.approx(list(sim.node_temps_c().values()), abs=1e-6)


def warmer(board: Board, rng: np.random.Generator) -> Board:
    """A draw for tests: every heat capacity between half and twice what the board states."""
    thermal = board.thermal
    values = [float(c * rng.uniform(0.5, 2.0)) for c in thermal.capacity_j_per_k.value]
    capacity = thermal.capacity_j_per_k.model_copy(update={"value": tuple(values)})
    return board.model_copy(
        update={"thermal": thermal.model_copy(update={"capacity_j_per_k": capacity})}
    )


def test_a_board_is_drawn_for_every_block_of_32() -> None:
    board, scenario = load_board("hikey970"), mixed("hikey970", 30.0)
    batch = BatchSimulator(board, 40, scenario=scenario, seeds=8, sample=warmer)
    batch.advance(6.0)
    assert batch.board_of(0) is batch.board_of(31)
    for i in (0, 31, 32, 39):
        sim = Simulator(batch.board_of(i), scenario=scenario, seed=8 + i)
        sim.advance(6.0)
        assert batch.node_temps_c()[i] == pytest.approx(list(sim.node_temps_c().values()), abs=1e-6)
    again = BatchSimulator(board, 40, scenario=scenario, seeds=8, sample=warmer)
    assert again.board_of(33).thermal == batch.board_of(33).thermal
    assert batch.board_of(0).thermal != batch.board_of(33).thermal


def test_threads_change_nothing() -> None:
    board, scenario = load_board("hikey970"), mixed("hikey970", 25.0)
    one = BatchSimulator(board, 70, scenario=scenario, seeds=4)
    two = BatchSimulator(board, 70, scenario=scenario, seeds=4, threads=2)
    assert np.array_equal(one.advance(5.0), two.advance(5.0), equal_nan=True)
    two.close()
    two.close()


@pytest.mark.parametrize("n_boards", [1, 90, 900])
def test_every_row_of_a_group_lies_in_one_line_of_the_cache(n_boards: int) -> None:
    batch = BatchSimulator(load_board("hikey970"), n_boards)
    assert batch.floats.ctypes.data % 64 == batch.whole.ctypes.data % 64 == 0
    assert batch.floats.strides[1] == batch.whole.strides[1] == 64


def test_float32_stays_near_float64() -> None:
    board, scenario = load_board("hikey970"), load_scenario("mixed-20")
    exact = BatchSimulator(board, 64, scenario=scenario, seeds=4)
    short = BatchSimulator(board, 64, scenario=scenario, seeds=4, dtype=np.float32)
    exact.advance(120.0)
    short.advance(120.0)
    difference_k = np.abs(exact.node_temps_c() - short.node_temps_c()).max(axis=1)
    assert np.median(difference_k) <= 0.05


def test_readings_are_given_without_a_copy() -> None:
    batch = BatchSimulator(load_board("jetson-tx2"), 3)
    seen = np.from_dlpack(batch.readings)
    batch.advance(1.0)
    assert seen[:, 0].tolist() == [1.0, 1.0, 1.0]
    assert np.shares_memory(batch.temps_c, batch.readings)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"n_boards": 0}, "give 1 or more"),
        ({"n_boards": 2, "threads": 0}, "give 1 or more"),
        ({"n_boards": 2, "dtype": np.float16}, "give np.float64 or np.float32"),
        ({"n_boards": 2, "seeds": [1]}, "1 seeds for 2 boards"),
        ({"n_boards": 2, "scenario": [None]}, "1 scenarios for 2 boards"),
        ({"n_boards": 2, "keep_lives": True, "device": "cpu"}, "leave out device 'cpu'"),
    ],
)
def test_what_cannot_be_a_batch_is_refused_in_one_line(given_: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        BatchSimulator(load_board("hikey970"), **given_)
    assert "\n" not in str(caught.value)


def test_phases_that_do_not_fit_an_entry_of_a_plan_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch_plan, "places", lambda job, boards: (0, 40_000))
    with pytest.raises(ValueError, match="has 40000 phases; a batch takes 32767 at most"):
        BatchSimulator(load_board("hikey970"), 1, scenario=load_scenario("mixed-20"))
