"""A scenario says what happens to a board: its file is checked, its plan fits the board."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgetwin.scenario import (
    Scenario,
    full_speed_ips,
    load_scenario,
    parse_scenario,
    scenario_names,
)
from hw_models.board import Board, load_board
from hw_models.jobs import Application, ForwardJob, TrainingJob
from hw_models.workloads import load_application, network_names

BASE = 'name = "probe"\ntitle = "a probe"\nduration_s = 100\n'
APPLICATION = '[[jobs]]\nkind = "application"\nprogram = "adi"\ninstructions = 1e9\n'
TRAINING = '[[jobs]]\nkind = "training"\nnetwork = "resnet-18-cifar"\nbatch = 8\n'
ARRIVALS = '[arrivals]\nprocess = "poisson"\nrate_hz = 0.5\ninstructions = 1e9\n'
FAULT = '[[faults]]\nkind = "sensor-stuck"\nat_s = 3\ntarget = '


@pytest.fixture(scope="module")
def hikey() -> Board:
    return load_board("hikey970")


@pytest.fixture(scope="module")
def tx2() -> Board:
    return load_board("jetson-tx2")


def scenario(text: str = "") -> Scenario:
    return parse_scenario(BASE + text, "probe.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ambient = [", "probe.toml is not TOML"),
        ("ambeint = 25", "Did you mean 'ambient'"),
        ("ambient = -300", "ambient.0.ambient_c: Input should be greater than or equal to -273.15"),
        ("ambient = nan", "ambient.0.ambient_c: Input should be a finite number"),
        ("ambient = [[5, 25], [0, 30]]", "ambient: t_s runs 5, 0; times must ascend"),
        ("ambient = [[-1, 25]]", "ambient.0.t_s: Input should be greater than or equal to 0"),
        ("cap = 0", "cap.0.cap_w: Input should be greater than 0, got 0"),
        ("cap = [{ t_s = 0, cap_w = 7 }, { t_s = 0 }]", "cap: t_s runs 0, 0; times must ascend"),
        ('cooling = "liquid"', "cooling: Input should be 'board', 'fan' or 'no-fan'"),
        ('initial = "hot"', "initial.word: Input should be 'steady' or 'ambient', got 'hot'"),
        ("initial = 30", "initial: Input should be 'steady', 'ambient' or a table"),
        ("seed = -1", "seed: Input should be greater than or equal to 0"),
        ('until = "done"', "there is no job"),
        ('[[jobs]]\nkind = "aplication"', "jobs.0: Input tag 'aplication'"),
        (APPLICATION + "target_share = 1.6", "jobs.0.application.target_share: Input should be"),
        (APPLICATION + "target_share = 0.3\ntarget_ips = 1e9", "target_ips or target_share, not"),
        (APPLICATION + "at_s = -1", "jobs.0.application.at_s: Input should be greater"),
        (APPLICATION.replace("1e9", "'forever'"), "instructions.word: Input should be 'endless'"),
        (APPLICATION.replace("1e9", "-5"), "instructions.number: Input should be greater than 0"),
        (TRAINING, "jobs.0.training.samples_to_target: Field required"),
        (TRAINING + "samples_to_target = { 16 = 1e5 }", "batch 8 is not among 16"),
        (TRAINING + "samples_to_target = { 8 = 0 }", "table.8: Input should be greater than 0"),
        (TRAINING + "samples_to_target = { 0 = 1, 8 = 1 }", "batch 0 is below 1"),
        (TRAINING + "samples_to_target = { 8 = 1 }\nbatches = [8, 16]", "batches differ"),
        (ARRIVALS, "arrivals: give count or duration_s"),
        (ARRIVALS + "duration_s = 1e9", "above 1 000 000 arrivals"),
        (ARRIVALS + "count = 2\ntarget_share = [0.5, 0.2]", "0.5 is above 0.2; give [low, high]"),
        (ARRIVALS + "count = 2\ntarget_share = [0.5, 2]", "list.1: Input should be less than or"),
        (ARRIVALS + "count = 2\ntarget_share = { choices = [2] }", "share 2 is above 1.5"),
        (ARRIVALS + 'count = 2\nprograms = "spec"', "programs.word: Input should be 'polybench'"),
        (ARRIVALS + "count = 2\nprograms = []", "programs.list: Tuple should have at least 1"),
        (FAULT + '"soc"\nduration_s = -1', "faults.0.duration_s: Input should be greater than 0"),
        (FAULT + '"soc"\n' + FAULT + '"soc"', "sensor-stuck of soc at 3 s and 3 s overlap"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_the_place(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refused:
        scenario(text)
    line = str(refused.value)
    assert message in line
    assert line.startswith("probe.toml is not ") and "\n" not in line and line.endswith(".")


def test_a_negative_duration_is_refused_with_the_number_given() -> None:
    with pytest.raises(ValueError, match=r"duration_s: Input should be greater than 0, got -5\.$"):
        parse_scenario(BASE.replace("100", "-5"), "probe.toml")


def test_an_endless_program_without_a_lifetime_is_never_done() -> None:
    endless = APPLICATION.replace("1e9", '"endless"')
    with pytest.raises(ValueError, match="would never be done"):
        scenario('until = "done"\n' + endless)
    assert scenario('until = "done"\n' + endless + "lifetime_s = 20").until == "done"
    assert scenario(endless).until == "duration"


def test_changed_fields_are_checked_again() -> None:
    changed = scenario().with_(duration_s=7, ambient=31.5, cap=[(0, 7), (5, None)])
    assert changed.duration_s == 7.0
    assert [(s.t_s, s.ambient_c) for s in changed.ambient] == [(0.0, 31.5)]
    assert [(s.t_s, s.cap_w) for s in changed.cap] == [(0.0, 7.0), (5.0, None)]
    assert changed.with_(cap=None).cap == ()
    with pytest.raises(ValueError, match=r"scenario probe .* duration_s: .* got -5"):
        changed.with_(duration_s=-5)
    with pytest.raises(KeyError, match=r"no scenario option named 'duraton_s'.*'duration_s'"):
        changed.with_(duraton_s=5)


def test_names_and_paths_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=r"no scenario named 'mixed-21'. Did you mean 'mixed-20"):
        load_scenario("mixed-21")
    with pytest.raises(FileNotFoundError, match="no scenario file at"):
        load_scenario(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="is not UTF-8 text"):
        load_scenario(tmp_path / "binary.toml")


def test_a_file_loads_like_its_text(tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_text(BASE + APPLICATION, encoding="utf-8")
    assert load_scenario(path) == load_scenario(str(path)) == scenario(APPLICATION)


def test_the_json_schema_describes_every_field() -> None:
    schema = Scenario.model_json_schema()
    assert set(schema["properties"]) == set(Scenario.model_fields)
    assert schema["required"] == ["name", "title", "duration_s"]
    assert {"type": "number", "minimum": -273.15} in schema["properties"]["ambient"]["anyOf"]


def peak_by_hand_ips(board: Board, program: str) -> float:
    """The best mean rate over the program's phases, on any kind of core at its top clock."""
    profile, best_ips = load_application(program), 0.0
    for group in board.units.values():
        if group.kind in board.performance.cores:
            core = board.performance.cores[group.kind]
            phases = profile.by_kind[core.profile]
            top_hz = max(board.clocks[group.domain].freqs_hz.value)
            time_s = phases.cpi_cycles * core.cycles_scale.value / top_hz
            time_s = time_s + phases.stall_s * core.stall_scale.value
            insns = profile.phase_insns
            best_ips = max(best_ips, float(insns.sum() / (insns * time_s).sum()))
    return best_ips


@pytest.mark.parametrize("program", ["adi", "seidel-2d", "blackscholes"])
def test_a_target_share_is_of_the_peak_on_the_fastest_core(hikey: Board, program: str) -> None:
    text = APPLICATION.replace("adi", program) + "target_share = 0.3"
    job = scenario(text).realise(hikey).arrivals[0].job
    assert isinstance(job, Application)
    assert job.target_ips == pytest.approx(0.3 * peak_by_hand_ips(hikey, program), rel=1e-12)
    profile = load_application(program)
    assert full_speed_ips(profile, hikey) == pytest.approx(peak_by_hand_ips(hikey, program))


def test_a_program_no_core_can_run_is_refused(hikey: Board) -> None:
    with pytest.raises(ValueError, match="no core of hikey970 can run adi"):
        full_speed_ips(replace(load_application("adi"), by_kind={}), hikey)


def test_listed_jobs_arrive_as_written(tx2: Board) -> None:
    network = network_names()[0]
    text = (
        APPLICATION + "target_ips = 2e8\nat_s = 9\nlifetime_s = 4\n"
        f'[[jobs]]\nkind = "training"\nnetwork = "{network}"\nbatch = 8\nat_s = 2\nid = "train"\n'
        "batches = [8, 16]\nsamples_to_target = 1000\n"
        f'[[jobs]]\nkind = "forward"\nnetwork = "{network}"\nbatch = 4\npasses = 5\nsteps = 6\n'
    )
    forward, training, application = scenario(text).realise(tx2).arrivals
    assert [a.t_s for a in (forward, training, application)] == [0.0, 2.0, 9.0]
    assert (forward.id, training.id, application.id) == (f"{network}-1", "train", "adi-3")
    assert isinstance(forward.job, ForwardJob)
    assert (forward.job.batch, forward.job.passes, forward.job.steps) == (4, 5.0, 6.0)
    assert isinstance(training.job, TrainingJob)
    assert training.job.samples_to_target == {8: 1000.0, 16: 1000.0}
    assert isinstance(application.job, Application)
    assert (application.job.target_ips, application.lifetime_s) == (2e8, 4.0)


def test_endless_programs_leave_after_their_lifetime(hikey: Board) -> None:
    spec = ARRIVALS.replace("1e9", '"endless"') + "count = 9\nlifetime_s = [20, 30]"
    for arrival in scenario(spec).realise(hikey).arrivals:
        assert isinstance(arrival.job, Application)
        assert math.isinf(arrival.job.instructions)
        assert arrival.lifetime_s is not None and 20.0 <= arrival.lifetime_s <= 30.0


def test_what_happens_comes_in_order_of_time(hikey: Board) -> None:
    zone = next(iter(hikey.sensors.zones))
    text = (
        "ambient = [[0, 20], [50, 30]]\ncap = [{ t_s = 10, cap_w = 6 }, { t_s = 50 }]\n"
        f'{FAULT}"{zone}"\nduration_s = 47\n{FAULT.replace("3", "50")}"{zone}"\n'
    )
    plan = scenario(text).realise(hikey)
    assert (plan.ambient_c, plan.cap_w) == (20.0, None)
    assert [(c.t_s, c.what, c.value) for c in plan.changes] == [
        (3.0, "fault", None),
        (10.0, "cap", 6.0),
        (50.0, "ambient", 30.0),
        (50.0, "cap", None),
        (50.0, "heal", None),
        (50.0, "fault", None),
    ]
    first, healed = plan.changes[0].fault, plan.changes[4].fault
    assert first is not None and first is healed and first.target == zone


def test_without_steps_the_board_file_says_the_ambient(hikey: Board) -> None:
    plan = scenario("ambient = [[60, 40]]").realise(hikey)
    assert plan.ambient_c == hikey.thermal.ambient_c.value
    assert scenario("cap = 5.5").realise(hikey).cap_w == 5.5


def test_cooling_chooses_the_fan_level(tx2: Board) -> None:
    fan = tx2.limits.fan
    assert fan is not None
    levels = [scenario(f'cooling = "{c}"').realise(tx2).fan for c in ("board", "fan", "no-fan")]
    assert levels == [None, len(fan.pwm) - 1, 0]


def test_a_fan_is_not_assumed_where_there_is_none(tx2: Board) -> None:
    bare = tx2.model_copy(update={"limits": tx2.limits.model_copy(update={"fan": None})})
    with pytest.raises(ValueError, match=r"scenario probe on jetson-tx2: cooling is 'fan'"):
        scenario('cooling = "fan"').realise(bare)
    assert scenario('cooling = "no-fan"').realise(bare).fan is None


def test_initial_temperatures_are_given_by_node_or_zone(tx2: Board) -> None:
    node = tx2.thermal.nodes[-1]
    plan = scenario(f'initial = {{ "{node}" = 41 }}').realise(tx2)
    assert plan.initial == {node: 41.0}
    zone, sensor = next(iter(tx2.sensors.zones.items()))
    expected = zone if zone in tx2.thermal.nodes else sensor.node
    assert scenario(f'initial = {{ "{zone}" = 50 }}').realise(tx2).initial == {expected: 50.0}
    with pytest.raises(KeyError, match="no node or zone of jetson-tx2 named 'nowhere'"):
        scenario("initial = { nowhere = 41 }").realise(tx2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (APPLICATION.replace("adi", "ady"), r"jobs\.0: .*'ady'.*Did you mean 'adi'"),
        (APPLICATION + 'dataset = "LARG"', r"jobs\.0: .*'LARG'.*Did you mean 'LARGE'"),
        (APPLICATION + 'unit = "cpu44"', r"jobs\.0: no unit of hikey970 named 'cpu44'.*'cpu4'"),
        (
            TRAINING.replace("18", "81") + "samples_to_target = 1",
            r"jobs\.0: .*'resnet-81-cifar'.*'resnet-18-cifar'",
        ),
        (ARRIVALS + 'count = 3\nprograms = ["seidel"]', r"arrivals: .*'seidel'.*'seidel-2d'"),
        ('mode = "TURBO"', "no power mode of hikey970 named 'TURBO'"),
        (FAULT + '"nozone"', r"faults\.0: no zone or rail of hikey970 named 'nozone'"),
        (FAULT.replace("sensor-stuck", "clock-refused") + '"bigg"', r"faults\.0: no clock domain"),
        (FAULT.replace("sensor-stuck", "trip") + '"nozone"', r"faults\.0: no zone with a trip"),
    ],
)
def test_a_name_the_board_does_not_know_is_refused(hikey: Board, text: str, message: str) -> None:
    with pytest.raises(KeyError, match=message) as refused:
        scenario(text).realise(hikey)
    assert refused.value.args[0].startswith("scenario probe on hikey970: ")


def test_a_unit_that_the_power_mode_turns_off_takes_no_job(tx2: Board) -> None:
    off = "cpu1"
    assert off not in (tx2.mode("MAXQ").online or ())
    text = f'mode = "MAXQ"\n{APPLICATION}unit = "{off}"'
    with pytest.raises(ValueError, match="adi-1 asks for cpu1, which is off in mode MAXQ"):
        scenario(text).realise(tx2)
    assert scenario(text.replace(off, "cpu0")).realise(tx2).mode == "MAXQ"


def test_two_jobs_cannot_have_one_id(hikey: Board) -> None:
    with pytest.raises(ValueError, match="two jobs have the id 'adi-2'"):
        scenario(APPLICATION + 'id = "adi-2"\n' + APPLICATION).realise(hikey)


def test_every_shipped_scenario_bears_the_name_of_its_file() -> None:
    assert set(scenario_names()) >= {
        *("mixed-20-slow", "mixed-20", "mixed-20-fast"),
        *("single-app", "train-cap", "train-cap-steps"),
    }
    assert [load_scenario(name).name for name in scenario_names()] == list(scenario_names())


@pytest.mark.parametrize(
    ("name", "running"), [("mixed-20-slow", 2.0), ("mixed-20", 4.0), ("mixed-20-fast", 6.5)]
)
def test_mixed_scenarios_offer_the_load_their_titles_claim(
    hikey: Board, name: str, running: float
) -> None:
    shipped = load_scenario(name)
    assert shipped.arrivals is not None
    jobs = [a.job for seed in range(150) for a in shipped.realise(hikey, seed=seed).arrivals]
    assert len(jobs) == 150 * 20
    times_s = [j.instructions / (j.target_ips or 0) for j in jobs if isinstance(j, Application)]
    assert shipped.arrivals.rate_hz * np.mean(times_s) == pytest.approx(running, rel=0.08)


@pytest.mark.parametrize("name", ["train-cap", "train-cap-steps"])
def test_training_fits_the_memory_of_the_tx2_at_every_batch_size(tx2: Board, name: str) -> None:
    (arrival,) = load_scenario(name).realise(tx2).arrivals
    job = arrival.job
    assert isinstance(job, TrainingJob)
    assert len(job.samples_to_target) >= 4
    largest_bytes = max(job.memory_bytes(b) for b in job.samples_to_target)
    assert largest_bytes < 0.8 * tx2.performance.ram_bytes.value


def test_the_cap_of_the_stepped_scenario_moves_both_ways(tx2: Board) -> None:
    plan = load_scenario("train-cap-steps").realise(tx2)
    caps_w = np.array([plan.cap_w, *(c.value for c in plan.changes if c.what == "cap")], float)
    assert len(caps_w) == 6 and np.isfinite(caps_w).all()
    assert set(np.sign(np.diff(caps_w))) == {-1.0, 1.0}
