"""The simulated board as a backend: jobs come, wait, move and go; knobs, faults and sensors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from by_hand import load_of
from tiny_board import application, network, program, tiny_board, training

from edgetwin.backend import Applied, Backend
from edgetwin.kernel import SLOTS
from edgetwin.scenario import Scenario
from edgetwin.simulator import Simulator
from hw_models.board import Knobs, load_board
from hw_models.jobs import ForwardJob
from hw_models.workloads import load_application

TINY = tiny_board(leakage=False)
TOP = {"little": 2, "big": 3, "gpu": 2, "mem": 1}


def scenario(**fields: Any) -> Scenario:
    """A scenario of 100 s with these fields."""
    return Scenario.model_validate(
        {"name": "probe", "title": "a probe", "duration_s": 100.0, **fields}
    )


def units_of(sim: Simulator) -> dict[str, str | None]:
    """Where each job is."""
    return {name: job.unit for name, job in sim.advance(0.0).last.jobs.items()}


def one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    """The message of an error, which is one line."""
    (message,) = error.value.args
    assert isinstance(message, str) and "\n" not in message
    return message


# -- submit -----------------------------------------------------------------------------------


def test_a_simulator_is_a_backend() -> None:
    sim = Simulator(TINY)
    assert isinstance(sim, Backend)
    sim.close()
    sim.close()


def test_jobs_go_to_the_emptiest_unit_that_runs_them_fastest() -> None:
    sim = Simulator(TINY)
    for name in "abcde":
        sim.submit(application(), name=name)
    sim.submit(training(), name="t")
    expected = {"a": "big0", "b": "big1", "c": "little0", "d": "little1", "e": "big0", "t": "gpu0"}
    assert units_of(sim) == expected


def test_jobs_are_called_after_their_work_and_their_turn() -> None:
    sim = Simulator(TINY)
    assert sim.submit(application(program(name="fft"))) == "fft-1"
    assert sim.submit(training()) == "net-2"
    assert sim.submit(application(program(name="fft")), name="mine") == "mine"
    assert sim.submit(application(program(name="fft"))) == "fft-4"


def test_a_name_on_the_board_is_not_given_twice() -> None:
    sim = Simulator(TINY)
    sim.submit(application(program(name="fft")), name="fft-2")
    assert sim.submit(application(program(name="fft"))) == "fft-3"
    with pytest.raises(ValueError, match="a job named 'fft-2' is on the board already") as error:
        sim.submit(application(), name="fft-2")
    one_line(error)
    assert len(sim.running) == 2


def test_names_that_a_scenario_will_give_are_left_to_it() -> None:
    entry = {"kind": "application", "program": "adi", "instructions": 1e12, "at_s": 5.0}
    sim = Simulator(load_board("hikey970"), scenario=scenario(jobs=[entry]))
    assert sim.submit(application(load_application("adi"))) == "adi-2"
    assert set(sim.advance(6.0).last.jobs) == {"adi-1", "adi-2"}


@pytest.mark.parametrize(
    ("submit", "kind", "message"),
    [
        (lambda s: s.submit(application(), "big2"), KeyError, "Did you mean 'big1'?"),
        (
            lambda s: s.submit(application(), "gpu0"),
            ValueError,
            "gpu0 cannot run this job; able: little0, little1, big0, big1.",
        ),
        (lambda s: s.submit(training(), "big0"), ValueError, "big0 cannot run this job; able: gpu"),
    ],
)
def test_a_job_cannot_start_where_it_cannot_run(
    submit: Callable[[Simulator], object], kind: type[Exception], message: str
) -> None:
    sim = Simulator(TINY)
    with pytest.raises(kind) as error:
        submit(sim)
    assert message in one_line(error)
    assert sim.results() == ()


def test_a_full_board_lets_jobs_wait_in_turn() -> None:
    """The 25th and 26th job wait; each starts when another ends, at that very instant."""
    sim = Simulator(TINY)
    for i in range(SLOTS):
        work = 1e6 * (i + 1) if i < 2 else np.inf
        sim.submit(application(instructions=work), "big0", name=f"early-{i}")
    sim.submit(application(instructions=1e6, target_ips=1e8), "little0", name="late")
    sim.submit(training(), name="later")
    waiting = sim.advance(0.0).last.jobs["late"]
    assert (waiting.unit, waiting.progress, waiting.rate) == (None, 0.0, 0.0)
    assert waiting.target == 1e8
    sim.advance(1.0)
    ends_s = {job.id: job.end_s for job in sim.results()}
    first_s, late = ends_s["early-0"] or 0.0, next(j for j in sim.results() if j.id == "late")
    assert first_s == pytest.approx(24 * 1e6 / 2e9, rel=1e-6)
    assert late.start_s == 0.0
    # From the first end on it runs alone on a core: 1e6 instructions of 2 cycles at 1.5 GHz.
    assert late.end_s == pytest.approx(first_s + 2e6 / 1.5e9, rel=1e-6)
    assert late.alive_s == pytest.approx(late.end_s, rel=1e-9)
    assert late.below_s == pytest.approx(first_s, rel=1e-6)
    assert units_of(sim)["later"] == "gpu0"


def test_a_job_that_nothing_can_run_does_not_even_wait() -> None:
    sim = Simulator(TINY, scenario=scenario(mode="half"))
    for _ in range(SLOTS):
        sim.submit(application(), "big0")
    with pytest.raises(ValueError, match=r"big1 cannot run this job; able: little0, little1, big0"):
        sim.submit(application(), "big1")
    assert not sim.waiting


def test_jobs_that_never_got_a_core_count_as_violated() -> None:
    sim = Simulator(TINY)
    for _ in range(SLOTS):
        sim.submit(application())
    sim.submit(application(target_ips=1e6), name="poor")
    sim.submit(application(target_ips=1e6), name="gone")
    sim.advance(2.0)
    sim.withdraw("gone")
    sim.advance(1.0)
    poor, gone = (next(j for j in sim.results() if j.id == name) for name in ("poor", "gone"))
    assert (poor.end_s, poor.work, poor.violated) == (None, 0.0, True)
    assert (gone.end_s, gone.alive_s, gone.violated) == (2.0, 2.0, True)
    assert sim.kpis()["violation_time_share"] == 1.0
    assert sim.kpis()["violated_jobs_share"] == 1.0


def test_withdrawing_ends_a_job_and_twice_is_fine() -> None:
    sim = Simulator(TINY)
    sim.submit(application(program(cycles=1.0)), "big0", name="a")
    sim.advance(0.5)
    sim.withdraw("a")
    sim.withdraw("a")
    (result,) = sim.results()
    assert (result.id, result.end_s) == ("a", 0.5)
    assert result.work == pytest.approx(1e9, rel=1e-9)
    assert sim.advance(0.0).last.busy["big0"] == 0.0


# -- knobs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("knobs", "kind", "message"),
    [
        (Knobs(freq_hz={"bigg": 1e9}), KeyError, "no clock domain of tiny named 'bigg'. Did you"),
        (Knobs(freq_hz={"big": 1.1e9}), ValueError, "big cannot run at 1100000000 Hz; tiny offers"),
        (Knobs(governor={"gpo": "powersave"}), KeyError, "Did you mean 'gpu'?"),
        (
            Knobs(governor={"mem": "schedutil"}),
            ValueError,
            "no governor of mem named 'schedutil'. Known: performance, powersave, userspace.",
        ),
        (Knobs(placement={"ab": "big1"}), KeyError, "no running job named 'ab'. Did you mean 'a'?"),
        (Knobs(placement={"a": "bgi1"}), KeyError, "no unit of tiny named 'bgi1'. Did you mean"),
        (Knobs(placement={"a": "gpu0"}), ValueError, "gpu0 cannot run this job; able: little0"),
        (Knobs(batch={"a": 8}), ValueError, "a is not a training job; it has no batch size."),
        (Knobs(batch={"t": 9}), ValueError, "t cannot train with batch 9; known: 8, 64."),
        (Knobs(batch={"x": 9}), KeyError, "no running job named 'x'. Known: a, t."),
        (Knobs(fan=3), ValueError, "fan level 3 is not -1 (automatic) or 0..2."),
        (Knobs(fan=-2), ValueError, "fan level -2 is not -1 (automatic) or 0..2."),
    ],
)
def test_a_wrong_knob_is_refused_in_one_line(
    knobs: Knobs, kind: type[Exception], message: str
) -> None:
    sim = Simulator(TINY)
    sim.submit(application(), "big0", name="a")
    sim.submit(training(), "gpu0", name="t")
    with pytest.raises(kind) as error:
        sim.apply(knobs)
    assert message in one_line(error)


def test_a_board_without_a_fan_has_none_to_set() -> None:
    with pytest.raises(ValueError, match="hikey960 has no fan to set"):
        Simulator(load_board("hikey960")).apply(Knobs(fan=1))


def test_knobs_that_are_not_named_stay() -> None:
    sim = Simulator(TINY)
    knobs = Knobs(freq_hz={"big": 1e9}, fan=1)
    assert sim.apply(knobs) == Applied(accepted=knobs)
    sim.advance(1.0)
    sim.apply(Knobs())
    reading = sim.advance(1.0).last
    assert (reading.freq_hz["big"], reading.freq_hz["little"], reading.fan) == (1e9, 1.5e9, 1)


def test_a_job_that_waits_refuses_knobs_without_stopping_the_run() -> None:
    sim = Simulator(TINY)
    for _ in range(SLOTS):
        sim.submit(training())
    sim.submit(training(), name="w")
    applied = sim.apply(Knobs(placement={"w": "gpu0"}, batch={"w": 64}, fan=1))
    assert applied.accepted == Knobs(fan=1)
    assert applied.refused == {
        "placement.w": "the job waits for a free slot",
        "batch.w": "the job waits for a free slot",
    }


def test_a_migration_to_where_it_is_costs_nothing() -> None:
    sim = Simulator(TINY)
    sim.submit(application(program(cycles=1.0)), "big0", name="a")
    sim.apply(Knobs(placement={"a": "big0"}))
    assert sim.advance(0.001).last.jobs["a"].rate == pytest.approx(2e9)
    assert sim.kpis()["migrations"] == 0.0


def test_another_batch_size_keeps_the_share_of_work_that_is_left() -> None:
    """A quarter done at batch 8 (of 1000 samples) is a quarter done at batch 64 (of 2000)."""
    sim = Simulator(TINY)
    sim.submit(training(samples=1000.0), "gpu0", name="t")
    slow = sim.advance(0.0).last.jobs["t"].rate
    sim.advance(250.0 / slow)
    assert sim.advance(0.0).last.jobs["t"].progress == pytest.approx(0.25, abs=1e-8)
    sim.apply(Knobs(batch={"t": 64}))
    job = sim.advance(0.0).last.jobs["t"]
    assert job.batch == 64
    assert job.progress == pytest.approx(0.25, abs=1e-8)
    sim.advance(1500.0 / job.rate + 1e-6)
    (result,) = sim.results()
    assert result.end_s == pytest.approx(250.0 / slow + 1500.0 / job.rate, abs=1e-8)
    assert result.work == pytest.approx(250.0 + 1500.0, rel=1e-9)
    assert sim.kpis()["samples_done"] == result.work


# -- surroundings -------------------------------------------------------------------------------


def test_a_power_mode_caps_clocks_and_switches_units_off() -> None:
    sim = Simulator(TINY, scenario=scenario(mode="half"))
    assert sim.advance(0.0).last.freq_hz["big"] == 1.0e9
    applied = sim.apply(Knobs(freq_hz={"big": 2.0e9}))
    assert applied.refused == {
        "freq_hz.big": "the board allows 1000000000 Hz now (power mode or heat)"
    }
    assert sim.advance(0.1).last.freq_hz["big"] == 1.0e9
    assert sim.state["power_w"][0][3] == 0.0  # big1 is off
    with pytest.raises(ValueError, match="big1 cannot run this job; able: little0, little1, big0"):
        sim.submit(application(), "big1")
    for name in "abcd":
        sim.submit(application(), name=name)
    assert "big1" not in units_of(sim).values()


@pytest.mark.parametrize(("cooling", "fan"), [("board", 0), ("fan", 2), ("no-fan", 0)])
def test_cooling_sets_the_fan(cooling: str, fan: int) -> None:
    sim = Simulator(TINY, scenario=scenario(cooling=cooling))
    assert sim.advance(1.0).last.fan == fan
    assert sim.state["fan_manual"][0] == (-1 if cooling == "board" else fan)


def test_an_idle_board_that_starts_steady_stays_as_it_is() -> None:
    sim = Simulator(tiny_board())
    start_c = sim.node_temps_c()
    sim.advance(1000.0)
    assert sim.node_temps_c() == pytest.approx(start_c, abs=1e-6)
    assert min(start_c.values()) > 30.0


def test_temperatures_start_as_the_scenario_says() -> None:
    ambient = Simulator(TINY, scenario=scenario(initial="ambient", ambient=12.5))
    assert ambient.node_temps_c() == pytest.approx(dict.fromkeys(TINY.thermal.nodes, 12.5))
    sim = Simulator(TINY, scenario=scenario(initial={"big": 70.0, "skin": 40.0}, cooling="fan"))
    expected = {"little": 25.0, "big": 70.0, "gpu": 25.0, "case": 25.0, "base": 40.0}
    assert sim.node_temps_c() == pytest.approx(expected)


def test_ambient_and_cap_follow_their_courses() -> None:
    sim = Simulator(TINY, scenario=scenario(ambient=[[0, 25], [10, 5]], cap=[[0, 9], [20, 1.25]]))
    early = sim.advance(9.0).last
    assert early.cap_w == 9.0
    late = sim.advance(20.0).last
    assert late.cap_w == 1.25
    cooled_k = (early.temps_c["cpu"] or 0.0) - (late.temps_c["cpu"] or 0.0)
    assert cooled_k > 0.5


def test_time_above_the_cap_and_the_worst_overshoot_are_counted() -> None:
    idle_w = load_of(TINY, [], TOP).total_w
    busy_w = load_of(TINY, [(program(), "big0")], TOP).total_w
    cap_w = (idle_w + busy_w) / 2
    sim = Simulator(TINY, scenario=scenario(cap=cap_w))
    sim.advance(1.0)
    sim.submit(application(instructions=1e9), "big0")
    sim.advance(1.0)
    kpis = sim.kpis()
    assert kpis["cap_violation_time_share"] == pytest.approx(0.25, rel=1e-6)
    assert kpis["max_overshoot_share"] == pytest.approx(busy_w / cap_w - 1.0, rel=1e-9)
    assert kpis["peak_power_w"] == pytest.approx(busy_w, rel=1e-9)


def test_a_run_that_ends_with_its_jobs_is_done_then() -> None:
    jobs = [
        {"kind": "application", "program": "adi", "instructions": 1e9, "at_s": at} for at in (0, 5)
    ]
    sim = Simulator(load_board("hikey970"), scenario=scenario(jobs=jobs, until="done"))
    sim.advance(4.0)
    assert len(sim.finished) == 1 and not sim.done
    sim.advance(4.0)
    assert sim.done
    assert sim.kpis()["time_to_target_s"] == sim.results()[-1].end_s


def test_a_program_leaves_at_the_end_of_its_life() -> None:
    entry = {"kind": "application", "program": "adi", "instructions": "endless", "lifetime_s": 3.0}
    sim = Simulator(load_board("hikey970"), scenario=scenario(jobs=[{**entry, "at_s": 1.5}]))
    assert not sim.advance(1.0).last.jobs
    assert len(sim.advance(3.0).last.jobs) == 1
    assert not sim.advance(1.0).last.jobs
    (result,) = sim.results()
    assert (result.start_s, result.end_s) == (1.5, 4.5)


# -- sensors ------------------------------------------------------------------------------------


def test_sensors_round_shift_and_wait_as_the_board_file_says() -> None:
    """The skin sensor: 0.5 K steps, 2 K too high, once a second."""
    sim = Simulator(tiny_board({"sensors.zones.skin.noise_k": 0.0}, leakage=False))
    sim.submit(application(), "big0")
    sim.submit(application(), "big1")
    seen: list[float] = []
    for i in range(200):
        truth_c = sim.node_temps_c()["base"] + 2.0
        shown_c = sim.advance(0.1).last.temps_c["skin"] or 0.0
        assert shown_c % 0.5 == 0.0
        if i % 10 == 0:
            seen.append(shown_c)
            assert abs(shown_c - truth_c) <= 0.25 + 1e-6
        assert shown_c == seen[-1] or i % 10 == 9
    assert len(set(seen)) > 2


def test_a_board_without_rails_keeps_its_power_to_itself() -> None:
    sim = Simulator(load_board("hikey970"))
    reading = sim.advance(1.0).last
    assert reading.power_w is None and reading.energy_j is None
    assert (sim.kpis()["energy_j"] or 0.0) > 0.3


@pytest.mark.parametrize(("kind", "target"), [("sensor-stuck", "cpu"), ("sensor-stuck", "vdd_in")])
def test_a_stuck_sensor_repeats_its_last_value(kind: str, target: str) -> None:
    fault = {"kind": kind, "target": target, "at_s": 1.0, "duration_s": 2.0}
    sim = Simulator(TINY, scenario=scenario(faults=[fault]))
    sim.submit(application(), "big0")

    def shown() -> float | None:
        reading = sim.advance(0.5).last
        assert reading.power_w
        return reading.temps_c.get(target) or reading.power_w.get(target)

    values = [shown() for _ in range(2)]
    sim.submit(application(), "big1")
    values += [shown() for _ in range(6)]
    assert values[1] != values[0] or target == "vdd_in"
    assert values[1:5] == [values[1]] * 4
    assert (values[-1] or 0.0) > 1.05 * (values[1] or 0.0)


def test_a_dropped_sensor_says_nothing_until_it_is_whole_again() -> None:
    faults = [
        {"kind": "sensor-dropped", "target": target, "at_s": 1.0, "duration_s": 1.0}
        for target in ("cpu", "vdd_in")
    ]
    sim = Simulator(TINY, scenario=scenario(faults=faults))
    known = []
    for _ in range(6):
        reading = sim.advance(0.5).last
        assert reading.power_w and reading.power_w["vdd_cpu"] is not None
        known.append((reading.temps_c["cpu"] is None, reading.power_w["vdd_in"] is None))
    # A fault at 1 s comes after the sensors were read at 1 s; so does its end at 2 s.
    assert known == [(False, False)] * 2 + [(True, True)] * 2 + [(False, False)] * 2


# -- the run as a whole ---------------------------------------------------------------------------


@pytest.mark.parametrize("dt_s", [-1.0, float("nan"), float("inf"), 1e9])
def test_time_runs_forward_by_a_sensible_number(dt_s: float) -> None:
    with pytest.raises(ValueError, match=r"cannot advance by .* s; give a number from 0"):
        Simulator(TINY).advance(dt_s)


def test_a_reset_forgets_everything_but_board_scenario_and_seed() -> None:
    sim = Simulator(TINY, scenario=scenario(cap=5.0), seed=9)
    first = [sim.advance(0.7).last for _ in range(4)]
    sim.submit(application(), "big0")
    sim.apply(Knobs(fan=2, freq_hz={"big": 5e8}))
    sim.advance(3.0)
    start = sim.reset()
    assert (start.t_s, start.cap_w, start.jobs, start.fan) == (0.0, 5.0, {}, 0)
    assert [sim.advance(0.7).last for _ in range(4)] == first
    assert sim.reset(scenario=scenario(cap=7.0)).cap_w == 7.0


def test_key_figures_are_those_of_the_jobs() -> None:
    """2e9 per second alone, 1e9 each for two: the target of 1.5e9 is missed while both run."""
    sim = Simulator(TINY)
    sim.submit(application(program(cycles=1.0), target_ips=1.5e9), "big0", name="a")
    sim.advance(1.0)
    sim.submit(application(program(cycles=1.0), instructions=1e9), "big0", name="b")
    reading = sim.advance(3.0).last
    assert reading.jobs["a"].progress is None
    kpis = sim.kpis()
    assert kpis["duration_s"] == 4.0
    assert kpis["violation_time_share"] == pytest.approx(0.25, rel=1e-6)
    assert kpis["violated_jobs_share"] == 0.0  # 1.75e9 on average
    assert kpis["completed"] == 1.0
    assert kpis["instructions_done"] == pytest.approx(8e9, rel=1e-6)
    assert kpis["energy_j"] == reading.energy_j
    assert [job.id for job in sim.results()] == ["b", "a"]


def test_mean_and_peak_temperature_are_those_of_the_hottest_zone() -> None:
    sim = Simulator(TINY)
    sim.submit(application(instructions=4e9), "big0")
    truth_c = []
    for _ in range(400):
        sim.advance(0.01)
        truth_c.append(sim.node_temps_c()["big"])
    kpis = sim.kpis()
    assert kpis["peak_temp_c"] == pytest.approx(max(truth_c), abs=0.02)
    assert kpis["mean_temp_c"] == pytest.approx(float(np.mean(truth_c)), abs=0.02)


def test_forward_steps_are_counted_as_steps() -> None:
    sim = Simulator(TINY)
    sim.submit(ForwardJob(network=network(), batch=4, passes=2.0, steps=50.0), name="f")
    rate = sim.advance(0.0).last.jobs["f"].rate
    sim.advance(50.0 / rate + 1e-6)
    (result,) = sim.results()
    assert result.kind == "forward"
    assert result.work == pytest.approx(50.0, rel=1e-9)
    assert result.end_s == pytest.approx(50.0 / rate, abs=2e-9)
