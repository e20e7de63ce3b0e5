"""Flower's own programs as child processes on this machine: silent towards the network.

Telemetry, the update check, usage statistics of Ray and the installation of dependencies are off,
and Flower's home is a folder of the run.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, final

HOST: Final = "127.0.0.1"
_QUIET: Final = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "HF_HUB_OFFLINE": "1",
}
_LAST_LINES: Final = 12


@final
class Program:
    """One of Flower's programs in a process group of its own; its words go to a log."""

    def __init__(self, words: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [str(Path(sys.executable).parent / words[0]), *words[1:]]
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
            )

    @property
    def code(self) -> int | None:
        """Its exit status, or None while it runs."""
        return self._process.poll()

    def wait(self, timeout_s: float) -> int:
        """Its exit status; TimeoutError with the last lines of its log."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.said()} (no end after {timeout_s:.0f} s).") from None

    def finish(self) -> None:
        """Wait for its end, however long; RuntimeError unless that is a good one."""
        if self._process.wait():
            raise RuntimeError(f"{self.said()} (ended with status {self.code}).")

    def await_port(self, port: int, timeout_s: float = 120.0) -> None:
        """Until it listens; RuntimeError when it ends before, TimeoutError when it takes long."""
        end_s = time.monotonic() + timeout_s
        while not _listens(port):
            if self.code is not None:
                raise RuntimeError(f"{self.said()} (ended with status {self.code}).")
            if time.monotonic() > end_s:
                raise TimeoutError(f"{self.said()} (port {port} closed after {timeout_s:.0f} s).")
            time.sleep(0.1)

    def family(self) -> list[int]:
        """Its process and all that it has started, which may have left its group."""
        return _descendants(self._process.pid)

    def kill(self, family: Iterable[int] = ()) -> None:
        """At once, with all that it started: as when the power goes.

        family are processes noted before, whose parents may have ended since.
        """
        for process in {*self.family(), *family}:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait()

    def ask_to_end(self) -> None:
        """It may finish what it is at."""
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGTERM)

    def said(self) -> str:
        """The last lines of its log on one line."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return f"{self.log.name}: " + " | ".join(line for line in lines[-_LAST_LINES:] if line)


def stop_all(programs: Sequence[Program], patience_s: float = 10.0) -> None:
    """All are asked to end, and ended if they do not in time."""
    families = [program.family() for program in programs]
    for program in programs:
        program.ask_to_end()
    end_s = time.monotonic() + patience_s
    while any(program.code is None for program in programs) and time.monotonic() < end_s:
        time.sleep(0.1)
    for program, family in zip(programs, families, strict=True):
        program.kill(family)


def environment_of(home: Path) -> dict[str, str]:
    """What every program of a run is told: where home is, and to be silent."""
    found = {**os.environ, **_QUIET, "FLWR_HOME": str(home)}
    found["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    package = str(Path(__file__).parents[4])
    found["PYTHONPATH"] = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    found.setdefault("OMP_NUM_THREADS", "1")
    return found


def free_ports(n: int) -> list[int]:
    """Ports of the loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(n)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _descendants(root: int) -> list[int]:
    """A process and those below it, by the parents that /proc names."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            words = stat.read_text(errors="replace").rsplit(")", 1)[-1].split()
            parents[int(stat.parent.name)] = int(words[1])
    found = [root]
    for one in found:
        found += [process for process, parent in parents.items() if parent == one]
    return found


def _listens(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1.0)
        return one.connect_ex((HOST, port)) == 0
