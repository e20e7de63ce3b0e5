"""The files of a virtual board, without mounting them: units, rounding, errors, faults, jobs."""

import errno
import json
import time
from math import inf
from pathlib import Path

import pytest

from edgetwin.hardware.words import job_of, words_of
from edgetwin.virtual import Twin, VirtualBoard, virtual_board, write_plain
from hw_models.board import board_names, load_board
from hw_models.jobs import Application, ForwardJob, Job, LoadJob, TrainingJob
from hw_models.tegrastats import parse_line
from hw_models.workloads import load_application, load_network

pytestmark = pytest.mark.alone

CPU = "/sys/devices/system/cpu/cpufreq/policy0"
GPU = "/sys/devices/gpu.0/devfreq/57000000.gpu"
EMC = "/sys/kernel/debug/clk/override.emc"
FAN = "/sys/devices/pwm-fan/target_pwm"


@pytest.fixture
def nano() -> VirtualBoard:
    return served("jetson-nano")


def served(name: str, speed: float = 1000.0) -> VirtualBoard:
    """A board whose clock runs so fast that a short sleep is a long time."""
    return virtual_board(Twin(load_board(name), speed=speed))


def refused(board: VirtualBoard, path: str, text: str) -> int | None:
    try:
        board.write(path, text)
    except OSError as error:
        return error.errno
    return None


@pytest.mark.parametrize("name", board_names())
def test_every_readable_file_of_every_board_says_something(name: str) -> None:
    board = served(name)
    said = 0
    for path, node in board.tree.files.items():
        if node.read is None or path.startswith("/edgetwin"):
            continue
        try:
            assert board.read(path)
            said += 1
        except OSError as error:
            assert error.errno == errno.EAGAIN
            assert name == "jetson-orin-nano"
    assert said > 10


def test_clocks_are_in_the_counts_of_their_drivers(nano: VirtualBoard) -> None:
    assert nano.read(f"{CPU}/scaling_max_freq") == "1479000\n"
    assert nano.read(f"{GPU}/max_freq") == "921600000\n"
    assert nano.read(f"{EMC}/clk_rate") == "1600000000\n"
    assert nano.read(f"{GPU}/available_frequencies").split()[0] == "76800000"


def test_temperatures_step_and_are_in_milli_degrees(nano: VirtualBoard) -> None:
    for zone in range(5):
        milli = int(nano.read(f"/sys/devices/virtual/thermal/thermal_zone{zone}/temp"))
        assert 20_000 < milli < 60_000
        assert milli % 500 == 0


def test_power_is_in_milliwatts_and_its_factors_agree(nano: VirtualBoard) -> None:
    folder = "/sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
    milli_watts = int(nano.read(f"{folder}/in_power0_input"))
    volts = int(nano.read(f"{folder}/in_voltage0_input")) * 1e-3
    amps = int(nano.read(f"{folder}/in_current0_input")) * 1e-3
    assert milli_watts * 1e-3 == pytest.approx(volts * amps, abs=0.05)
    assert nano.read(f"{folder}/rail_name_0") == "POM_5V_IN\n"


@pytest.mark.parametrize(
    ("path", "text", "number"),
    [
        (f"{CPU}/scaling_max_freq", "fast", errno.EINVAL),
        (f"{CPU}/scaling_max_freq", "-5", errno.EINVAL),
        (f"{CPU}/scaling_governor", "warp", errno.EINVAL),
        (f"{CPU}/scaling_setspeed", "614400", errno.EINVAL),
        (f"{CPU}/scaling_cur_freq", "614400", errno.EACCES),
        (f"{GPU}/governor", "schedutil", errno.EINVAL),
        (FAN, "256", errno.EINVAL),
        (f"{EMC}/clk_state", "2", errno.EINVAL),
        ("/sys/devices/system/cpu/cpu1/online", "0", errno.EBUSY),
    ],
)
def test_a_bad_write_is_refused_as_the_kernel_does(
    path: str, text: str, number: int, nano: VirtualBoard
) -> None:
    assert refused(nano, path, text) == number


def test_a_range_is_never_empty(nano: VirtualBoard) -> None:
    assert refused(nano, f"{GPU}/max_freq", "307200000") is None
    assert refused(nano, f"{GPU}/min_freq", "614400000") == errno.EINVAL
    assert refused(nano, f"{GPU}/min_freq", "307200000") is None
    assert refused(nano, f"{GPU}/max_freq", "76800000") == errno.EINVAL
    time.sleep(0.02)
    assert nano.read(f"{GPU}/cur_freq") == "307200000\n"


def test_setspeed_works_under_userspace_only(nano: VirtualBoard) -> None:
    assert nano.read(f"{CPU}/scaling_setspeed") == "<unsupported>\n"
    nano.write(f"{CPU}/scaling_governor", "userspace")
    nano.write(f"{CPU}/scaling_setspeed", "1224000")
    time.sleep(0.02)
    assert nano.read(f"{CPU}/scaling_cur_freq") == "1224000\n"


def test_a_locked_memory_clock_stays_and_a_free_one_follows_its_governor(
    nano: VirtualBoard,
) -> None:
    nano.write(f"{EMC}/clk_rate", "408000000")
    assert nano.read(f"{EMC}/clk_rate") == "1600000000\n"
    nano.write(f"{EMC}/clk_state", "1")
    nano.write(f"{EMC}/clk_rate", "408000000")
    time.sleep(0.02)
    assert nano.read(f"{EMC}/clk_rate") == "408000000\n"
    nano.write(f"{EMC}/clk_state", "0")
    time.sleep(0.2)
    assert nano.read(f"{EMC}/clk_rate") == "1600000000\n"


def test_a_fan_turned_by_hand_is_automatic_again_when_its_level_is_put_back(
    nano: VirtualBoard,
) -> None:
    found = nano.read(FAN)
    nano.write(FAN, "255")
    assert nano.read("/edgetwin/fan") == "held\n"
    assert nano.read("/sys/devices/pwm-fan/cur_pwm") == "255\n"
    nano.write(FAN, found)
    assert nano.read("/edgetwin/fan") == "automatic\n"


def test_unpowered_zones_of_an_orin_answer_again() -> None:
    board = served("jetson-orin-nano")
    kinds = {p: board.read(p) for p in board.tree.files if p.endswith("/type")}
    (unpowered,) = [p for p, kind in kinds.items() if kind == "cv0-thermal\n" and "virtual" in p]
    with pytest.raises(OSError, match="EAGAIN"):
        board.read(unpowered.replace("/type", "/temp"))


@pytest.mark.parametrize(
    ("fault", "number"), [("eio", errno.EIO), ("again", errno.EAGAIN), ("vanish", errno.ENODEV)]
)
def test_a_broken_file_answers_with_its_error(fault: str, number: int, nano: VirtualBoard) -> None:
    nano.write("/edgetwin/faults", f"{fault} {GPU}/cur_freq")
    with pytest.raises(OSError, match=errno.errorcode[number]):
        nano.read(f"{GPU}/cur_freq")
    nano.write("/edgetwin/faults", "heal")
    assert nano.read(f"{GPU}/cur_freq")


def test_stuck_garbage_slow_and_refused(nano: VirtualBoard) -> None:
    temp = "/sys/devices/virtual/thermal/thermal_zone0/temp"
    nano.write("/edgetwin/faults", f"stuck {temp}")
    first = nano.read(temp)
    nano.write("/edgetwin/faults", "heat 80")
    time.sleep(0.05)
    assert nano.read(temp) == first
    nano.write("/edgetwin/faults", f"heal\ngarbage {temp} ###\nrefuse {FAN}\ndeny {GPU}/max_freq")
    assert nano.read(temp) == "###\n"
    assert refused(nano, FAN, "80") == errno.EBUSY
    assert refused(nano, f"{GPU}/max_freq", "76800000") == errno.EPERM
    nano.write("/edgetwin/faults", f"heal\nslow {temp} 0.3")
    start_s = time.monotonic()
    assert nano.read(temp) != first
    assert time.monotonic() - start_s >= 0.3


@pytest.mark.parametrize("line", ["explode /sys", "eio relative", "eio", "heat warm", "jump"])
def test_a_fault_that_there_is_not_is_refused(line: str, nano: VirtualBoard) -> None:
    assert refused(nano, "/edgetwin/faults", line) == errno.EINVAL


def test_every_taken_write_to_the_device_is_logged(nano: VirtualBoard) -> None:
    nano.write(FAN, "80")
    nano.write("/edgetwin/faults", "heal")
    refused(nano, FAN, "999")
    paths = [line.split()[1:] for line in nano.read("/edgetwin/writes").splitlines()]
    assert paths == [[FAN, "80"], [FAN, "999"]]


APPLICATION = Application(profile=load_application("2mm"), instructions=inf, target_ips=1e8)
JOBS: dict[str, Job] = {
    "application": APPLICATION,
    "training": TrainingJob(
        network=load_network("resnet-18-cifar"), batch=64, samples_to_target={64: 1e5, 128: 2e5}
    ),
    "forward": ForwardJob(network=load_network("resnet-18-cifar"), batch=8, passes=2, steps=100),
    "load": LoadJob(busy=0.5, freq_hz=1e9),
}


@pytest.mark.parametrize("kind", JOBS)
def test_a_job_survives_its_words(kind: str) -> None:
    said, unit = job_of(words_of(JOBS[kind], "cpu2"))
    assert unit == "cpu2"
    if kind != "application":
        assert said == JOBS[kind]
        return
    assert isinstance(said, Application)
    assert (said.profile.name, said.profile.dataset) == ("2mm", "MEDIUM")
    assert (said.instructions, said.target_ips) == (inf, 1e8)


def test_a_profile_of_your_own_travels_in_full() -> None:
    from tiny_board import application

    job = application()
    said, _ = job_of(words_of(job, "big0"))
    assert isinstance(said, Application)
    assert said.profile.phase_insns.tolist() == job.profile.phase_insns.tolist()
    assert {*said.profile.by_kind} == {*job.profile.by_kind}


@pytest.mark.parametrize("text", ["{}", '{"kind": "x", "unit": "gpu"}', "[]", '{"unit": 1}', "1"])
def test_words_that_are_no_job_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"words of a job|no kind of job"):
        job_of(text)


def test_a_process_works_moves_and_ends_with_its_file(nano: VirtualBoard) -> None:
    ident = nano.tell(None, words_of(APPLICATION, "cpu1"))
    time.sleep(0.02)
    first = json.loads(nano.progress(ident))
    assert first["work"] > 0
    assert nano.tell(ident, '{"unit": "cpu2"}') == ident
    time.sleep(0.02)
    assert json.loads(nano.progress(ident))["work"] > first["work"]
    assert nano.twin.busy("cpu2") == 1.0
    assert nano.twin.busy("cpu1") == 0.0
    nano.gone(ident)
    assert json.loads(nano.read("/edgetwin/work")) == []


def test_a_process_of_nonsense_is_refused(nano: VirtualBoard) -> None:
    for text in ("{}", "nonsense", '{"kind": "load", "unit": "nowhere"}'):
        with pytest.raises(OSError, match="EINVAL"):
            nano.tell(None, text)


@pytest.mark.parametrize("name", ["jetson-nano", "jetson-tx2", "jetson-orin-nano"])
def test_tegrastats_of_a_virtual_board_is_tegrastats(name: str) -> None:
    board = served(name)
    sample = parse_line(board.read("/edgetwin/tegrastats"))
    assert sample.unknown == ()
    assert len(sample.temps_c) == len(board.twin.board.sensors.zones)
    assert {rail.lower() for rail in sample.power_w} == {*board.twin.board.sensors.rails}
    assert (sample.time_s is None) == (name != "jetson-orin-nano")


def test_a_board_that_is_no_jetson_has_no_tegrastats() -> None:
    assert served("hikey970").read("/edgetwin/tegrastats") == ""


def test_a_plain_tree_says_what_the_served_one_says(tmp_path: Path) -> None:
    board = load_board("hikey970")
    root = write_plain(board, tmp_path)
    policy = root / "sys/devices/system/cpu/cpu5/cpufreq/scaling_max_freq"
    assert policy.read_text() == "2362000\n"
    assert not (root / "edgetwin").exists()


@pytest.mark.parametrize("speed", [0.0, -1.0, 1e6])
def test_a_clock_that_stands_still_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed is"):
        Twin(load_board("hikey970"), speed=speed)
