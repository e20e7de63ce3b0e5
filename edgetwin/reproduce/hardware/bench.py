"""Virtual boards and a loopback sshd for the study and the tests: set up, looked at, taken down."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from edgetwin.hardware.link import SSH_VARIABLE
from edgetwin.virtual.fuse import unmount

START_S: Final = 120.0
AUTOMATIC: Final = " (automatic)"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A virtual board in a process of its own, mounted at root."""

    name: str
    root: Path
    process: subprocess.Popen[bytes]

    def say(self, line: str) -> None:
        """Make or heal a fault, by a line of `edgetwin.virtual.faults`."""
        fd = os.open(self.root / "edgetwin" / "faults", os.O_WRONLY)
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)

    def text(self, path: str) -> str:
        """What a file of the tree says now."""
        return (self.root / path.lstrip("/")).read_text(encoding="utf-8")

    def writes(self) -> list[tuple[float, str, str]]:
        """Every write to a file of the device: wall time, path, text."""
        found = []
        for line in self.text("/edgetwin/writes").splitlines():
            at, path, text = line.split(" ", 2)
            found.append((float(at), path, text))
        return found

    def knobs(self) -> dict[str, str]:
        """What every file says that holds the device; a fan by itself turns as it likes."""
        found = {p: t for p, t in state_of(self.root).items() if not p.endswith("setspeed")}
        automatic = self.text("/edgetwin/fan").strip() == "automatic"
        fans = ("target_pwm", "pwm1", "cur_state")
        return {p: t + AUTOMATIC if automatic and p.endswith(fans) else t for p, t in found.items()}


def state_of(root: Path) -> dict[str, str]:
    """Every writable file below root/sys and what it says."""
    found = {}
    for folder, _, names in os.walk(root / "sys"):
        for name in names:
            path = Path(folder) / name
            if path.is_symlink() or not path.stat().st_mode & 0o200:
                continue
            found["/" + str(path.relative_to(root))] = path.read_text(encoding="utf-8").strip()
    return found


def why_not() -> str:
    """Why no virtual board can be mounted or reached over ssh here; empty where both can."""
    from edgetwin.virtual.fuse import check_fuse

    try:
        check_fuse()
    except RuntimeError as error:
        return str(error)
    if not shutil.which("fusermount3"):
        return "fusermount3 is missing (apt-get install fuse3)"
    return ""


def why_no_ssh() -> str:
    """Why there is no sshd to start here; empty where there is."""
    if not all(map(_tool, ("sshd", "ssh", "ssh-keygen"))):
        return "sshd, ssh or ssh-keygen is missing (apt-get install openssh-server)"
    return "" if os.getuid() == 0 else "a second sshd is only started by root"


def _tool(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


@contextmanager
def served(name: str, *options: str, speed: float = 1.0, seed: int = 0) -> Iterator[Served]:
    """A virtual board of that name (or file), for as long as the block lasts."""
    root = Path(tempfile.mkdtemp(prefix="edgetwin-board-"))
    program = "from edgetwin.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", name, "--mount", str(root),
               "--speed", str(speed), "--seed", str(seed), *options]  # fmt: skip
    log = tempfile.TemporaryFile()  # noqa: SIM115  closed below
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for(root / "edgetwin" / "now_s", process, log)
        yield Served(name=Path(name).stem, root=root, process=process)
    finally:
        unmount(root)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5.0)
        process.kill()
        process.wait()
        unmount(root)
        log.close()
        with suppress(OSError):
            root.rmdir()


def _wait_for(file: Path, process: "subprocess.Popen[bytes]", log: Any) -> None:
    until_s = time.monotonic() + START_S
    while time.monotonic() < until_s:
        with suppress(OSError):
            if file.exists():
                return
        if process.poll() is not None:
            log.seek(0)
            raise RuntimeError(f"the virtual board has ended: {log.read().decode()[-500:]}")
        time.sleep(0.05)
    raise RuntimeError(f"the virtual board is not there after {START_S:g} s")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sshd:
    """A real sshd on a port of the loopback, with keys of its own."""

    process: subprocess.Popen[bytes]
    target: str

    def children(self) -> list[int]:
        """Processes that serve a connection."""
        return _descendants(self.process.pid)


def _descendants(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                text = (entry / "stat").read_text()
                parents[int(entry.name)] = int(text.rpartition(")")[2].split()[1])
    found, front = [], [pid]
    while front:
        front = [child for child, parent in parents.items() if parent in front]
        found += front
    return found


def command_name(pid: int) -> str:
    """What a process is called."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


@contextmanager
def sshd() -> Iterator[Sshd]:
    """A second sshd for as long as the block lasts; $EDGETWIN_SSH leads our own client to it."""
    folder = Path(tempfile.mkdtemp(prefix="edgetwin-sshd-"))
    before = os.environ.get(SSH_VARIABLE)
    port = _free_port()
    try:
        _write_keys(folder, port)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(_tool("sshd")), "-D", "-e", "-f", str(folder / "sshd_config")],
                stderr=log, start_new_session=True,
            )  # fmt: skip
        os.environ[SSH_VARIABLE] = f"{_tool('ssh')} -F {folder / 'ssh_config'}"
        try:
            _wait_for_port(port, process, folder)
            yield Sshd(process=process, target="ssh://edgetwin-board")
        finally:
            process.terminate()
            process.wait()
    finally:
        if before is None:
            os.environ.pop(SSH_VARIABLE, None)
        else:
            os.environ[SSH_VARIABLE] = before
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_keys(folder: Path, port: int) -> None:
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host", "user"):
        subprocess.run(
            [str(_tool("ssh-keygen")), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)],
            check=True,
        )
    keys = folder / "authorized_keys"
    shutil.copy(folder / "user.pub", keys)
    keys.chmod(0o600)
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile none\n"
        f"AuthorizedKeysFile {keys}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "PermitRootLogin prohibit-password\nLogLevel ERROR\n"
    )
    (folder / "ssh_config").write_text(
        f"Host edgetwin-board\n HostName 127.0.0.1\n Port {port}\n IdentityFile {folder / 'user'}\n"
        f" IdentitiesOnly yes\n UserKnownHostsFile {folder / 'known'}\n"
        " StrictHostKeyChecking accept-new\n LogLevel ERROR\n"
    )


def _wait_for_port(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    import socket

    until_s = time.monotonic() + 10.0
    while time.monotonic() < until_s:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        if process.poll() is not None:
            raise RuntimeError(f"sshd has ended: {(folder / 'log').read_text()[-300:]}")
        time.sleep(0.05)
    raise RuntimeError("sshd does not listen")


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(OSError):
        os.kill(pid, number)


def guardian_of(agent: int) -> int | None:
    """The guardian of an agent: its child that is no job."""
    for child in _descendants(agent):
        with suppress(OSError):
            line = Path(f"/proc/{child}/cmdline").read_bytes()
            if b"import os, select, sys, time" not in line:
                return child
    return None


def wait_until(holds: Any, within_s: float) -> float | None:
    """Seconds until something holds; None when it does not in time."""
    start_s = time.monotonic()
    while time.monotonic() - start_s < within_s:
        if holds():
            return time.monotonic() - start_s
        time.sleep(0.02)
    return None


def same(a: Mapping[str, str], b: Mapping[str, str]) -> list[str]:
    """Files that differ, in words; a fan that turns by itself again may turn at any level."""
    return [
        f"{path}: {a.get(path)} -> {b.get(path)}"
        for path in sorted({*a, *b})
        if a.get(path, "").removesuffix(AUTOMATIC) != b.get(path, "").removesuffix(AUTOMATIC)
        and not (a.get(path, "").endswith(AUTOMATIC) and b.get(path, "").endswith(AUTOMATIC))
    ]
