"""How fast work runs and what it draws: the equations by hand, on a board of round numbers."""

from dataclasses import replace
from itertools import pairwise
from math import hypot, inf, sqrt

import numpy as np
import pytest
from by_hand import load_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny_board import application, network, program, tiny_board, training

from edgetwin.simulator import Simulator
from hw_models.board import Board, Knobs
from hw_models.jobs import (
    Application,
    ApplicationProfile,
    ForwardJob,
    Job,
    TrainingJob,
    job_kind,
)
from hw_models.performance import contention, demand, forward_efficiency, kinds, roof_s

TINY = tiny_board(leakage=False)
Crowd = list[tuple[tuple[float, float, float, float], str]]
TOP = {"little": 2, "big": 3, "gpu": 2, "mem": 1}
seconds = st.floats(1e-6, 1e3)
norms = st.floats(1.0, 20.0)
units = st.sampled_from(["little0", "little1", "big0", "big1"])
demands = st.tuples(
    st.floats(0.3, 5.0), st.floats(0.0, 3e-9), st.floats(0.0, 4.0), st.floats(0.3, 1.5)
)


def rates_of(*placed: tuple[Job, str], board: Board = TINY) -> list[float]:
    """Work rates of jobs on units, all there from the start."""
    sim = Simulator(board)
    for i, (job, unit) in enumerate(placed):
        sim.submit(job, unit, name=str(i))
    return [job.rate for job in sim.advance(0.0).last.jobs.values()]


# -- the roof ---------------------------------------------------------------------------------


def test_the_roof_is_a_p_norm() -> None:
    assert roof_s(3.0, 4.0, 1.0) == pytest.approx(7.0, rel=1e-15)
    assert roof_s(3.0, 4.0, 2.0) == pytest.approx(5.0, rel=1e-15)
    assert roof_s(3.0, 4.0, 1e3) == pytest.approx(4.0, rel=1e-12)
    assert roof_s(3.0, 4.0, inf) == 4.0
    assert roof_s(3.0, 0.0, 2.0) == 3.0
    assert roof_s(0.0, 4.0, 2.0) == 4.0


@given(seconds, seconds, norms, norms)
def test_the_roof_lies_between_the_longer_part_and_the_sum(
    compute_s: float, memory_s: float, q: float, p: float
) -> None:
    found_s = roof_s(compute_s, memory_s, q)
    assert max(compute_s, memory_s) <= found_s * (1 + 1e-12)
    assert found_s <= (compute_s + memory_s) * (1 + 1e-12)
    assert found_s == pytest.approx(roof_s(memory_s, compute_s, q), rel=1e-14)
    if p > q:
        assert roof_s(compute_s, memory_s, p) <= found_s * (1 + 1e-12)


def test_contention_counts_neighbours_and_the_bandwidth_of_others() -> None:
    assert contention(0.0, 0.1, 0.0, 1.0) == 1.0
    assert contention(3.0, 0.1, 0.5, 0.8) == pytest.approx(1.0 + 0.3 + 0.4, rel=1e-15)
    assert contention(0.0, 0.1, 5.0, 0.8) == pytest.approx(1.8, rel=1e-15)


# -- programs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_time_per_instruction_is_a_line_in_the_clock_period(level: int) -> None:
    """CPI = cycles + stall * f, with the scales of the board."""
    board = tiny_board(
        {
            "performance.cores.fast-core.cycles_scale": 1.3,
            "performance.cores.fast-core.stall_scale": 0.7,
        }
    )
    hz = board.clocks["big"].freqs_hz.value[level]
    sim = Simulator(board)
    sim.apply(Knobs(freq_hz={"big": hz}))
    sim.submit(application(program(cycles=0.8, stall_s=5e-10)), "big0", name="a")
    rate = sim.advance(0.0).last.jobs["a"].rate
    assert hz / rate == pytest.approx(0.8 * 1.3 + 5e-10 * 0.7 * hz, rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_programs_that_share_a_core_share_its_time(n: int) -> None:
    job = application(program(cycles=1.0, stall_s=3e-10))
    (alone,) = rates_of((job, "big0"))
    assert rates_of(*[(job, "big0")] * n) == pytest.approx([alone / n] * n, rel=1e-12)


def test_a_neighbour_lengthens_stalls_and_not_computing() -> None:
    """Stall 0.5 ns grows by a tenth per busy neighbour; a program without stalls is untouched."""
    bound = application(program(cycles=1.0, stall_s=5e-10))
    free = application(program(cycles=1.0))
    both = rates_of((bound, "big0"), (free, "big1"))
    assert both == pytest.approx([1 / (0.5e-9 + 0.55e-9), 2e9], rel=1e-12)
    apart = rates_of((bound, "big0"), (free, "little0"))
    assert apart[0] == pytest.approx(1 / (0.5e-9 + 0.5e-9), rel=1e-12)


def test_traffic_of_others_lengthens_stalls_up_to_the_full_bandwidth() -> None:
    """Bandwidth is 4 bytes x 1.6 GHz = 6.4 GB/s; 2e9 x 1.6 bytes per second are half of it."""
    bound = application(program(cycles=1.0, stall_s=5e-10))
    half = application(program(cycles=1.0 * 1.5 / 2, dram_bytes=1.6, slow_factor=1.0))
    found = rates_of((bound, "big0"), (half, "little0"))
    assert found[0] == pytest.approx(1 / (0.5e-9 + 0.5e-9 * 1.5), rel=1e-12)
    flood = application(program(cycles=0.1, dram_bytes=100.0, slow_factor=1.0))
    found = rates_of((bound, "big0"), (flood, "little0"))
    assert found[0] == pytest.approx(1 / (0.5e-9 + 0.5e-9 * 2.0), rel=1e-12)


def drawn(crowd: Crowd) -> list[tuple[ApplicationProfile, str]]:
    """The programs of a crowd and their units."""
    return [
        (program(cycles=c, stall_s=s, dram_bytes=d, activity=a), unit)
        for (c, s, d, a), unit in crowd
    ]


@settings(max_examples=40)
@given(st.lists(st.tuples(demands, units), max_size=6), demands)
def test_company_on_another_core_never_makes_a_program_faster(
    crowd: Crowd, newcomer: tuple[float, float, float, float]
) -> None:
    free = next((u for u in ("little0", "big1") if u not in [unit for _, unit in crowd]), None)
    assume(free is not None and crowd)
    placed = drawn([*crowd, (newcomer, str(free))])
    jobs = [(application(profile), unit) for profile, unit in placed]
    before, after = rates_of(*jobs[:-1]), rates_of(*jobs)
    assert all(b <= a * (1 + 1e-12) for a, b in zip(before, after, strict=False))


@settings(max_examples=40)
@given(st.lists(st.tuples(demands, units), max_size=8))
def test_a_crowd_runs_and_draws_what_the_equations_say(crowd: Crowd) -> None:
    placed = drawn(crowd)
    sim = Simulator(TINY)
    for i, (profile, unit) in enumerate(placed):
        sim.submit(application(profile), unit, name=str(i))
    reading, load = sim.advance(0.0).last, load_of(TINY, placed, TOP)
    rates = [job.rate for job in reading.jobs.values()]
    assert rates == pytest.approx(load.rates, rel=1e-12)
    power_w = dict(zip(TINY.parts, sim.state["power_w"][0].tolist(), strict=False))
    assert power_w == pytest.approx(load.watts, rel=1e-12)
    assert all(0.0 <= busy <= 1.0 + 1e-12 for busy in reading.busy.values())


def test_a_busy_core_draws_what_its_activity_says() -> None:
    """0.8 of C V^2 f while computing and half of that while stalled, half the time each."""
    sim = Simulator(TINY)
    sim.submit(application(program(cycles=1.0, stall_s=5e-10, activity=0.8)), "big0")
    sim.advance(0.0)
    active = 0.8 * (0.5 + 0.5 * 0.5)
    assert sim.state["power_w"][0][2] == pytest.approx((4e-10 * active + 2e-11) * 2e9, rel=1e-12)
    assert sim.state["power_w"][0][3] == pytest.approx(2e-11 * 2e9, rel=1e-12)  # the idle one
    assert sim.state["power_w"][0][5] == pytest.approx((1e-10 + 3e-11) * 2e9, rel=1e-12)  # shared


def test_l2_accesses_follow_the_rate_where_the_board_counts_them() -> None:
    sim = Simulator(TINY)
    sim.submit(application(program(cycles=1.0, l2d=0.03)), "big0", name="a")
    assert sim.advance(0.0).last.jobs["a"].l2d_per_s == pytest.approx(0.03 * 2e9, rel=1e-12)
    blind = Simulator(tiny_board({"sensors.l2d_counter": False}))
    blind.submit(application(), "big0", name="a")
    assert blind.advance(0.0).last.jobs["a"].l2d_per_s is None


# -- training and forward passes ------------------------------------------------------------------


def step_s(batch: int, gpu_hz: float, mem_hz: float, host_hz: float) -> float:
    """A training step of the round network on the round GPU, written out."""
    flops, work = batch * 3e8, batch * 3e8 / 150
    efficiency = 0.5 * work / (work + 1e6)
    compute_s = flops / (100 * efficiency * gpu_hz)
    memory_s = (batch * 6e6 + 20e6) / (4 * mem_hz)
    return 150 * 1e4 / host_hz + 1e-3 + hypot(compute_s, memory_s)


@pytest.mark.parametrize("gpu_hz", [0.2e9, 0.8e9])
@pytest.mark.parametrize("mem_hz", [0.8e9, 1.6e9])
@pytest.mark.parametrize("host_hz", [0.5e9, 1.5e9])
@pytest.mark.parametrize("batch", [8, 64])
def test_a_training_step_is_launch_plus_roof_plus_overhead(
    batch: int, gpu_hz: float, mem_hz: float, host_hz: float
) -> None:
    sim = Simulator(TINY)
    sim.submit(training(batch=batch), "gpu0", name="a")
    sim.apply(Knobs(freq_hz={"gpu": gpu_hz, "mem": mem_hz, "little": host_hz}))
    rate = sim.advance(0.01).last.jobs["a"].rate
    assert rate == pytest.approx(batch / step_s(batch, gpu_hz, mem_hz, host_hz), rel=1e-12)


def test_one_training_step_in_numbers() -> None:
    """Batch 8 at the top: 63.75 ms computing, 10.625 ms memory, 1 ms launching, 1 ms overhead."""
    expected_s = sqrt(63.75e-3**2 + 10.625e-3**2) + 2e-3
    assert step_s(8, 0.8e9, 1.6e9, 1.5e9) == pytest.approx(expected_s, rel=1e-12)
    assert rates_of((training(), "gpu0")) == pytest.approx([8 / expected_s], rel=1e-12)


def test_a_larger_batch_trains_faster_per_sample_and_saturates() -> None:
    sizes = [1, 2, 8, 32, 128, 512, 4096]
    job = TrainingJob(network=network(), batch=1, samples_to_target=dict.fromkeys(sizes, 1e6))
    found = [rates_of((replace(job, batch=batch), "gpu0"))[0] for batch in sizes]
    assert all(a < b for a, b in pairwise(found))
    limit = 1 / hypot(3e8 / (100 * 0.5 * 0.8e9), 6e6 / (4 * 1.6e9))
    assert found[-1] == pytest.approx(limit, rel=0.01)
    assert found[0] < 0.6 * limit


def test_a_forward_step_is_its_passes() -> None:
    """Two calls of 50 kernels on 4 samples: weights are read by each call, noise once a step."""
    job = ForwardJob(network=network(), batch=4, passes=2.0, steps=1e4, noise_bytes=1e7)
    flops, work = 2 * 4 * 1e8, 2 * 4 * 1e8 / 100
    compute_s = flops / (100 * 0.5 * work / (work + 1e6) * 0.8e9)
    memory_s = (2 * (4e6 + 4 * 2e6) + 1e7) / (4 * 1.6e9)
    expected_s = 100 * 1e4 / 1.5e9 + 1e-3 + hypot(compute_s, memory_s)
    assert rates_of((job, "gpu0")) == pytest.approx([1 / expected_s], rel=1e-12)


@pytest.mark.parametrize(
    ("tokens", "efficiency"), [(1, 0.1), (10, 0.25), (100, 0.4), (1000, 0.4), (0.1, 0.1)]
)
def test_language_models_fill_the_multipliers_with_tokens(tokens: float, efficiency: float) -> None:
    """Linear in the logarithm between 1 token (0.1) and 100 (0.4), held outside."""
    kind = TINY.performance.accelerators["gpu-core"]
    assert forward_efficiency(kind, tokens) == pytest.approx(efficiency, rel=1e-12)


def test_a_sequence_model_computes_at_the_rate_of_its_tokens() -> None:
    net = network(tokens=5, forward_bytes=0.0, parameter_bytes=1e-6)
    job = ForwardJob(network=net, batch=2, passes=1.0, steps=10.0)
    expected_s = 50 * 1e4 / 1.5e9 + 1e-3 + 2e8 / (100 * 0.25 * 0.8e9)
    assert rates_of((job, "gpu0")) == pytest.approx([1 / expected_s], rel=1e-9)


def test_an_accelerator_keeps_its_host_busy_launching() -> None:
    """Launch and overhead time of a step are the host's, the roof is the GPU's."""
    sim = Simulator(TINY)
    sim.submit(training(), "gpu0")
    busy = sim.advance(0.0).last.busy
    whole_s = step_s(8, 0.8e9, 1.6e9, 1.5e9)
    assert busy["little0"] == pytest.approx(2e-3 / whole_s, rel=1e-12)
    assert busy["gpu0"] == pytest.approx(1 - 2e-3 / whole_s, rel=1e-12)


def test_peak_power_is_that_of_a_kernel_and_not_of_a_step() -> None:
    """While a kernel runs the GPU draws more than on average over step and pauses."""
    sim = Simulator(TINY)
    sim.submit(training(), "gpu0")
    reading = sim.advance(1.0).last
    whole_s = step_s(8, 0.8e9, 1.6e9, 1.5e9)
    share = 63.75e-3 / (whole_s - 2e-3)
    active = share + 0.5 * (1 - share)
    duty = 1 - 2e-3 / whole_s
    gap_w = 3e-9 * active * (1 - duty) * 1.0**2 * 0.8e9
    assert reading.power_w
    mean_w = reading.power_w["vdd_in"] or 0.0
    assert sim.kpis()["peak_power_w"] == pytest.approx(mean_w + gap_w, rel=1e-9)
    assert sim.state["power_w"][0][4] == pytest.approx(
        (3e-9 * active * duty + 1e-10) * 0.8e9, rel=1e-12
    )


# -- what can run where, and what a job must be -------------------------------------------------


def test_demand_has_a_row_per_phase_and_a_block_per_kind() -> None:
    assert kinds(TINY) == ("slow-core", "fast-core", "gpu-core")
    rows = demand(TINY, application(program(1e8, 2e8, cycles=[1.0, 3.0], stall_s=[0.0, 1e-9])))
    assert rows.shape == (2, 1 + 3 * 8)
    assert rows[:, 0].tolist() == [1e8, 2e8]
    assert rows[:, 1 + 2].tolist() == [2.0, 6.0]  # cycles on the slow core
    assert np.isnan(rows[:, 1 + 2 * 8 :]).all()  # the GPU cannot run it
    assert np.isinf(demand(TINY, application())[0, 0])  # one phase never ends


def test_a_job_that_nothing_can_run_is_refused_by_name() -> None:
    alien = program(name="alien")
    alien = replace(alien, by_kind={"vax": alien.by_kind["fast"]})
    with pytest.raises(ValueError, match="nothing on tiny can run alien"):
        demand(TINY, application(alien))


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_jobs_want_positive_numbers(value: float) -> None:
    with pytest.raises(ValueError, match=r"instructions is .*; it must be positive"):
        Application(profile=program(), instructions=value)
    with pytest.raises(ValueError, match=r"target_ips is .*; it must be positive"):
        Application(profile=program(), instructions=1.0, target_ips=value)
    with pytest.raises(ValueError, match=r"samples_to_target\[8\] is .*; it must be positive"):
        training(samples=value)
    with pytest.raises(ValueError, match=r"steps is .*; it must be positive"):
        ForwardJob(network=network(), batch=1, passes=1.0, steps=value)


def test_a_batch_must_have_its_samples() -> None:
    with pytest.raises(ValueError, match="batch 16 has no samples_to_target; known: 8, 64"):
        training(batch=16)


def test_memory_is_weights_gradients_optimiser_and_activations() -> None:
    """1e6 parameters of 4 bytes: 8 for weight and gradient, 8 for Adam; 1e6 bytes per sample."""
    assert training().memory_bytes(8) == 1e6 * 16 + 8e6
    light = replace(training(), optimizer_bytes_per_parameter=4.0)
    assert light.memory_bytes(64) == 1e6 * 12 + 64e6
    forward = ForwardJob(network=network(), batch=3, passes=1.0, steps=1.0)
    assert forward.memory_bytes() == 4e6 + 3 * 2e6


def test_each_job_says_what_its_work_counts() -> None:
    forward = ForwardJob(network=network(), batch=1, passes=1.0, steps=1.0)
    jobs = (application(), training(), forward)
    assert [job_kind(job) for job in jobs] == ["application", "training", "forward"]
