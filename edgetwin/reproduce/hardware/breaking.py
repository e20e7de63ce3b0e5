"""What can be broken while a host drives a board, and the words that must say so."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edgetwin.hardware import Device, HardwareError
from edgetwin.hardware.agent import SHAPES
from edgetwin.reproduce.hardware.bench import command_name, kill, wait_until
from edgetwin.reproduce.hardware.case import Case, Outcome
from hw_models.jobs import LoadJob

SEEN_S: Final = 0.7  # a broken sensor may still be read for so long: it is stale then
SENSOR_FAULTS: Final = ("eio", "again", "stuck", "garbage", "slow", "vanish")


def _host_killed(case: Case) -> str:
    kill(case.host)
    return ""


def _agent_killed(case: Case) -> str:
    kill(case.agent)
    return "the agent was killed"


def _guardian_killed(case: Case) -> str:
    kill(case.guardian)
    return "the guardian is gone"


def _both_killed(case: Case) -> str:
    for pid in (case.agent, case.guardian):
        kill(pid, signal.SIGSTOP)  # neither may notice the end of the other
    for pid in (case.guardian, case.agent):
        kill(pid)
    return "exit code|has ended"


def _terminated(case: Case) -> str:
    kill(case.agent, signal.SIGTERM)
    return "signal 15"


def _interrupted(case: Case) -> str:
    kill(case.agent, signal.SIGINT)
    return "signal 2"


def _agent_stopped(case: Case) -> str:
    kill(case.agent, signal.SIGSTOP)  # as if the machine slept: all its clocks jump
    return "no answer|hung|killed"


def _clock_jump(case: Case) -> str:
    case.served.say(f"jump {int(case.rng.integers(60, 3600))}")
    return "-"


def _sshd_killed(case: Case) -> str:
    assert case.sshd is not None
    for pid in case.sshd.children():
        if command_name(pid).startswith("sshd"):
            kill(pid)
    return "closed|reset|ended|Broken|exit code"


def _link_stalled(case: Case) -> str:
    assert case.sshd is not None
    stalled = [pid for pid in case.sshd.children() if command_name(pid).startswith("sshd")]
    for pid in stalled:
        kill(pid, signal.SIGSTOP)
    restored_s = wait_until(lambda: case.served.text("/edgetwin/work").strip() == "[]", 10.0)
    time.sleep(max(0.0, 10.0 - (restored_s or 0.0)))
    for pid in stalled:
        kill(pid, signal.SIGCONT)
    return "no answer|no word from the host|takes nothing|ended"


def _write_refused(case: Case) -> str:
    paths = [p for p in case.served.knobs() if any(shape.match(p) for shape in SHAPES)]
    path = paths[int(case.rng.integers(len(paths)))]
    kind = ("refuse", "deny")[int(case.rng.integers(2))]
    case.served.say(f"{kind} {path}")
    time.sleep(0.7)
    case.served.say("heal")
    return "-"


def _blind(case: Case) -> str:
    for path in _zone_files(case):
        case.served.say(f"eio {path}")
    case.hear("tripped", 0.0)
    until_s = time.monotonic() + 4.0
    while time.monotonic() < until_s:
        said = case.hear("tripped", 1.0)
        if said and said["tripped"]:
            return "-"
    return "no trip although no temperature can be read"


def _zone_files(case: Case) -> list[str]:
    found = case.served.root.glob("sys/**/thermal_zone*/temp")
    return ["/" + str(path.relative_to(case.served.root)) for path in found]


def _too_long(case: Case) -> str:
    return "longest time"


HOST_FAULTS: Final[dict[str, Callable[[Case], str]]] = {
    "kill -9 of the host": _host_killed,
    "kill -9 of the agent": _agent_killed,
    "kill -9 of the guardian": _guardian_killed,
    "kill -9 of agent and guardian": _both_killed,
    "SIGTERM to the agent": _terminated,
    "SIGINT to the agent": _interrupted,
    "agent stopped, clocks jump": _agent_stopped,
    "board clock jumps": _clock_jump,
    "write refused": _write_refused,
    "every temperature fails": _blind,
}
SSH_FAULTS: Final[dict[str, Callable[[Case], str]]] = {
    "kill -9 of the sshd child": _sshd_killed,
    "link stalled 10 s": _link_stalled,
}


def break_sensor(fault: str, case: Case, outcome: Outcome) -> None:
    """One random sensor of the device; its readings must end, or stay what the sensor says."""
    values = case.hear("values", 2.0)
    channels = [
        (group, name) for group in ("zone", "rail", "clock", "load")
        for name in (values or {}).get("values", {}).get(group, {})
    ]  # fmt: skip
    group, name = channels[int(case.rng.integers(len(channels)))]
    path = _path_of(case, group, name)
    real = (case.served.root / path.lstrip("/")).resolve().relative_to(case.served.root.resolve())
    case.served.say(f"{fault} /{real}" + (" 3" if fault == "slow" else ""))
    broken_s = time.monotonic()
    stuck = case.served.text(path) if fault == "stuck" else None
    until_s = broken_s + 2.0
    outcome.error = f"{group}.{name}: never missed"
    while time.monotonic() < until_s:
        line = case.hear("at", 0.5)
        told = case.hear("faults", 0.0)
        if told and f"{group}.{name}" in told["faults"]:
            outcome.error = told["faults"][f"{group}.{name}"]
        if line is None or line["at"] < broken_s + SEEN_S:
            continue
        value = line["values"].get(group, {}).get(name)
        if fault != "stuck" and value is not None:
            outcome.invented.append(f"{group}.{name} is {value} although {fault}")
            break
    if fault == "stuck":
        outcome.error = f"stuck at {stuck.strip() if stuck else '?'}"
    elif path not in outcome.error and fault != "stuck":
        outcome.unexplained = outcome.error


def _path_of(case: Case, group: str, name: str) -> str:
    """Where the agent reads a channel: as it says itself."""
    device = Device(case.board, root=str(case.served.root), state=case.state)
    try:
        return str(device.found["found"][group][name][0])
    finally:
        device.close()


def second_host(case: Case, outcome: Outcome) -> None:
    other = Device(case.board, root=str(case.served.root), state=case.state, target=case.target)
    try:
        other.reset()
        other.submit(LoadJob(busy=1.0, freq_hz=1e9), case.board.unit_list[0].name)
        outcome.unexplained = "a second host drives the same board"
    except HardwareError as error:
        outcome.error = str(error)
        if f"driven by process {case.agent}" not in str(error):
            outcome.unexplained = str(error)
    finally:
        other.close()
    if not list(Path(case.state).glob("*.journal")):
        outcome.unexplained = "the second host took the journal of the first"
