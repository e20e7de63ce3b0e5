"""A plan is decided by its seeds alone, and each thing drawn has a stream of its own."""

import pickle
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetwin.scenario import Arrival, Scenario
from hw_models.board import Board, load_board
from hw_models.jobs import Application
from hw_models.workloads import parsec_names, polybench_names

SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.integers(1, 30)
FAST = settings(max_examples=25, deadline=None)


@cache
def board() -> Board:
    return load_board("hikey970")


def mixed(**changes: object) -> Scenario:
    arrivals = {
        "process": "poisson",
        "rate_hz": 0.5,
        "count": 12,
        "instructions": [1e9, 1e11],
        "target_share": [0.2, 0.6],
        "lifetime_s": [10, 40],
    }
    return Scenario.model_validate(
        {"name": "mixed", "title": "mixed", "duration_s": 60, "arrivals": arrivals | changes}
    )


def drawn(seed: int, **changes: object) -> tuple[Arrival, ...]:
    return mixed(**changes).realise(board(), seed=seed).arrivals


def job(arrival: Arrival) -> Application:
    assert isinstance(arrival.job, Application)
    return arrival.job


def times_s(arrivals: tuple[Arrival, ...]) -> list[float]:
    return [a.t_s for a in arrivals]


def programs(arrivals: tuple[Arrival, ...]) -> list[str]:
    return [job(a).profile.name for a in arrivals]


def sizes(arrivals: tuple[Arrival, ...]) -> list[float]:
    return [job(a).instructions for a in arrivals]


def record(arrivals: tuple[Arrival, ...]) -> list[tuple[object, ...]]:
    return [
        (a.t_s, a.id, a.unit, a.lifetime_s, job(a).instructions, job(a).target_ips)
        for a in arrivals
    ]


@FAST
@given(seed=SEEDS)
def test_the_same_seed_draws_the_same_plan_bit_for_bit(seed: int) -> None:
    assert record(drawn(seed)) == record(drawn(seed))


@FAST
@given(seed=SEEDS)
def test_another_seed_of_the_run_or_of_the_file_draws_another_plan(seed: int) -> None:
    other_file = mixed().with_(seed=1).realise(board(), seed=seed).arrivals
    assert times_s(drawn(seed)) != times_s(drawn(seed + 1))
    assert times_s(drawn(seed)) != times_s(other_file)


@FAST
@given(seed=SEEDS)
def test_other_jobs_do_not_shift_the_times(seed: int) -> None:
    usual = drawn(seed)
    other = drawn(seed, programs=["adi"], instructions=5e9, target_share=None, lifetime_s=None)
    assert times_s(usual) == times_s(other)


@FAST
@given(seed=SEEDS, rate_hz=st.floats(0.01, 10))
def test_the_rate_stretches_time_and_keeps_the_jobs(seed: int, rate_hz: float) -> None:
    usual, other = drawn(seed), drawn(seed, rate_hz=rate_hz)
    assert [r[2:] for r in record(usual)] == [r[2:] for r in record(other)]
    assert np.allclose(np.array(times_s(usual)) * 0.5, np.array(times_s(other)) * rate_hz)


@FAST
@given(seed=SEEDS)
def test_each_thing_drawn_keeps_to_its_own_stream(seed: int) -> None:
    usual = drawn(seed)
    other_targets = drawn(seed, target_share={"choices": [0.2, 0.5]})
    assert programs(usual) == programs(other_targets) and sizes(usual) == sizes(other_targets)
    other_programs = drawn(seed, programs="parsec")
    assert sizes(usual) == sizes(other_programs)
    assert [a.lifetime_s for a in usual] == [a.lifetime_s for a in other_programs]


@FAST
@given(seed=SEEDS, count=COUNTS, more=COUNTS)
def test_a_longer_run_begins_like_a_shorter_one(seed: int, count: int, more: int) -> None:
    short, long = drawn(seed, count=count), drawn(seed, count=count + more)
    assert record(short) == record(long[:count])
    assert len(long) == count + more


@FAST
@given(seed=SEEDS, low=st.floats(0.05, 0.7), width=st.floats(0, 0.7))
def test_draws_stay_between_low_and_high(seed: int, low: float, width: float) -> None:
    for a in drawn(seed, target_share=[low, low + width], programs=["adi"]):
        peak_ips = job(drawn(0, count=1, target_share=1.0, programs=["adi"])[0]).target_ips
        assert peak_ips is not None and job(a).target_ips is not None
        share = job(a).target_ips / peak_ips  # type: ignore[operator]
        assert low * (1 - 1e-12) <= share <= (low + width) * (1 + 1e-12)
        assert 1e9 * (1 - 1e-12) <= job(a).instructions <= 1e11 * (1 + 1e-12)
        assert a.lifetime_s is not None and 10.0 <= a.lifetime_s <= 40.0


@FAST
@given(seed=SEEDS, rate_hz=st.floats(0.05, 2), first_at_s=st.floats(0, 50))
def test_arrivals_fall_inside_their_window(seed: int, rate_hz: float, first_at_s: float) -> None:
    window = drawn(seed, count=None, duration_s=40, rate_hz=rate_hz, first_at_s=first_at_s)
    when_s = times_s(window)
    assert when_s[0] == first_at_s and when_s == sorted(when_s)
    assert when_s[-1] <= first_at_s + 40


def test_gaps_are_exponential_and_instructions_even_in_their_logarithm() -> None:
    many = drawn(7, count=4000)
    gaps_s = np.diff(times_s(many))
    assert np.mean(gaps_s) == pytest.approx(2.0, abs=4 * 2.0 / np.sqrt(4000))
    assert np.mean(gaps_s > 2.0) == pytest.approx(np.exp(-1), abs=0.03)
    assert np.mean(np.log10(sizes(many))) == pytest.approx(10.0, abs=4 * 0.577 / np.sqrt(4000))


def test_programs_are_drawn_evenly_from_their_set() -> None:
    names = programs(drawn(3, count=3600))
    known = {*polybench_names(), *parsec_names()}
    assert set(names) == known
    counts = np.array([names.count(n) for n in known])
    expected = 3600 / len(known)
    # chi-square with len - 1 degrees of freedom: mean len - 1, standard deviation sqrt(2 (len - 1))
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < len(known) - 1 + 4 * np.sqrt(2 * (len(known) - 1))


def test_a_plan_travels_to_another_process() -> None:
    plan = mixed()
    arrivals = plan.realise(board(), seed=5).arrivals
    assert record(pickle.loads(pickle.dumps(arrivals))) == record(arrivals)
    assert pickle.loads(pickle.dumps(plan)) == plan
