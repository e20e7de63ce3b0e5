"""Faults on purpose: a host drives a virtual board, something breaks, the board is looked at."""

import json
import os
import select
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from edgetwin.hardware import Device, HardwareError, Limits
from edgetwin.hardware.agent import SHAPES
from edgetwin.reproduce.hardware.bench import (
    Served,
    Sshd,
    command_name,
    guardian_of,
    kill,
    same,
    wait_until,
)
from hw_models.board import Board, Knobs, load_board
from hw_models.jobs import LoadJob

LIMITS: Final = Limits(deadman_s=2.0, longest_s=600.0)
STARTED_S: Final = 120.0
RESTORED_S: Final = 12.0  # dead-man, guardian's patience and the longest slow read, with room
SEEN_S: Final = 0.7  # a broken sensor may still be read for so long: it is stale then
SENSOR_FAULTS: Final = ("eio", "again", "stuck", "garbage", "slow", "vanish")


@final
@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of one injection."""

    kind: str
    link: str
    seed: int
    restored_s: float | None = None
    different: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    error: str = ""
    hung: str = ""
    unexplained: str = ""

    @property
    def ok(self) -> bool:
        """Board as it was found, nothing written elsewhere, nothing made up, no hang, a reason."""
        broken = (self.different, self.outside, self.invented, self.hung, self.unexplained)
        return self.restored_s is not None and not any(broken)


@final
@dataclass(slots=True, kw_only=True)
class Case:
    """One injection as it runs."""

    board: Board
    served: Served
    target: str
    state: str
    rng: np.random.Generator
    host: int
    talk: int
    agent: int = 0
    link: int = 0
    guardian: int = 0
    sshd: Sshd | None = None
    lines: list[dict[str, Any]] = field(default_factory=list)
    rest: bytes = b""

    def hear(self, what: str, within_s: float) -> dict[str, Any] | None:
        """The next line of the host that has this key; None when none comes in time."""
        until_s = time.monotonic() + within_s
        while True:
            for line in self.lines:
                if what in line:
                    self.lines.remove(line)
                    return line
            if not select.select([self.talk], [], [], max(until_s - time.monotonic(), 0.0))[0]:
                return None
            data = os.read(self.talk, 65536)
            if not data:
                return None
            *whole, self.rest = (self.rest + data).split(b"\n")
            self.lines += [json.loads(line) for line in whole]


# -- the host ------------------------------------------------------------------------------


def fork_host(
    board: Board, root: str, target: str, state: str, seed: int, watched: str | None = None
) -> tuple[int, int]:
    """A process that drives the board until SIGUSR1; its number and the end to hear it."""
    here, there = os.pipe()
    pid = os.fork()
    if pid:
        os.close(there)
        return pid, here
    os.close(here)
    code = 1
    try:
        code = _drive(board, root, target, state, seed, there)
    finally:
        os._exit(code)


def _drive(board: Board, root: str, target: str, state: str, seed: int, there: int) -> int:
    def say(**line: Any) -> None:
        with suppress(OSError):
            os.write(there, json.dumps(line).encode() + b"\n")

    stop = []
    signal.signal(signal.SIGUSR1, lambda *_: stop.append(1))
    rng = np.random.default_rng(seed)
    device = None
    try:
        device = Device(board, target=target, root=root, state=state, limits=LIMITS, timeout_s=6.0)
        device.reset(seed=seed)
        device.submit(LoadJob(busy=1.0, freq_hz=1e9), board.unit_list[0].name)
        said = False
        while not stop:
            applied = device.apply(_some_knobs(board, rng))
            reading = device.advance(0.05).last
            if applied.refused or device.said["faults"] or device.tripped:
                say(refused=dict(applied.refused), faults=device.said["faults"],
                    tripped=device.tripped)  # fmt: skip
            say(values=device.said["values"], at=time.monotonic(), t_s=reading.t_s)
            if not said:
                say(ready=device.agent_pid, link=device.link_pid)
                said = True
        device.close()
        say(ended="closed")
        return 0
    except (HardwareError, ValueError) as error:
        if device is not None:
            device.close()
        say(ended=f"{type(error).__name__}: {error}")
        return 0


def _some_knobs(board: Board, rng: np.random.Generator) -> Knobs:
    """Any clocks and fan levels of the board's tables, now and then a governor."""
    freq_hz = {
        name: float(rng.choice(clock.freqs_hz.value))
        for name, clock in board.clocks.items()
        if rng.random() < 0.6
    }
    governor = {
        name: clock.governor
        for name, clock in board.clocks.items()
        if name not in freq_hz and rng.random() < 0.3
    }
    fan = board.limits.fan
    level = int(rng.integers(len(fan.pwm))) if fan and rng.random() < 0.3 else None
    return Knobs(freq_hz=freq_hz, governor=governor, fan=level)


# -- what breaks ---------------------------------------------------------------------------


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
APART: Final = ("disk full", "two hosts at once")


def kinds() -> list[str]:
    """Everything that can be injected."""
    sensors = [f"sensor {kind}" for kind in SENSOR_FAULTS]
    return [*HOST_FAULTS, *SSH_FAULTS, *sensors, *APART]


# -- one injection -------------------------------------------------------------------------


def inject(kind: str, served: Served, sshd: Sshd | None, seed: int) -> Outcome:
    """Break one thing while a host drives the board; what became of it."""
    rng = np.random.default_rng([seed, 11])
    over_ssh = sshd is not None and (kind in SSH_FAULTS or rng.random() < 0.5)
    target = sshd.target if over_ssh and sshd else "local"
    outcome = Outcome(kind=kind, link="ssh" if over_ssh else "local", seed=seed)
    board, before, marks = load_board(served.name), served.knobs(), len(served.writes())
    with _state_folder(full=kind == "disk full") as state:
        pid, talk = fork_host(board, str(served.root), target, state, seed)
        case = Case(board=board, served=served, target=target, state=state, rng=rng, host=pid,
                    talk=talk, sshd=sshd)  # fmt: skip
        try:
            if kind == "disk full":
                _expect_refusal(case, outcome)
            elif _is_ready(case, outcome):
                _break(kind, case, outcome)
            served.say("heal")
            _look(case, outcome, before, marks)
        finally:
            _clear(case)
    return outcome


def _is_ready(case: Case, outcome: Outcome) -> bool:
    ready = case.hear("ready", STARTED_S)
    if ready is None:
        outcome.hung = f"the host did not start: {case.hear('ended', 0.0)}"
        kill(case.host)
        return False
    case.agent, case.link = ready["ready"], ready["link"]
    case.guardian = guardian_of(case.agent) or 0
    time.sleep(float(case.rng.uniform(0.0, 0.2)))
    return True


def _break(kind: str, case: Case, outcome: Outcome) -> None:
    if kind == "two hosts at once":
        _second_host(case, outcome)
        _leave(case, outcome)
        return
    if kind.startswith("sensor "):
        _break_sensor(kind.removeprefix("sensor "), case, outcome)
        _leave(case, outcome)
        return
    expected = {**HOST_FAULTS, **SSH_FAULTS}[kind](case)
    if expected == "-":
        _leave(case, outcome)
    elif expected:
        ended = case.hear("ended", 15.0)
        outcome.error = "" if ended is None else str(ended["ended"])
        outcome.hung = "the host waits for ever" if ended is None else ""
        if ended and not any(word in outcome.error for word in expected.split("|")):
            outcome.unexplained = outcome.error
    if kind == "kill -9 of agent and guardian":
        _start_again(case)


def _leave(case: Case, outcome: Outcome) -> None:
    kill(case.host, signal.SIGUSR1)
    ended = case.hear("ended", 15.0)
    outcome.error = outcome.error or ("" if ended is None else str(ended["ended"]))
    if ended is None:
        outcome.hung = "the host does not end"
    elif ended["ended"] != "closed":
        outcome.unexplained = str(ended["ended"])


def _break_sensor(fault: str, case: Case, outcome: Outcome) -> None:
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


def _second_host(case: Case, outcome: Outcome) -> None:
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


def _expect_refusal(case: Case, outcome: Outcome) -> None:
    ended = case.hear("ended", STARTED_S)
    outcome.error = "" if ended is None else str(ended["ended"])
    if "No space left" not in outcome.error or case.state not in outcome.error:
        outcome.unexplained = outcome.error or "no error"


def _start_again(case: Case) -> None:
    """The next session puts back what the dead one held."""
    device = Device(case.board, root=str(case.served.root), state=case.state, target=case.target)
    device.close()


def _look(case: Case, outcome: Outcome, before: dict[str, str], marks: int) -> None:
    """Is the board as it was found, without work, and was nothing else written?"""
    served = case.served

    def restored() -> bool:
        return not same(before, served.knobs()) and served.text("/edgetwin/work").strip() == "[]"

    outcome.restored_s = wait_until(restored, RESTORED_S)
    outcome.different = [] if outcome.restored_s is not None else same(before, served.knobs())
    outcome.outside = [
        f"{path} <- {text}"
        for _, path, text in served.writes()[marks:]
        if not any(shape.match(path) for shape in SHAPES)
    ]


def _clear(case: Case) -> None:
    for pid in (case.host, case.agent, case.guardian):
        if pid:
            kill(pid, signal.SIGCONT)
    kill(case.host)
    with suppress(OSError):
        os.waitpid(case.host, 0)
    os.close(case.talk)


@contextmanager
def _state_folder(*, full: bool) -> Iterator[str]:
    """Where the agent keeps its journal; on a full disk if asked for."""
    import subprocess

    with tempfile.TemporaryDirectory(prefix="edgetwin-state-") as folder:
        if not full:
            yield folder
            return
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=8", "none", folder],
            capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"no small disk can be mounted: {done.stderr.decode().strip()}")
        try:
            (Path(folder) / "filler").write_bytes(b"x" * 4096)
            yield folder
        finally:
            subprocess.run(["umount", folder], check=False)
