"""Faults on purpose: a host drives a virtual board, something breaks, the board is looked at."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import numpy as np

from edgetwin.hardware import Device
from edgetwin.hardware.agent import SHAPES
from edgetwin.reproduce.hardware.bench import Served, Sshd, guardian_of, kill, same, wait_until
from edgetwin.reproduce.hardware.breaking import (
    HOST_FAULTS,
    SENSOR_FAULTS,
    SSH_FAULTS,
    break_sensor,
    second_host,
)
from edgetwin.reproduce.hardware.case import Case, Outcome
from edgetwin.reproduce.hardware.driver import fork_host
from hw_models.board import load_board

STARTED_S: Final = 120.0
RESTORED_S: Final = 12.0  # dead-man, guardian's patience and the longest slow read, with room
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
    case.agent = ready["ready"]
    case.guardian = guardian_of(case.agent) or 0
    time.sleep(float(case.rng.uniform(0.0, 0.2)))
    return True


def _break(kind: str, case: Case, outcome: Outcome) -> None:
    if kind == "two hosts at once":
        second_host(case, outcome)
        _leave(case, outcome)
        return
    if kind.startswith("sensor "):
        break_sensor(kind.removeprefix("sensor "), case, outcome)
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
