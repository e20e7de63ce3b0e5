"""Planning on twins: what is measured there, what fits, the policies, what the sensor will show."""

from dataclasses import replace

import numpy as np
import pytest

from edgetwin.backend import run
from edgetwin.factory import make_backend
from edgetwin.policies import make_policy
from edgetwin.scenario import load_scenario
from edgetwin.simulator import Simulator
from edgetwin.systems.planner.efficiency import table_efficiency
from edgetwin.systems.planner.meter import Care, highest_of, input_rail
from edgetwin.systems.planner.on_board import Task, board_task
from hw_models.board import load_board
from hw_models.workloads import load_network

NEEDED = {16: 142_500.0, 32: 124_500.0, 64: 138_000.0, 128: 147_000.0}


def task(board: str = "jetson-tx2", **options: object) -> Task:
    """A small ResNet on a board."""
    needed = table_efficiency(NEEDED)
    return board_task(load_board(board), load_network("resnet-18-cifar"), needed, **options)  # type: ignore[arg-type]


def test_a_meter_measures_what_the_counters_of_the_twin_say() -> None:
    made = task()
    care = Care(longest_s=600.0)
    meter = made.meter(make_backend("sim", board=made.board, seed=3), care)
    truth = made.truth(Simulator(made.board), care)
    for at in (0, 20, 51):
        point = meter.measure(at)
        assert point is not None
        assert point.time_s == pytest.approx(truth.belief.time_s[at], rel=1e-6)
        assert point.mean_w == pytest.approx(truth.belief.mean_w[at], rel=0.005)
        assert point.peak_w == pytest.approx(truth.belief.peak_w[at], rel=0.01)
    assert meter.spent_s > 0
    assert set(meter.temps_c) == {0, 20, 51}


def test_the_highest_of_many_readings_stays_below_its_quantile() -> None:
    rng = np.random.default_rng(0)
    highest = rng.standard_normal((2000, 600)).max(axis=1)
    assert (highest > highest_of(600)).mean() < 0.02
    assert highest_of(36_000) > highest_of(600)


def test_a_cell_hotter_than_the_safety_temperature_is_refused() -> None:
    made = task()
    cold = Care(safe_c=30.0, longest_s=0.0)
    meter = made.meter(make_backend("sim", board=made.board), cold)
    assert meter.measure(len(made.space) - 1) is None


def test_a_cell_that_passes_the_abort_power_is_left_at_once() -> None:
    made = task()
    hurry = Care(longest_s=0.0, abort_w=6.0, fewest=40)
    meter = made.meter(make_backend("sim", board=made.board), hurry)
    point = meter.measure(made.space.find(128, 1.3005e9))
    assert point is not None
    assert point.peak_w > 6.0
    assert meter.spent_s < 610.0


def test_a_board_s_plan_keeps_the_cap_and_is_near_the_optimum() -> None:
    made = task()
    care = Care(longest_s=600.0, caps_w=(7.0,))
    plan = made.plan(made.meter(make_backend("sim", board=made.board), care), 7.0)
    judged = made.judged(plan, care)
    assert judged["gap"] < 0.03
    assert judged["true"]["peak_power_w"] <= 7.0
    assert set(judged["choice"]["freq_hz"]) == {"a57", "gpu"}


def test_the_memory_s_clock_may_be_chosen_too() -> None:
    made = task(chooses_memory=True)
    emc = made.board.clocks["emc"].freqs_hz.value
    assert len(made.space) == 4 * 13 * len(emc)
    care = Care(longest_s=0.0)
    plan = made.plan(made.meter(make_backend("sim", board=made.board), care), 7.0, points=18)
    assert set(plan.choice.label["freq_hz"]) == {"a57", "gpu", "emc"}
    assert plan.choice.peak_power_w <= 7.0


def test_a_batch_that_does_not_fit_the_memory_names_the_largest_that_does() -> None:
    needed = table_efficiency({16: 1e5, 4096: 1e5})
    board, network = load_board("jetson-nano"), load_network("mobilenet-v2")
    with pytest.raises(ValueError, match="the largest batch of the list that fits is 16"):
        board_task(board, network, needed, batches=(16, 4096))
    assert board_task(board, network, needed).space.batches == (16,)


def test_a_board_without_a_power_sensor_cannot_be_planned_for() -> None:
    with pytest.raises(ValueError, match="no sensor of its input power"):
        input_rail(load_board("hikey970"))


@pytest.mark.parametrize("name", ["planner", "fixed-batch"])
def test_the_policies_keep_the_cap_of_training_v0(name: str) -> None:
    scenario = load_scenario("train-cap")
    backend = make_backend("sim", board="jetson-nano", scenario=scenario.with_(cap=4.0))
    made = run(backend, make_policy(name), duration_s=60.0, scenario=scenario.with_(cap=4.0))
    assert made.kpis["cap_violation_time_share"] == 0.0
    assert (made.kpis["samples_done"] or 0.0) > 0


def test_the_planner_is_no_slower_than_the_fixed_batch_and_near_the_best_constant_action() -> None:
    # Brute force over all actions of the environment takes 1979 s (docs of Training-v0).
    scenario = load_scenario("train-cap")
    times_s = {}
    for name in ("planner", "fixed-batch"):
        backend = make_backend("sim", board="jetson-tx2", scenario=scenario)
        made = run(backend, make_policy(name), duration_s=7200.0, scenario=scenario)
        times_s[name] = made.kpis["time_to_target_s"] or np.inf
        assert made.kpis["cap_violation_time_share"] == 0.0
    assert times_s["planner"] <= times_s["fixed-batch"]
    assert times_s["planner"] <= 1.02 * 1979.0


def test_caps_that_change_are_followed() -> None:
    scenario = load_scenario("train-cap-steps")
    backend = make_backend("sim", board="jetson-tx2", scenario=scenario)
    made = run(backend, make_policy("planner"), duration_s=7200.0, scenario=scenario)
    assert (made.kpis["cap_violation_time_share"] or 0.0) < 0.002
    assert made.kpis["time_to_target_s"] is not None


def test_a_policy_that_was_told_no_jobs_turns_nothing() -> None:
    backend = make_backend("sim", board="jetson-tx2", scenario="train-cap")
    reading = backend.reset(seed=0)
    policy = make_policy("planner")
    policy.reset(backend.board, seed=0)
    assert policy(reading).freq_hz == {}


def test_care_sharpens_a_peak_that_lies_at_the_cap() -> None:
    made = task()
    care = Care(longest_s=0.0)
    at = made.space.find(64, 930.75e6)
    plain = made.meter(make_backend("sim", board=made.board), care)
    first = plain.measure(at)
    assert first is not None
    sharp = made.meter(make_backend("sim", board=made.board), replace(care, caps_w=(first.peak_w,)))
    sharp.measure(at)
    assert sharp.spent_s > plain.spent_s
