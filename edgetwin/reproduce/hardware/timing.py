"""How long a round trip takes, how well a period is held, what the agent costs."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgetwin.hardware import Device, Limits
from edgetwin.reproduce.hardware.bench import guardian_of, served, sshd, why_no_ssh
from edgetwin.studies import Figure, absent, row
from edgetwin.virtual import write_plain
from hw_models.board import Knobs, load_board

NAME: Final = "jetson-nano"
PERIOD_S: Final = 0.05
SAMPLES: Final = 400
_PARTS: Final = 6


@contextmanager
def device_at(root: str, target: str = "local", **more: Any) -> Iterator[Device]:
    """A device with a journal of its own."""
    with tempfile.TemporaryDirectory(prefix="edgetwin-state-") as state:
        device = Device(load_board(NAME), root=root, target=target, state=state, **more)
        try:
            device.reset()
            yield device
        finally:
            device.close()


def round_trips(quick: bool) -> dict[str, Any]:
    """Row: seconds from asking for a reading to a clock that is set and read back; and the period.

    The device's descriptors are open: the first calls are left out.
    """
    reason = why_no_ssh()
    if reason:
        return absent(reason)
    n = SAMPLES // 2 if quick else SAMPLES
    with served(NAME) as board, sshd() as door:
        with device_at(str(board.root), door.target) as device:
            over_ssh_s = _trips_s(device, n)
        with device_at(str(board.root)) as device:
            local_s = _trips_s(device, n)
        held = _periods(str(board.root), door.target, 60.0 if quick else 600.0)
    with tempfile.TemporaryDirectory() as folder:
        write_plain(load_board(NAME), folder)
        with device_at(folder) as device:
            plain_s = _trips_s(device, n)
    return row(
        {
            "ssh median s": Figure(value=_median(over_ssh_s), bar=5e-3),
            "FUSE median s": Figure(value=_median(local_s), bar=2e-3),
            "plain folder median s": Figure(value=_median(plain_s), bar=1e-3),
            "periods held": Figure(value=held["share"], bar=0.99, at_least=True),
        },
        n=n, load_average=os.getloadavg()[0], period=held,
        p95_s={"ssh": _p95(over_ssh_s), "FUSE": _p95(local_s), "plain": _p95(plain_s)},
    )  # fmt: skip


def _trips_s(device: Device, n: int) -> list[float]:
    """Read, then set a clock that changes every time."""
    domain, clock = next(iter(device.board.clocks.items()))
    hz, found = clock.freqs_hz.value, []
    for i in range(n + 20):
        start_s = time.perf_counter()
        device.advance(0.0)
        applied = device.apply(Knobs(freq_hz={domain: hz[i % len(hz)]}))
        found.append(time.perf_counter() - start_s)
        if applied.refused:
            raise RuntimeError(f"{domain} was refused: {applied.refused}")
    return found[20:]


def _periods(root: str, target: str, duration_s: float) -> dict[str, Any]:
    """A clock turned every period for some minutes: how many periods ended in time."""
    with device_at(root, target, limits=Limits(longest_s=duration_s + 120.0)) as device:
        hz = device.board.clocks["gpu"].freqs_hz.value
        periods_s = []
        for i in range(round(duration_s / PERIOD_S)):
            device.apply(Knobs(freq_hz={"gpu": hz[i % len(hz)]}))
            device.advance(PERIOD_S)
            periods_s.append(device.info()["period_s"])
        info = device.info()
    return {
        "share": 1.0 - info["late"] / info["n_periods"], "periods": info["n_periods"],
        "worst_late_s": info["worst_late_s"], "median_s": _median(periods_s),
        "p99_s": float(np.percentile(periods_s, 99)), "late_is": "more than a tenth of a period",
    }  # fmt: skip


def footprint(quick: bool) -> dict[str, Any]:
    """Row: memory and processor time of the agent while it samples at 50 Hz and is read at 2 Hz.

    The share of a core is the median over parts of the time.
    """
    part_s = 2.0 if quick else 10.0
    with served(NAME) as board, device_at(str(board.root)) as device:
        device.apply(Knobs(freq_hz={"gpu": device.board.clocks["gpu"].freqs_hz.value[0]}))
        agent = device.agent_pid
        shares = [_share_of_core(device, agent, part_s) for _ in range(_PARTS)]
        memory_bytes, guardian = _resident_bytes(agent), guardian_of(agent)
        beside = None if guardian is None else _own_bytes(guardian)
    return row(
        {
            "resident bytes": Figure(value=memory_bytes, bar=20e6),
            "share of a core": Figure(value=_median(shares), bar=0.02),
        },
        seconds=_PARTS * part_s, shares=shares, guardian_own_bytes=beside, python=_python(),
    )  # fmt: skip


def _share_of_core(device: Device, agent: int, seconds: float) -> float:
    start_s, used_s = time.monotonic(), _processor_s(agent)
    while time.monotonic() - start_s < seconds:
        device.advance(0.5)
    return (_processor_s(agent) - used_s) / (time.monotonic() - start_s)


def _python() -> str:
    import subprocess

    done = subprocess.run(["python3", "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _processor_s(pid: int) -> float:
    """Time on a processor of all threads, to the nanosecond: sampled ticks beat with 50 Hz."""
    files = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return 1e-9 * sum(int(file.read_text().split()[0]) for file in files)


def _resident_bytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def _own_bytes(pid: int) -> float:
    """What a process holds that no other one shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024.0 * sum(int(line.split()[1]) for line in lines if line.startswith("Private"))


def _median(values: list[float]) -> float:
    return float(np.median(values))


def _p95(values: list[float]) -> float:
    return float(np.percentile(values, 95))
