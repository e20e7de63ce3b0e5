"""Each governor keeps to its published rule; trips, fan and shutdown act as the board file says."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny_board import application, network, program, tiny_board, trip

from edgetwin.scenario import Scenario
from edgetwin.simulator import Simulator
from hw_models.board import Board, Knobs
from hw_models.board_schema import Governor
from hw_models.jobs import TrainingJob
from hw_models.trace import Reading

PERIOD_S = 0.05
BIG_HZ = [0.5e9, 1.0e9, 1.5e9, 2.0e9]
GPU_HZ = [0.2e9, 0.4e9, 0.8e9]
TINY = tiny_board()


def governed(board: Board, **governor: Governor) -> Simulator:
    """A simulator whose named domains have these governors."""
    sim = Simulator(board)
    sim.apply(Knobs(governor=governor))
    return sim


def periods(sim: Simulator, n: int) -> list[Reading]:
    """The readings at the ends of n control periods."""
    return [sim.advance(PERIOD_S).last for _ in range(n)]


def big_ghz(readings: list[Reading]) -> list[float]:
    """Clock of the big cluster, in GHz to keep expectations short."""
    return [reading.freq_hz["big"] / 1e9 for reading in readings]


# -- fixed clocks -----------------------------------------------------------------------------


def test_performance_stays_at_the_top_and_powersave_at_the_bottom() -> None:
    sim = governed(TINY, big="powersave", little="performance")
    sim.submit(application(), "big0")
    reading = sim.advance(1.0).last
    assert (reading.freq_hz["big"], reading.freq_hz["little"]) == (0.5e9, 1.5e9)
    sim.apply(Knobs(governor={"big": "performance"}))
    assert sim.advance(PERIOD_S).last.freq_hz["big"] == 2.0e9


def test_userspace_keeps_the_clock_it_finds_until_told_otherwise() -> None:
    sim = Simulator(TINY)
    sim.apply(Knobs(freq_hz={"big": 1.0e9}))
    sim.apply(Knobs(governor={"big": "performance"}))
    sim.apply(Knobs(governor={"big": "userspace"}))
    assert sim.advance(1.0).last.freq_hz["big"] == 1.0e9
    sim.apply(Knobs(freq_hz={"big": 1.5e9}))
    assert sim.advance(1.0).last.freq_hz["big"] == 1.5e9


def test_a_clock_runs_after_its_transition_time() -> None:
    sim = Simulator(TINY)
    sim.apply(Knobs(freq_hz={"gpu": 0.2e9}))
    assert sim.advance(0.999e-3).last.freq_hz["gpu"] == 0.8e9
    assert sim.advance(0.002e-3).last.freq_hz["gpu"] == 0.2e9


def test_a_request_that_is_taken_back_in_time_changes_nothing() -> None:
    sim = Simulator(TINY)
    sim.apply(Knobs(freq_hz={"gpu": 0.2e9}))
    sim.advance(0.5e-3)
    sim.apply(Knobs(freq_hz={"gpu": 0.8e9}))
    assert {sim.advance(1e-4).last.freq_hz["gpu"] for _ in range(20)} == {0.8e9}


# -- by utilisation ----------------------------------------------------------------------------


def on_gpu(governor: Governor, overhead_s: float) -> tuple[Simulator, Callable[[float], float]]:
    """A training job that leaves the GPU idle for a part of every step, and that part by hand."""
    board = tiny_board(
        {
            "clocks.gpu.transition_s": [0.0] * 3,
            "performance.accelerators.gpu-core.overhead_s": overhead_s,
            "performance.accelerators.gpu-core.launch_cycles": 0.0,
            "performance.accelerators.gpu-core.half_flops_per_kernel": 0.0,
        }
    )
    net = network(train_flops=5e8, train_bytes=0.0, step_bytes=0.0)
    sim = governed(board, gpu=governor)
    sim.submit(TrainingJob(network=net, batch=1, samples_to_target={1: 1e9}), "gpu0")
    cycles = 5e8 / (100.0 * 0.5)
    return sim, lambda hz: (cycles / hz) / (cycles / hz + overhead_s)


def ondemand(busy: float, _: float) -> float:
    """To the top above 80 %, else in proportion between the lowest and the highest clock."""
    hz = GPU_HZ[0] + busy * (GPU_HZ[-1] - GPU_HZ[0])
    return GPU_HZ[-1] if busy > 0.8 else next(f for f in GPU_HZ if f >= hz)


def schedutil(busy: float, now_hz: float) -> float:
    """The lowest clock of at least 1.25 times what is used of the present one."""
    return next((f for f in GPU_HZ if f >= 1.25 * busy * now_hz), GPU_HZ[-1])


@pytest.mark.parametrize("overhead_s", [1e-3, 8e-3, 30e-3, 90e-3, 0.4, 2.0])
@pytest.mark.parametrize("rule", [ondemand, schedutil])
def test_utilisation_governors_follow_their_rule(
    rule: Callable[[float, float], float], overhead_s: float
) -> None:
    """Every period's clock is what the rule says about the period before."""
    sim, busy = on_gpu("ondemand" if rule is ondemand else "schedutil", overhead_s)
    readings = periods(sim, 12)
    # At t = 0 nothing has run yet: the first period is spent at the lowest clock.
    assert readings[0].freq_hz["gpu"] == GPU_HZ[0]
    for before, after in pairwise(readings):
        now_hz = before.freq_hz["gpu"]
        assert before.busy["gpu0"] == pytest.approx(busy(now_hz), rel=1e-9)
        assert after.freq_hz["gpu"] == rule(busy(now_hz), now_hz)


def test_ondemand_goes_to_the_top_at_once_and_back_when_idle() -> None:
    sim = governed(TINY, big="ondemand")
    assert set(big_ghz(periods(sim, 4))) == {0.5}
    sim.submit(application(instructions=0.2e9 * 2.0), "big0")
    ghz = big_ghz(periods(sim, 12))
    assert ghz[:3] == [0.5, 2.0, 2.0]
    assert ghz[-1] == 0.5


def test_schedutil_climbs_by_a_quarter_more_than_is_used() -> None:
    """A busy core asks for 1.25 times its clock: one step up each period on this board."""
    sim = governed(TINY, big="schedutil")
    sim.submit(application(), "big0")
    assert big_ghz(periods(sim, 6)) == [0.5, 1.0, 1.5, 2.0, 2.0, 2.0]


def test_memory_scales_with_its_traffic() -> None:
    """Utilisation of the memory clock is traffic over bandwidth."""
    board = tiny_board({"clocks.mem.governors": ["performance", "ondemand"]})
    sim = governed(board, mem="ondemand")
    assert periods(sim, 3)[-1].freq_hz["mem"] == 0.8e9
    sim.submit(application(program(cycles=1.0, dram_bytes=1.5)), "big0")
    assert periods(sim, 5)[-1].freq_hz["mem"] == 1.6e9


# -- by target ---------------------------------------------------------------------------------


lines = {
    "cycles": st.floats(0.3, 4.0),
    "stall_s": st.floats(0.0, 2e-9) | st.just(0.0),
    "target_ips": st.floats(1e7, 4e9),
}


def settled(start: int, cycles: float, stall_s: float, target_ips: float) -> list[int]:
    """The big cluster's level in nine periods, the program having run at `start` before."""
    sim = Simulator(TINY)
    sim.apply(Knobs(freq_hz={"big": BIG_HZ[start]}))
    profile = program(cycles=cycles, stall_s=stall_s)
    sim.submit(application(profile, target_ips=target_ips), "big0")
    sim.advance(PERIOD_S)  # a program that has not run yet has no rate to go by
    sim.apply(Knobs(governor={"big": "qos-dvfs"}))
    return [start, *(BIG_HZ.index(r.freq_hz["big"]) for r in periods(sim, 8))]


@settings(max_examples=60)
@given(**lines)
def test_qos_dvfs_climbs_to_the_lowest_clock_that_meets_the_target(
    cycles: float, stall_s: float, target_ips: float
) -> None:
    """One level a period and not one too many; the top where no clock is enough."""
    ips = [1.0 / (cycles / hz + stall_s) for hz in BIG_HZ]
    assume(all(abs(rate / target_ips - 1.0) > 1e-6 for rate in ips))
    goal = next((i for i, rate in enumerate(ips) if rate >= target_ips), 3)
    levels = settled(0, cycles, stall_s, target_ips)
    assert levels == [min(i, goal) for i in range(9)]


@settings(max_examples=60)
@given(**lines)
def test_qos_dvfs_descends_without_missing_the_target(
    cycles: float, stall_s: float, target_ips: float
) -> None:
    """The rule f_now * target / rate overestimates what stalls need, so it may stop early.

    It stops at the lowest clock where the program does not stall, and never below.
    """
    ips = [1.0 / (cycles / hz + stall_s) for hz in BIG_HZ]
    need_hz = [hz * target_ips / rate for hz, rate in zip(BIG_HZ, ips, strict=True)]
    assume(all(abs(need / hz - 1.0) > 1e-6 for need in need_hz for hz in BIG_HZ))
    goal = next((i for i, rate in enumerate(ips) if rate >= target_ips), 3)
    levels = settled(3, cycles, stall_s, target_ips)
    assert {b - a for a, b in pairwise(levels)} <= {0, -1}
    stop = 3
    while stop > 0 and need_hz[stop] <= BIG_HZ[stop - 1]:
        stop -= 1
    assert levels == [max(3 - i, stop) for i in range(9)]
    assert stop >= goal and (stop == goal or stall_s > 0.0)


def test_qos_dvfs_moves_one_level_per_period() -> None:
    sim = governed(TINY, big="powersave")
    sim.submit(application(program(cycles=1.0), target_ips=1.9e9), "big0")
    sim.advance(PERIOD_S)
    sim.apply(Knobs(governor={"big": "qos-dvfs"}))
    assert big_ghz(periods(sim, 5)) == [1.0, 1.5, 2.0, 2.0, 2.0]


def test_qos_dvfs_follows_the_most_demanding_application() -> None:
    sim = governed(TINY, big="qos-dvfs")
    sim.submit(application(program(cycles=1.0), target_ips=0.4e9), "big0")
    sim.submit(application(program(cycles=1.0), target_ips=1.4e9), "big1", name="demanding")
    assert big_ghz(periods(sim, 6))[-1] == 1.5
    sim.withdraw("demanding")
    assert big_ghz(periods(sim, 6))[-1] == 0.5


def test_qos_dvfs_lets_an_empty_cluster_rest() -> None:
    sim = governed(TINY, big="qos-dvfs", little="qos-dvfs")
    sim.submit(application(target_ips=1e8), "little0")
    assert big_ghz(periods(sim, 5)) == [1.5, 1.0, 0.5, 0.5, 0.5]


def test_qos_dvfs_holds_still_right_after_a_migration() -> None:
    """Both clusters keep their clocks for the period in which the job moves and has no rate."""
    sim = governed(TINY, big="qos-dvfs")
    sim.submit(application(program(cycles=1.0), target_ips=1.2e9), "big0", name="a")
    assert big_ghz(periods(sim, 6))[-1] == 1.5
    sim.apply(Knobs(placement={"a": "little0"}, governor={"little": "qos-dvfs"}))
    readings = periods(sim, 3)
    assert big_ghz(readings) == [1.5, 1.0, 0.5]
    assert [r.freq_hz["little"] / 1e9 for r in readings] == [1.5, 1.5, 1.5]


def test_qos_dvfs_does_not_judge_a_core_by_the_rate_on_another() -> None:
    """2e9 on the fast core says nothing about the slow one, which is asked a period later."""
    sim = governed(TINY, big="performance", little="performance")
    sim.submit(application(program(cycles=1.0), target_ips=0.45e9), "big0", name="a")
    sim.advance(PERIOD_S)
    sim.apply(Knobs(placement={"a": "little0"}, governor={"little": "qos-dvfs"}))
    assert [r.freq_hz["little"] / 1e9 for r in periods(sim, 3)] == [1.5, 1.0, 1.0]


# -- trips -------------------------------------------------------------------------------------


def heated(*trips: dict[str, object], changes: dict[str, Any] | None = None) -> Simulator:
    """A board with these trips whose big cluster is busy."""
    sim = Simulator(tiny_board({"limits.trips": list(trips), **(changes or {})}))
    sim.submit(application(), "big0", name="a")
    sim.submit(application(), "big1", name="b")
    return sim


def test_a_throttle_trip_takes_one_level_a_poll_and_gives_it_back() -> None:
    sim = heated(trip("throttle", 41.0, hysteresis_k=1.5, domains=("big",)))
    readings = periods(sim, 400)
    ghz = big_ghz(readings)
    first = next(i for i, reading in enumerate(readings) if reading.throttled)
    # The sensor is read, then the board acts: the reading before the first step is too hot.
    assert (readings[first - 1].temps_c["cpu"] or 0.0) >= 41.0
    assert max(r.temps_c["cpu"] or 0.0 for r in readings[: first - 1]) < 41.0
    steps = [round((b - a) / 0.5) for a, b in pairwise(ghz)]
    assert set(steps) == {-1, 0, 1}
    assert ghz[first] == 1.5
    for i, step in enumerate(steps):
        temp_c = readings[i].temps_c["cpu"] or 0.0
        if 39.5 <= temp_c < 41.0:
            assert step == 0, "in the band nothing moves"
        if temp_c >= 41.0 and ghz[i] > 0.5:
            assert step == -1
        if temp_c < 39.5 and ghz[i] < 2.0:
            assert step == 1


def test_a_throttled_clock_refuses_what_is_above_its_ceiling() -> None:
    sim = heated(trip("throttle", 30.0, domains=("big",)))
    sim.advance(1.0)
    applied = sim.apply(Knobs(freq_hz={"big": 2.0e9}))
    assert applied.refused == {
        "freq_hz.big": "the board allows 500000000 Hz now (power mode or heat)"
    }
    assert applied.accepted == Knobs()
    reading = sim.advance(1.0).last
    assert reading.throttled and reading.freq_hz["big"] == 0.5e9
    assert sim.kpis()["throttled_time_share"] == pytest.approx(1.0)


def test_trips_are_polled_as_often_as_the_board_does() -> None:
    sim = heated(trip("throttle", 30.0, domains=("big",)), changes={"limits.poll_s": 0.2})
    # Polls at 0, 0.2, 0.4, 0.6 s; the first takes the first level.
    assert big_ghz(periods(sim, 14)) == [1.5] * 4 + [1.0] * 4 + [0.5] * 6


def test_the_fan_turns_on_at_its_trip_and_off_below_its_hysteresis() -> None:
    sim = heated(trip("fan", 41.0, hysteresis_k=3.0, fan_level=2))
    up = periods(sim, 1200)
    sim.withdraw("a")
    sim.withdraw("b")
    readings = up + periods(sim, 2000)
    fans, temps_c = [r.fan for r in readings], [r.temps_c["cpu"] or 0.0 for r in readings]
    on, off = fans.index(2), len(fans) - fans[::-1].index(2)
    assert on > 1 and off < len(fans)
    for i in range(1, len(fans)):
        before, temp_c = fans[i - 1], temps_c[i - 1]
        expected = 2 if temp_c >= 41.0 or (before == 2 and temp_c > 38.0) else 0
        assert fans[i] == expected


def test_a_hand_on_the_fan_overrides_its_trips() -> None:
    sim = heated(trip("fan", 30.0, fan_level=1))
    assert sim.advance(1.0).last.fan == 1
    sim.apply(Knobs(fan=2))
    assert sim.advance(1.0).last.fan == 2
    sim.apply(Knobs(fan=0))
    assert sim.advance(1.0).last.fan == 0
    sim.apply(Knobs(fan=-1))
    assert sim.advance(1.0).last.fan == 1


def test_the_board_goes_off_when_far_too_hot_and_cools() -> None:
    sim = heated(trip("shutdown", 41.0), trip("fan", 35.0, fan_level=1, hysteresis_k=1.0))
    sim.apply(Knobs(governor={"big": "ondemand"}))
    while not sim.done:
        reading = sim.advance(PERIOD_S).last
    off_s = reading.t_s
    assert sim.kpis()["peak_temp_c"] == pytest.approx(41.0, abs=0.2)
    energy_j = sim.advance(0.0).last.energy_j
    later = sim.advance(500.0).last
    assert later.t_s == pytest.approx(off_s + 500.0)
    assert later.energy_j == energy_j
    assert set(later.busy.values()) == {0.0}
    assert (later.freq_hz, later.fan) == (reading.freq_hz, reading.fan)
    assert {job.rate for job in later.jobs.values()} == {0.0}
    assert later.temps_c["cpu"] == pytest.approx(25.0, abs=1.0)
    assert 25.0 < (sim.kpis()["mean_temp_c"] or 0.0) < 41.0


# -- faults of control --------------------------------------------------------------------------


def broken(kind: str, target: str) -> Scenario:
    """A fault from 1 s to 2 s."""
    fault = {"kind": kind, "target": target, "at_s": 1.0, "duration_s": 1.0}
    data = {"name": "broken", "title": "it breaks", "duration_s": 9, "faults": [fault]}
    return Scenario.model_validate(data)


def test_a_forced_trip_throttles_what_its_zone_throttles() -> None:
    trips = [
        trip("throttle", 90.0, domains=("big",)),
        trip("throttle", 90.0, zone="skin", domains=("little",)),
        trip("fan", 90.0, fan_level=1),
        trip("shutdown", 100.0),
    ]
    board = tiny_board({"limits.trips": trips})
    sim = Simulator(board, scenario=broken("trip", "cpu"))
    assert not sim.advance(1.0).last.throttled
    reading = sim.advance(0.9).last
    assert reading.throttled and reading.fan == 1
    assert (reading.freq_hz["big"], reading.freq_hz["little"]) == (0.5e9, 1.5e9)
    after = sim.advance(1.0).last
    assert (after.throttled, after.fan, after.freq_hz["big"]) == (False, 0, 2.0e9)
    assert not sim.done


def test_a_refused_clock_stays_where_it_is() -> None:
    sim = Simulator(TINY, scenario=broken("clock-refused", "big"))
    sim.advance(1.5)
    applied = sim.apply(
        Knobs(freq_hz={"big": 0.5e9, "little": 0.5e9}, governor={"gpu": "powersave"})
    )
    assert applied.refused == {"freq_hz.big": "the clock refuses requests (fault)"}
    assert applied.accepted.freq_hz == {"little": 0.5e9}
    assert sim.apply(Knobs(governor={"big": "powersave"})).refused == {
        "governor.big": "the clock refuses requests (fault)"
    }
    assert sim.advance(0.4).last.freq_hz["big"] == 2.0e9
    sim.advance(0.5)
    assert sim.apply(Knobs(freq_hz={"big": 0.5e9})).refused == {}
    assert sim.advance(0.1).last.freq_hz["big"] == 0.5e9
