"""The host of an injection: a process that drives a board with random knobs until it is told."""

import json
import os
import signal
import time
from contextlib import suppress
from typing import Any

import numpy as np

from edgetwin.hardware import Device, HardwareError
from edgetwin.reproduce.hardware.case import LIMITS
from hw_models.board import Board, Knobs
from hw_models.jobs import LoadJob


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
                say(ready=device.agent_pid)
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
