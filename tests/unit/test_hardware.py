"""The host's side of the hardware backend: what it tells, how it keeps time, what it reads."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgetwin.factory import make_backend
from edgetwin.hardware import Device, HardwareError, Limits
from edgetwin.hardware.crew import Crew
from edgetwin.hardware.diagnosis import board_named, findings
from edgetwin.hardware.host import adapted, looked_at
from edgetwin.hardware.link import SSH_VARIABLE, Link, command_of
from edgetwin.hardware.pace import Pace
from edgetwin.hardware.qos import QosLoop
from edgetwin.hardware.safety import MARGIN_K, description, limits_c, zone_types
from edgetwin.hardware.seen import reading_of
from edgetwin.scenario import parse_scenario
from edgetwin.virtual import write_plain
from hw_models.board import Knobs, board_names, load_board
from hw_models.jobs import LoadJob, TrainingJob
from hw_models.trace import JobReading
from hw_models.workloads import load_network

pytestmark = pytest.mark.alone

NANO = load_board("jetson-nano")
HIKEY = load_board("hikey970")


@pytest.fixture
def device(tmp_path: Path) -> Any:
    root = write_plain(NANO, tmp_path / "board")
    with_state = str(tmp_path / "state")
    made = Device(NANO, root=str(root), state=with_state)
    yield made
    made.close()


# -- what is told to the agent -----------------------------------------------------------------


@pytest.mark.parametrize("name", board_names())
def test_limits_lie_below_the_trips_of_the_board(name: str) -> None:
    board = load_board(name)
    own = limits_c(board, Limits())
    assert set(own) == set(board.sensors.zones)
    for trip in board.limits.trips:
        if trip.kind != "fan":
            assert own[trip.zone] <= trip.temp_c.value - MARGIN_K


def test_a_lower_limit_may_be_asked_for_and_a_higher_one_not() -> None:
    assert max(limits_c(NANO, Limits(trip_c=60.0)).values()) == 60.0
    assert limits_c(NANO, Limits(trip_c=150.0)) == limits_c(NANO, Limits())


@pytest.mark.parametrize("given", [{"deadman_s": 0.0}, {"deadman_s": 1e6}, {"longest_s": 0.0}])
def test_limits_without_a_limit_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="give"):
        Limits(**given)


def test_only_writable_files_are_described_as_knobs() -> None:
    clocks = description(NANO, Limits())["clocks"]
    assert clocks["emc"]["min"] == []
    assert clocks["emc"]["switches"] == ["/sys/kernel/debug/clk/override.emc/clk_state"]
    assert clocks["cpu"]["hz_per_count"] == 1000
    assert description(HIKEY, Limits())["clocks"]["ddr"]["rate"] == []


def test_a_zone_is_known_by_the_names_of_its_kernel() -> None:
    assert {"cpu-therm", "cpu-thermal", "cpu"} <= set(zone_types(NANO, "cpu"))
    assert "thermal-fan-est" in zone_types(NANO, "thermal")


# -- the link ------------------------------------------------------------------------------------


def test_ssh_is_the_users_own_with_a_port_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SSH_VARIABLE, "ssh -F my.config")
    words = command_of("ssh://me@board:2222", "/", None)
    assert words[:3] == ["ssh", "-F", "my.config"]
    assert words[words.index("-p") + 1] == "2222"
    assert words[-2] == "me@board"
    assert words[-1].startswith("python3 -ISc ")


@pytest.mark.parametrize("target", ["board", "http://board", "ssh://", "ssh://board/path", ""])
def test_a_target_that_is_none_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="give local, or ssh://user@host"):
        command_of(target, "/")


def test_a_host_cannot_be_an_option_of_ssh() -> None:
    with pytest.raises(ValueError, match="no name of a host"):
        command_of("ssh://-oProxyCommand=x", "/")


def test_a_missing_ssh_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SSH_VARIABLE, "no-such-ssh-client")
    with pytest.raises(HardwareError, match="cannot start no-such-ssh-client"):
        Link("ssh://board")


def test_what_the_other_end_says_last_is_passed_on(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match=r"--root .* is no folder"):
        Device(NANO, root=str(tmp_path / "nowhere"))


def test_a_root_without_the_board_is_said(tmp_path: Path) -> None:
    with pytest.raises(HardwareError, match="nothing of jetson-nano is below"):
        Device(NANO, root=str(tmp_path))


# -- time -----------------------------------------------------------------------------------------


def test_catching_up_keeps_the_schedule() -> None:
    pace = Pace(1.0, "catch-up")
    pace.start()
    time.sleep(0.15)  # a slow policy
    for i in range(1, 5):
        pace.wait_until(0.1 * i)
        pace.period_ended(0.1 * i, 0.1)
    assert pace.timing.late == 1
    assert pace.now_s() == pytest.approx(0.4, abs=0.08)


def test_shifting_keeps_every_period_long() -> None:
    pace = Pace(1.0, "shift")
    pace.start()
    time.sleep(0.25)
    pace.period_ended(0.1, 0.1)
    pace.wait_until(0.2)
    pace.period_ended(0.2, 0.1)
    assert pace.timing.shifted_s == pytest.approx(0.15, abs=0.05)
    assert pace.timing.period_s >= 0.09


def test_a_fast_board_counts_its_own_seconds() -> None:
    pace = Pace(100.0, "catch-up")
    pace.start()
    pace.wait_until(10.0)
    assert pace.now_s() >= 10.0


def test_a_reading_is_asked_for_so_early_that_it_is_there_in_time() -> None:
    pace = Pace(1.0, "catch-up")
    assert pace.lead_s(0.05) == 0.0
    for trip_s in (0.003, 0.002):
        pace.answered(trip_s)
    assert pace.lead_s(0.05) == pytest.approx(0.003)
    pace.answered(0.5)
    assert pace.lead_s(0.05) == pytest.approx(0.005)  # a tenth of the period at most
    for _ in range(100):
        pace.answered(0.004)
    assert pace.lead_s(0.05) == pytest.approx(0.004)


def test_where_trips_are_long_for_a_period_the_board_reads_at_its_end() -> None:
    pace = Pace(100.0, "catch-up")
    pace.answered(0.004)
    assert pace.lead_s(0.5) == pytest.approx(0.2)


def test_no_period_ends_before_its_time(tmp_path: Path) -> None:
    with closing(Device(NANO, root=str(write_plain(NANO, tmp_path / "board")))) as device:
        device.reset()
        for _ in range(10):
            device.advance(0.03)
            assert device.info()["late_s"] > 0.0


# -- readings ----------------------------------------------------------------------------------


def said(**changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "zone": {"cpu": 40.0, "gpu": None}, "rail": {"pom_5v_in": 2.5},
        "clock": {"cpu": 614.0e6, "gpu": 921.6e6, "emc": 720e6}, "fan": {"fan": 81.0},
        "load": {"gpu": 0.5}, "memory": {"emc": 800_000.0},
    }  # fmt: skip
    values |= changes.pop("values", {})
    return {"values": values, "energy_j": 3.0, "busy": {"cpu0": 0.25}, "pinned": {}} | changes


def test_a_reading_has_the_boards_names_and_no_more_than_was_said() -> None:
    reading = reading_of(NANO, said(), 1.0, 7.0, {})
    assert list(reading.temps_c) == list(NANO.sensors.zones)
    assert reading.temps_c["gpu"] is None
    assert reading.temps_c["ao"] is None
    assert reading.power_w == {"pom_5v_in": 2.5, "pom_5v_gpu": None, "pom_5v_cpu": None}
    assert reading.busy == {"cpu0": 0.25, "gpu": 0.5}
    assert (reading.fan, reading.cap_w, reading.energy_j) == (1, 7.0, 3.0)


def test_a_clock_is_the_operating_point_next_to_it_or_none() -> None:
    reading = reading_of(NANO, said(), 0.0, None, {})
    assert reading.freq_hz == {"cpu": 614.4e6, "gpu": 921.6e6}
    assert reading.memory_busy is None


def test_the_memory_is_busy_by_the_khz_it_worked() -> None:
    reading = reading_of(NANO, said(values={"clock": {"emc": 1600e6}}), 0.0, None, {})
    assert reading.memory_busy == 0.5


def test_a_board_without_a_power_sensor_has_no_power() -> None:
    reading = reading_of(HIKEY, said(energy_j=None), 0.0, None, {})
    assert reading.power_w is None
    assert reading.energy_j is None


def test_a_held_clock_that_runs_lower_is_throttled() -> None:
    cool = reading_of(NANO, said(pinned={"gpu": 921.6e6}), 0.0, None, {})
    slow = said(pinned={"gpu": 921.6e6}, values={"clock": {"gpu": 614.4e6}})
    hot = said(values={"zone": {"cpu": 97.5}})
    assert not cool.throttled
    assert reading_of(NANO, slow, 0.0, None, {}).throttled
    assert reading_of(NANO, hot, 0.0, None, {}).throttled


# -- the rule that no kernel has ---------------------------------------------------------------


def reading_with(hz: float, jobs: dict[str, JobReading]) -> Any:
    clocks = {"little": hz, "big": 682e6}
    return reading_of(HIKEY, said(values={"clock": clocks}, busy={}), 0.0, None, jobs)


def application(unit: str, rate: float, target: float) -> JobReading:
    return JobReading(
        unit=unit, progress=None, rate=rate, target=target, l2d_per_s=None, batch=None
    )


@pytest.mark.parametrize(
    ("hz", "rate", "target", "wanted"),
    [
        (1018e6, 1e9, 1.5e9, 1210e6),  # too slow: one step up
        (1018e6, 1e9, 1e9, None),  # just right
        (1018e6, 1e9, 0.2e9, 509e6),  # too fast: one step down
        (1844e6, 1e9, 9e9, None),  # no higher clock
    ],
)
def test_the_qos_rule_takes_one_step_towards_the_lowest_clock_that_does(
    hz: float, rate: float, target: float, wanted: float | None
) -> None:
    loop = QosLoop(HIKEY)
    loop.take("little")
    found = loop.wanted_hz(reading_with(hz, {"a": application("cpu1", rate, target)}))
    assert found == ({} if wanted is None else {"little": wanted})


def test_the_qos_rule_holds_still_after_a_migration() -> None:
    loop = QosLoop(HIKEY)
    loop.take("little")
    loop.wanted_hz(reading_with(1018e6, {"a": application("cpu5", 1e9, 2e9)}))
    assert loop.wanted_hz(reading_with(1018e6, {"a": application("cpu1", 1e9, 2e9)})) == {}
    assert loop.wanted_hz(reading_with(1018e6, {"a": application("cpu1", 1e9, 2e9)}))


def test_a_domain_without_work_goes_to_rest() -> None:
    loop = QosLoop(HIKEY)
    loop.take("little")
    assert loop.wanted_hz(reading_with(1018e6, {})) == {"little": 509e6}


# -- the device --------------------------------------------------------------------------------


def test_a_scenario_turns_knobs_and_caps_at_their_times(device: Device) -> None:
    scenario = parse_scenario(
        'name = "k"\ntitle = "knobs"\nduration_s = 1\ncap = [{ t_s = 0, cap_w = 9.0 }, '
        "{ t_s = 0.2, cap_w = 5.0 }]\nknobs = [{ t_s = 0.2, freq_hz = { gpu = 307.2e6 } }]",
        "test",
    )
    assert device.reset(scenario=scenario).cap_w == 9.0
    device.advance(0.1)
    last = device.advance(0.2).last
    assert last.cap_w == 5.0
    assert device.said["pinned"] == {"gpu": 307.2e6}


def test_recorded_samples_lie_between_the_readings(tmp_path: Path) -> None:
    root = write_plain(NANO, tmp_path / "board")
    made = Device(NANO, root=str(root), state=str(tmp_path / "s"), record_s=0.05)
    try:
        made.reset()
        trace = made.advance(0.4)
    finally:
        made.close()
    times_s = trace.columns["t_s"]
    assert times_s[-1] == 0.4
    assert 4 <= len(trace) <= 9
    assert np.all(np.diff(times_s) > 0)


def test_what_is_refused_is_not_among_the_accepted(device: Device) -> None:
    device.reset()
    applied = device.apply(Knobs(governor={"gpu": "ondemand"}, freq_hz={"cpu": 614.4e6}))
    assert list(applied.refused) == ["governor.gpu"]
    assert applied.accepted == Knobs(freq_hz={"cpu": 614.4e6})


def test_a_dry_run_tells_its_writes(tmp_path: Path) -> None:
    root = write_plain(NANO, tmp_path / "board")
    wrote: list[tuple[str, str]] = []
    made = Device(NANO, root=str(root), state=str(tmp_path / "s"), dry_run=True,
                  watch=lambda path, text: wrote.append((path, text)))  # fmt: skip
    try:
        made.reset()
        made.apply(Knobs(freq_hz={"gpu": 76.8e6}))
    finally:
        made.close()
    assert [text for _, text in wrote] == ["76800000", "76800000"]


def test_work_of_a_kind_that_needs_a_command_is_refused_without_one(device: Device) -> None:
    network = load_network("resnet-18-cifar")
    device.reset()
    with pytest.raises(ValueError, match="needs the command that does this job"):
        device.submit(TrainingJob(network=network, batch=8, samples_to_target={8: 100.0}))
    assert device.results() == ()


def test_a_crew_names_every_job_once_and_puts_it_where_it_is_least_crowded() -> None:
    crew = Crew(board=NANO)
    job = LoadJob(busy=1.0, freq_hz=1e9)
    assert crew.name(job, None) != crew.name(job, None)
    assert crew.place(job, "cpu2") == "cpu2"
    with pytest.raises(KeyError, match="nowhere"):
        crew.place(job, "nowhere")


@pytest.mark.parametrize("bad", [{"overrun": "hurry"}, {"trace": "x"}])
def test_an_option_that_is_none_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError, TypeError)):
        make_backend("hardware", board=NANO, **bad)


def test_options_of_a_device_are_for_a_device() -> None:
    with pytest.raises(ValueError, match="target: for backend 'hardware' only"):
        make_backend("sim", board=NANO, target="local")


# -- whose board -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "board"),
    [
        ("NVIDIA Jetson Nano Developer Kit", "jetson-nano"),
        ("NVIDIA Jetson TX2 NX", "jetson-tx2-nx"),
        ("quill / jetson_tx2", "jetson-tx2"),
        ("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", "jetson-orin-nano"),
        ("HiKey970", "hikey970"),
        ("ThinkPad", "linux-host"),
    ],
)
def test_a_device_is_known_by_what_it_calls_itself(model: str, board: str) -> None:
    assert board_named(model) == board


def test_any_machine_becomes_a_board_with_its_own_cores_and_clocks() -> None:
    inventory = {"cpus": 6, "khz": [800_000.0, 4_200_000.0], "zones": ["acpitz", "x86_pkg_temp"]}
    board = adapted(load_board("linux-host"), inventory)
    assert [u.name for u in board.unit_list] == [f"cpu{i}" for i in range(6)]
    hz = board.clocks["cpu"].freqs_hz.value
    assert (hz[0], hz[-1]) == (800e6, 4200e6)
    assert list(hz) == sorted(set(hz))
    assert len(board.clocks["cpu"].volts_v.value) == len(hz)


def test_a_doctor_says_what_works_and_what_grants_the_rest(tmp_path: Path) -> None:
    root = write_plain(NANO, tmp_path)
    (root / "sys/devices/gpu.0/load").unlink()
    board, found = looked_at(None, root=str(root))
    assert board.name == "jetson-nano"
    by_name = {f.what: f for f in findings(board, found)}
    assert by_name["set clock gpu"].works
    assert not by_name["read load gpu"].works
    assert by_name["read rail pom_5v_in"].detail.endswith("in_power0_input")


def test_a_file_that_may_not_be_written_comes_with_the_command_that_grants_it() -> None:
    found = {
        "found": {}, "missing": [], "fan": "", "fan_path": None, "counters": [], "stat": False,
        "clocks": {"emc": {"way": "", "why": "may not write it", "paths": ["/sys/kernel/debug/x"]}},
    }  # fmt: skip
    cure = next(f.cure for f in findings(NANO, found) if f.what == "set clock emc")
    assert cure == (
        "sudo mount -o remount,mode=755 /sys/kernel/debug && sudo chmod a+w /sys/kernel/debug/x"
    )
