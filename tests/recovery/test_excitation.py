"""A plan pins what can be pinned, keeps the board cool, and is shorter than trying everything."""

import numpy as np
import pytest
from known_truths import NOISE_K, NOISE_SHARE, UNKNOWN, board, run, truth

from hw_models.fit import ExcitationPlan, fit_joint, plan_excitation
from hw_models.fit.segments import inputs, library

FREE = tuple(UNKNOWN)


@pytest.fixture(scope="module")
def plan() -> ExcitationPlan:
    return plan_excitation(board(), safe_c=70.0, free=FREE)


def test_a_plan_stays_below_its_safety_temperature(plan: ExcitationPlan) -> None:
    assert plan.hottest_c <= plan.safe_c == 70.0
    cooler = plan_excitation(board(), safe_c=40.0, free=FREE)
    assert cooler.hottest_c <= 40.0


def test_a_plan_takes_less_than_the_whole_library(plan: ExcitationPlan) -> None:
    everything_s = sum(s.duration_s for s in library(board(), 70.0, 25.0))
    assert 0.0 < plan.duration_s < 0.7 * everything_s


def test_segments_name_operating_points_and_loads_of_the_board(plan: ExcitationPlan) -> None:
    tiny = board()
    units = {unit.name for unit in tiny.unit_list}
    for segment in plan.segments:
        assert set(segment.freq_hz) == set(tiny.clocks)
        for domain, hz in segment.freq_hz.items():
            tiny.opp(domain, hz)
        assert set(segment.busy) <= units
        assert all(0.0 <= load <= 1.0 for load in segment.busy.values())
        assert 0.0 <= segment.memory_busy <= 1.0
        assert segment.fan in (0, 1, 2)


def test_a_fit_of_the_planned_run_is_as_sharp_as_promised(plan: ExcitationPlan) -> None:
    tiny, rng = board(), np.random.default_rng(21)
    values = truth(tiny, rng)
    seen = inputs(tiny, plan.segments, plan.period_s)
    result = fit_joint(tiny, [run(tiny, values, rng, seen=seen)], free=FREE)
    for path in FREE:
        p = result[path]
        assert abs(p.value - values[path]) < 4.0 * p.std
        if p.status == "pinned":
            assert p.std < 2.0 * plan.expected_std[path]


def test_a_board_too_hot_at_rest_is_refused() -> None:
    with pytest.raises(ValueError, match=r"passes 26 degC even at rest in air of 25 degC"):
        plan_excitation(board(), safe_c=26.0, ambient_c=25.0, free=FREE)


def test_the_noise_of_these_tests_is_that_of_the_board() -> None:
    tiny = board()
    assert tiny.sensors.zones["cpu"].noise_k.value == NOISE_K
    assert tiny.sensors.rails["vdd_in"].noise.value == NOISE_SHARE
