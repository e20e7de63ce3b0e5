"""The agent over a plain folder of files: what it writes, refuses, restores and survives."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgetwin.hardware import agent
from edgetwin.hardware.agent import SHAPES
from edgetwin.hardware.errors import HardwareError
from edgetwin.hardware.link import PROTOCOLS, Link, RefusedError
from edgetwin.hardware.safety import Limits, description
from edgetwin.reproduce.hardware.bench import guardian_of, state_of, wait_until
from edgetwin.virtual import write_plain
from hw_models.board import load_board

pytestmark = pytest.mark.alone

NANO = load_board("jetson-nano")
CPU = "/sys/devices/system/cpu/cpufreq/policy0"
GPU = "/sys/devices/gpu.0/devfreq/57000000.gpu"
ZONE = "/sys/devices/virtual/thermal/thermal_zone1/temp"
MADE = Callable[..., Link]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_plain(NANO, tmp_path / "board")


@pytest.fixture
def link(root: Path, tmp_path: Path) -> Iterator[MADE]:
    """Makes links to agents at the root, each described; all are closed in the end."""
    made: list[Link] = []

    def make(*, describe: bool = True, limits: Limits | None = None, **more: Any) -> Link:
        beat_s = (limits or Limits()).deadman_s / 4
        one = Link("local", str(root), state=str(tmp_path / "state"), beat_s=beat_s, timeout_s=10.0)
        made.append(one)
        if describe:
            spec = description(NANO, limits or Limits()) | more
            one.ask("describe", spec=spec, protocols=PROTOCOLS)
        return one

    yield make
    for one in made:
        one.close()


def said(root: Path, path: str) -> str:
    return (root / path.lstrip("/")).read_text(encoding="utf-8").strip()


def pin(link: Link, domain: str, hz: float) -> dict[str, Any]:
    return link.ask("apply", clocks={domain: {"hz": hz}})


def agent_of(link: Link) -> int:
    return link.pid


# -- knobs ---------------------------------------------------------------------------------


def test_a_clock_is_held_by_both_ends_of_its_range(link: MADE, root: Path) -> None:
    one = link()
    assert pin(one, "cpu", 614.4e6)["refused"] == {}
    assert said(root, f"{CPU}/scaling_min_freq") == "614400"
    assert said(root, f"{CPU}/scaling_max_freq") == "614400"
    pin(one, "gpu", 921.6e6)
    assert (said(root, f"{GPU}/min_freq"), said(root, f"{GPU}/max_freq")) == ("921600000",) * 2


def test_closing_puts_back_what_was_found(link: MADE, root: Path) -> None:
    found = state_of(root)
    one = link()
    for domain, clock in NANO.clocks.items():
        assert pin(one, domain, clock.freqs_hz.value[1])["refused"] == {}
    one.ask("apply", clocks={}, fan=2)
    one.ask("apply", clocks={"cpu": {"governor": "ondemand"}})
    assert state_of(root) != found
    one.close()
    assert state_of(root) == found


def test_a_governor_of_the_device_is_set_and_the_range_given_back(link: MADE, root: Path) -> None:
    one = link()
    pin(one, "cpu", 614.4e6)
    one.ask("apply", clocks={"cpu": {"governor": "powersave"}})
    assert said(root, f"{CPU}/scaling_governor") == "powersave"
    assert said(root, f"{CPU}/scaling_max_freq") == "1479000"


def test_a_governor_that_the_device_lacks_is_refused_with_those_it_has(link: MADE) -> None:
    refused = link().ask("apply", clocks={"gpu": {"governor": "ondemand"}})["refused"]
    assert "nvhost_podgov" in refused["gpu"]


@pytest.mark.parametrize("hz", [1e9, 614.5e6, -1, 0, 1e30, "614400000", None, True, [614.4e6]])
def test_a_clock_off_the_table_is_refused_and_nothing_written(
    hz: Any, link: MADE, root: Path
) -> None:
    found = state_of(root)
    answer = link().ask("apply", clocks={"cpu": {"hz": hz}})
    assert answer["refused"]["cpu"]
    assert answer["wrote"] == []
    assert state_of(root) == found


def test_nothing_is_raised_above_the_limit_that_was_found(link: MADE, root: Path) -> None:
    (root / GPU.lstrip("/") / "max_freq").write_text("614400000\n")
    assert "found limited to 614400000 Hz" in pin(link(), "gpu", 921.6e6)["refused"]["gpu"]


def test_a_dry_run_says_what_it_would_write_and_writes_nothing(link: MADE, root: Path) -> None:
    found = state_of(root)
    one = link(dry_run=True)
    wrote = pin(one, "gpu", 76.8e6)["wrote"]
    assert wrote == [[f"{GPU}/min_freq", "76800000"], [f"{GPU}/max_freq", "76800000"]]
    assert state_of(root) == found


# -- what it does not believe ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("max", "/etc/hostname"),
        ("max", "/sys/../../outside"),
        ("governor", "/sys/devices/system/cpu/cpu1/online"),
        ("rate", "/sys/power/state"),
        ("switches", "/proc/sys/kernel/panic"),
    ],
)
def test_a_description_cannot_name_other_files_to_write(
    key: str, path: str, link: MADE, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").write_text("untouched")
    (root / "sys/power").mkdir(parents=True)
    (root / "sys/power/state").write_text("untouched\n")
    found = state_of(root)
    spec = description(NANO, Limits())
    spec["clocks"]["gpu"][key] = [path]
    one = link(describe=False)
    one.ask("describe", spec=spec, protocols=PROTOCOLS)
    for wish in ({"hz": 76.8e6}, {"governor": "powersave"}):
        one.ask("apply", clocks={"gpu": wish})
    one.close()
    assert state_of(root) == found
    assert (tmp_path / "outside").read_text() == "untouched"


def test_a_link_that_leads_out_of_the_root_is_not_followed(
    link: MADE, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("255\n")
    fan = root / "sys/devices/pwm-fan/target_pwm"
    fan.unlink()
    fan.symlink_to(outside)
    answer = link().ask("apply", clocks={}, fan=1)
    assert "fan" in answer["refused"]
    assert outside.read_text() == "255\n"


def test_a_session_is_bound_to_one_board(link: MADE) -> None:
    one = link()
    other = description(load_board("hikey970"), Limits())
    with pytest.raises(RefusedError, match="bound to one board"):
        one.ask("describe", spec=other, protocols=PROTOCOLS)


def test_an_agent_of_another_protocol_is_refused(link: MADE) -> None:
    with pytest.raises(RefusedError, match="no protocol in common"):
        link(describe=False).ask("describe", spec={}, protocols=[99])


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe not text", b"[" * 100_000, b'{"id": 1, "verb": "apply", "fan": NaN}', b"null",
        b'{"id": {"a": 1}, "verb": "ping"}', b'{"verb": "__init__"}',
        b'{"id": 1, "verb": ["ping"]}',
        b'{"id": 1, "verb": "start", "job": "../x", "unit": "cpu0"}', b"x" * 2_000_000,
    ],
)  # fmt: skip
def test_a_bad_line_is_answered_and_the_next_one_too(line: bytes, link: MADE) -> None:
    one = link()
    os.set_blocking(one._in, True)
    os.write(one._in, line + b"\n")
    os.set_blocking(one._in, False)
    assert one.ask("ping") == {}


def test_every_shape_is_a_file_below_sys_without_wildcards() -> None:
    for shape in SHAPES:
        assert not shape.match("/etc/passwd")
        assert not shape.match("/sys/devices/system/cpu/cpu1/online")
        assert not shape.match("/sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq/../x")


# -- giving back -----------------------------------------------------------------------------


def changed(link: MADE, limits: Limits | None = None) -> Link:
    one = link(limits=limits)
    pin(one, "gpu", 307.2e6)
    pin(one, "cpu", 614.4e6)
    return one


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_to_the_agent_gives_the_board_back(
    number: signal.Signals, link: MADE, root: Path
) -> None:
    found = state_of(root)
    one = changed(link)
    os.kill(agent_of(one), number)
    assert wait_until(lambda: state_of(root) == found, 10.0) is not None
    with pytest.raises(HardwareError, match=rf"signal {number.value}|the agent was killed"):
        one.ask("ping")


def test_a_silent_host_loses_the_board_after_the_dead_man_time(link: MADE, root: Path) -> None:
    found = state_of(root)
    one = changed(link, Limits(deadman_s=0.5))
    one._over.set()  # no more beats
    start_s = time.monotonic()
    assert wait_until(lambda: state_of(root) == found, 10.0) is not None
    assert time.monotonic() - start_s > 0.2
    one._over.clear()
    with pytest.raises(HardwareError, match=r"no word from the host for 0\.5 s"):
        one.ask("ping")


def test_a_session_has_a_longest_time(link: MADE, root: Path) -> None:
    found = state_of(root)
    one = changed(link, Limits(longest_s=1.0))
    assert wait_until(lambda: state_of(root) == found, 10.0) is not None
    with pytest.raises(HardwareError, match="longest time, 1 s"):
        one.ask("ping")


def test_an_agent_that_hangs_is_replaced_by_its_guardian(link: MADE, root: Path) -> None:
    found = state_of(root)
    one = changed(link)
    os.kill(agent_of(one), signal.SIGSTOP)
    assert wait_until(lambda: state_of(root) == found, 10.0) is not None
    with pytest.raises(HardwareError, match="hung for 3 s"):
        one.ask("ping")


def test_what_a_dead_pair_left_is_put_back_at_the_next_start(link: MADE, root: Path) -> None:
    found = state_of(root)
    one = changed(link)
    guardian = guardian_of(agent_of(one))
    assert guardian is not None
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in (guardian, agent_of(one)):
            os.kill(pid, number)
    one._broken = "killed"
    time.sleep(0.2)
    assert state_of(root) != found
    next_one = link(describe=False)
    answer = next_one.ask("describe", spec=description(NANO, Limits()), protocols=PROTOCOLS)
    assert answer["recovered"]["files"] >= 6
    assert state_of(root) == found


def test_a_board_has_one_host_at_a_time(link: MADE, root: Path) -> None:
    first = changed(link)
    second = link()
    second.ask("restore", zero=True)
    answer = second.ask("apply", clocks={"gpu": {"hz": 76.8e6}})
    assert f"driven by process {agent_of(first)}" in answer["refused"]["gpu"]
    assert said(root, f"{GPU}/max_freq") == "307200000"
    first.close()
    assert pin(second, "gpu", 76.8e6)["refused"] == {}


def test_nothing_is_written_when_the_journal_cannot_be(
    link: MADE, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    found = state_of(root)
    answer = link().ask("apply", clocks={"gpu": {"hz": 76.8e6}})
    assert "gpu" in answer["refused"]
    assert state_of(root) == found


# -- sensors and heat ------------------------------------------------------------------------


def test_readings_are_in_si_units(link: MADE, root: Path) -> None:
    (root / ZONE.lstrip("/")).write_text("41500\n")
    rail = root / "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input"
    rail.write_text("2583\n")
    one = link()
    time.sleep(0.1)
    values = one.ask("read")["values"]
    assert values["zone"]["cpu"] == 41.5
    assert values["rail"]["pom_5v_in"] == pytest.approx(2.583)
    assert values["clock"]["gpu"] == 76.8e6


@pytest.mark.parametrize("text", ["", "warm", "1e9", "999999999", "-300000", "37 000", "1_000"])
def test_garbage_is_no_reading(text: str, link: MADE, root: Path) -> None:
    one = link()
    (root / ZONE.lstrip("/")).write_text(text)
    time.sleep(0.8)
    answer = one.ask("read")
    assert answer["values"]["zone"]["cpu"] is None
    assert ZONE in answer["faults"]["zone.cpu"]


def test_energy_is_the_integral_of_the_input_power(link: MADE, root: Path) -> None:
    rail = root / "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input"
    rail.write_text("5000\n")
    one = link()
    one.ask("restore", zero=True)
    before = one.ask("read")
    time.sleep(1.0)
    after = one.ask("read")
    seconds = after["t_s"] - before["t_s"]
    assert after["energy_j"] - before["energy_j"] == pytest.approx(5.0 * seconds, rel=0.05)


def test_a_zone_at_its_limit_puts_every_clock_to_its_lowest(link: MADE, root: Path) -> None:
    found = state_of(root)
    one = link()
    for domain, clock in NANO.clocks.items():
        pin(one, domain, clock.freqs_hz.value[-1])
    (root / ZONE.lstrip("/")).write_text("94000\n")
    assert wait_until(lambda: said(root, f"{GPU}/max_freq") == "76800000", 2.0) is not None
    assert wait_until(lambda: said(root, f"{CPU}/scaling_max_freq") == "102000", 2.0) is not None
    refused = pin(one, "gpu", 921.6e6)["refused"]["gpu"]
    assert refused == "tripped: cpu is at 94.0 degC, the limit is 94.0"
    (root / ZONE.lstrip("/")).write_text("60000\n")
    assert wait_until(lambda: not one.ask("read")["tripped"], 2.0) is not None
    assert pin(one, "gpu", 307.2e6)["refused"] == {}
    one.close()
    (root / ZONE.lstrip("/")).write_text(found.get(ZONE, "60000\n"))
    assert state_of(root) == found


def test_no_temperature_for_two_seconds_is_a_trip(link: MADE, root: Path) -> None:
    one = changed(link)
    for zone in (root / "sys/devices/virtual/thermal").glob("thermal_zone*/temp"):
        zone.write_text("broken\n")
    assert wait_until(lambda: said(root, f"{GPU}/max_freq") == "76800000", 6.0) is not None
    assert "no temperature could be read" in one.ask("read")["tripped"]


def test_recorded_readings_come_with_the_next_read(link: MADE) -> None:
    one = link()
    one.ask("record", period_s=0.1)
    time.sleep(0.55)
    times_s = [reading["t_s"] for reading in one.ask("read")["batch"]]
    assert 3 <= len(times_s) <= 7
    assert times_s == sorted(times_s)
    one.ask("record", period_s=0)
    with pytest.raises(RefusedError, match="period_s"):
        one.ask("record", period_s=1e-6)


# -- jobs ------------------------------------------------------------------------------------


def started(link: Link, **more: Any) -> int:
    answer = link.ask("start", **({"job": "one", "unit": "cpu0"} | more))
    return int(answer["pid"])


def test_a_job_is_a_process_whose_lines_are_steps(link: MADE) -> None:
    one = link()
    command = ["sh", "-c", "for i in 1 2 3; do echo step; done; sleep 60"]
    pid = started(one, command=command)
    assert wait_until(lambda: one.ask("read")["jobs"]["one"]["work"] == 3.0, 5.0) is not None
    assert os.sched_getaffinity(pid) == {0}
    assert one.ask("stop", job="one")["work"] == 3.0
    assert not os.path.exists(f"/proc/{pid}") or _is_zombie(pid)


def test_a_job_that_speaks_json_tells_its_own_work(link: MADE) -> None:
    one = link()
    line = json.dumps({"work": 640, "at_s": 2.0, "batch": 64, "progress": 0.25})
    started(one, command=["sh", "-c", f"echo '{line}'; sleep 60"])
    job = lambda: one.ask("read")["jobs"]["one"]  # noqa: E731
    assert wait_until(lambda: job()["work"] == 640.0, 5.0) is not None
    assert (job()["progress"], job()["batch"]) == (0.25, 64)


def test_jobs_end_with_the_session_children_and_all(link: MADE, tmp_path: Path) -> None:
    one = link()
    mark = tmp_path / "child"
    started(one, command=["sh", "-c", f"sleep 1000 & echo $! > {mark}; wait"])
    assert wait_until(lambda: mark.exists() and bool(mark.read_text().strip()), 5.0) is not None
    child = int(mark.read_text())
    os.kill(agent_of(one), signal.SIGKILL)
    assert wait_until(lambda: not os.path.exists(f"/proc/{child}") or _is_zombie(child), 8.0)


def test_what_leaves_its_process_group_does_not_leave_its_control_group(tmp_path: Path) -> None:
    mark = tmp_path / "child"
    job = subprocess.Popen(["sh", "-c", f"sleep 0.3; setsid sleep 1000 & echo $! > {mark}; wait"])
    agent.pen_in(job.pid)
    if not Path(agent.pen_of(job.pid), "cgroup.kill").exists():
        job.kill()
        job.wait()
        pytest.skip("no control groups of version 2 that we may make here")
    assert wait_until(lambda: mark.exists() and bool(mark.read_text().strip()), 5.0) is not None
    child = int(mark.read_text())
    time.sleep(0.5)
    agent.kill_jobs([[job.pid, agent.started_ticks(job.pid)]])
    job.wait(5.0)
    assert wait_until(lambda: _is_zombie(child), 5.0) is not None
    assert not Path(agent.pen_of(job.pid)).exists()


def test_a_core_that_is_not_there_takes_no_job(link: MADE) -> None:
    if 3 in os.sched_getaffinity(0):
        pytest.skip("this machine has all four cores of the board")
    with pytest.raises(RefusedError, match="no core 3 here"):
        started(link(), unit="cpu3", command=["true"])


def test_a_program_needs_no_command_and_training_does(link: MADE) -> None:
    one = link()
    with pytest.raises(RefusedError, match="needs the command"):
        started(one, kind="training", words="{}", unit="gpu")
    started(one, kind="application", words="{}")
    assert wait_until(lambda: one.ask("read")["jobs"]["one"]["work"] > 0, 10.0) is not None


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


# -- the file itself ---------------------------------------------------------------------------

AGENT = Path(__file__).parents[2] / "edgetwin" / "hardware" / "agent.py"


def test_the_agent_is_python_3_6() -> None:
    pytest.importorskip("vermin")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "vermin"), "-t=3.6-", "--violations", str(AGENT)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_agent_never_asks_a_clock_that_can_be_set() -> None:
    text = AGENT.read_text(encoding="utf-8")
    assert "time.time" not in text
    assert "datetime" not in text


def test_the_agent_imports_nothing_but_the_standard_library() -> None:
    import ast

    tree = ast.parse(AGENT.read_text(encoding="utf-8"))
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert names <= sys.stdlib_module_names


# -- how often a sensor is read ---------------------------------------------------------------


def channels_of(root: Path) -> tuple[agent.Files, list[agent.Channel]]:
    files = agent.Files(str(root))
    spec = description(NANO, Limits())
    return files, agent.Device(spec, files).channels


def test_zones_are_read_twice_in_their_period_rails_once_and_the_input_in_every_sample(
    root: Path,
) -> None:
    files, channels = channels_of(root)
    own = NANO.sensors.input_rail
    plan = agent.Sampler(files, channels, False, 1.0, own)._plan
    times = {(c.kind, c.name): sum(c in sample for sample in plan) for c in channels}
    assert times.pop(("rail", own)) == len(plan)
    # All of them have sensors of 0.1 s, and a sample is taken every 0.02 s.
    assert {times["zone", name] for name in NANO.sensors.zones} == {len(plan) // 2}
    assert {times["rail", name] for name in NANO.sensors.rails if name != own} == {len(plan) // 5}


def test_who_asks_does_not_wait_for_the_sensors_that_are_sampled_anyway(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, channels = channels_of(root)
    sampler = agent.Sampler(files, channels, False, 1.0)
    order: list[str] = []
    monkeypatch.setattr(files, "data", lambda path, most: order.append(path) or b"1")
    sampler._wanted, sampler._samples = True, 1
    sampler._sweep(sampler.fast, sampler._turn)
    assert order == [path for c in sampler.slow + sampler.fast for path in c.paths]


def test_a_sensor_that_says_the_same_is_fresh_and_one_that_changes_is_heard(root: Path) -> None:
    files, channels = channels_of(root)
    zone = next(c for c in channels if c.paths == [ZONE])
    place = root / ZONE.lstrip("/")
    place.write_text("41000\n", encoding="utf-8")
    assert zone.sample(files, 1.0) and zone.sample(files, 2.0)
    assert (zone.value, zone.at_s, zone.same_since_s) == (41.0, 2.0, 1.0)
    place.write_text("no number\n", encoding="utf-8")
    assert not zone.sample(files, 3.0) and zone.fault
    place.write_text("41000\n", encoding="utf-8")
    assert zone.sample(files, 4.0)
    assert (zone.value, zone.at_s, zone.fault) == (41.0, 4.0, "")
    place.write_text("42000\n", encoding="utf-8")
    assert zone.sample(files, 5.0)
    assert (zone.value, zone.same_since_s) == (42.0, 5.0)
