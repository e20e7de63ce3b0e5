"""The line to a board: the agent runs at its other end, here or over the user's own OpenSSH.

The agent is not installed: a loader of a few words reads the length of its source, then the
source, and leaves the rest of its stdin to it.
"""

import json
import os
import select
import shlex
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from importlib import resources
from typing import Any, Final, final
from urllib.parse import urlsplit

from edgetwin.hardware.errors import HardwareError

PROTOCOLS: Final = [1]
LOADER: Final = (
    "import sys;f=open(0,'rb',0,closefd=False);n=int(f.readline());s=b''\n"
    "while len(s)<n:\n d=f.read(n-len(s))\n if not d:sys.exit(3)\n s+=d\n"
    "exec(compile(s,'edgetwin-agent','exec'));sys.exit(main(sys.argv[1:]))"
)
# So long the guardian may take to put everything back before we ask no longer why.
GUARDIAN_S: Final = 4.0
SSH_VARIABLE: Final = "EDGETWIN_SSH"
_SSH_OPTIONS: Final = ("-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
                       "-o", "ServerAliveInterval=2")  # fmt: skip


def command_of(target: str, root: str, state: str | None = None) -> list[str]:
    """The words that start the agent on a target: `local` or `ssh://[user@]host[:port]`.

    $EDGETWIN_SSH replaces `ssh`, as GIT_SSH_COMMAND does for git. ValueError for another target.
    """
    more = ["--root", root, *(["--state", state] if state else [])]
    python = ["python3", "-ISc", LOADER, *more]
    if target == "local":
        return python
    parts = urlsplit(target)
    if parts.scheme != "ssh" or not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"target {target!r}: give local, or ssh://user@host.")
    port = [] if parts.port is None else ["-p", str(parts.port)]
    host = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc
    if host.startswith("-"):
        raise ValueError(f"target {target!r}: {host!r} is no name of a host.")
    ssh = shlex.split(os.environ.get(SSH_VARIABLE, "ssh"))
    return [*ssh, *_SSH_OPTIONS, *port, "--", host, shlex.join(python)]


@final
class Link:
    """One agent and its answers. Every wait has an end; what ends the link is said in one line.

    A thread tells the agent that the host lives, for as long as somebody has used the link within
    patience_s: a host that hangs for longer loses the board, as one that dies does at once.
    """

    def __init__(
        self,
        target: str,
        root: str = "/",
        *,
        state: str | None = None,
        timeout_s: float = 5.0,
        patience_s: float = 120.0,
        beat_s: float = 1.0,
    ) -> None:
        self.target = target
        self.timeout_s = timeout_s
        command = command_of(target, root, state)
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the link
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr,
                bufsize=0, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._stderr.close()
            raise HardwareError(f"cannot start {command[0]}: {error.strerror}.") from None
        assert self._process.stdin and self._process.stdout
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        self._writing = threading.Lock()
        self._rest = b""
        self._serial = 0
        self._broken: str | None = None
        self._patience_s = patience_s
        self._used_s = time.monotonic()
        self.took_s = 0.0
        self._over = threading.Event()
        self._send_source()
        beat = threading.Thread(
            target=self._beat, args=(beat_s,), name="edgetwin-beat", daemon=True
        )
        beat.start()

    @property
    def pid(self) -> int:
        """The process of the agent, or of the ssh client that leads to it."""
        return self._process.pid

    def ask(self, verb: str, *, within_s: float | None = None, **more: Any) -> dict[str, Any]:
        """The agent's answer, which came after took_s.

        RefusedError where it refuses, HardwareError without an answer.
        """
        self._used_s = time.monotonic()
        self._serial += 1
        message = {"id": self._serial, "verb": verb, **more}
        until_s = time.monotonic() + (within_s or self.timeout_s)
        self._write(json.dumps(message).encode() + b"\n", until_s)
        while True:
            answer = self._next(until_s, verb)
            if answer.get("id") != self._serial:
                continue
            self.took_s = time.monotonic() - self._used_s
            if "ok" in answer:
                found: dict[str, Any] = answer["ok"]
                return found
            raise RefusedError(str(answer.get("error")), str(answer.get("kind")))

    def close(self) -> None:
        """Say good-bye and wait until the agent has put everything back; twice is fine."""
        if self._over.is_set():
            return
        with suppress(HardwareError, RefusedError):
            if self._broken is None:
                self.ask("bye")
        self._end()

    def _end(self) -> None:
        self._over.set()
        with self._writing, suppress(OSError):
            if self._process.stdin and not self._process.stdin.closed:
                self._process.stdin.close()
        try:
            self._process.wait(self.timeout_s + 5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        if not self._stderr.closed:
            self._stderr.close()

    def _send_source(self) -> None:
        source = (resources.files("edgetwin.hardware") / "agent.py").read_bytes()
        self._write(b"%d\n" % len(source) + source, time.monotonic() + 20.0)

    def _write(self, data: bytes, until_s: float) -> None:
        if self._broken is not None:
            raise HardwareError(self._broken)
        with self._writing:
            while data:
                try:
                    data = data[os.write(self._in, data) :]
                except BlockingIOError:
                    if not select.select([], [self._in], [], _left_s(until_s))[1]:
                        raise self._failed(f"takes nothing for {self.timeout_s:g} s") from None
                except (OSError, ValueError):
                    raise self._failed(self._why()) from None

    def _next(self, until_s: float, verb: str) -> dict[str, Any]:
        """The next line that the agent says."""
        while b"\n" not in self._rest:
            if not select.select([self._out], [], [], _left_s(until_s))[0]:
                raise self._failed(f"gives no answer to `{verb}` within {self.timeout_s:g} s")
            data = os.read(self._out, 1 << 18)
            if not data:
                raise self._failed(self._why())
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            said = json.loads(line)
        except ValueError:
            raise self._failed(f"says {line[:80]!r}, which is no answer") from None
        if isinstance(said, dict) and said.get("event") == "end":
            raise self._failed(_farewell(said))
        return said if isinstance(said, dict) else {}

    def _why(self) -> str:
        """What the other end said last, now that it is gone: the agent, else its guardian."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        until_s = time.monotonic() + 1.0
        while select.select([self._out], [], [], _left_s(until_s))[0]:
            data = os.read(self._out, 1 << 18)
            if not data:
                break
            self._rest += data
        for line in self._rest.splitlines():
            with suppress(ValueError):
                said = json.loads(line)
                if isinstance(said, dict) and said.get("event") == "end":
                    return _farewell(said)
        return f"has ended ({self._guardians_words()})"

    def _guardians_words(self) -> str:
        """The last lines on stderr; a guardian needs time to speak."""
        until_s = time.monotonic() + GUARDIAN_S
        while not (lines := self._said()) and time.monotonic() < until_s:
            time.sleep(0.05)
        told = "; ".join(line.removeprefix("edgetwin agent: ") for line in lines[-3:])
        return told or f"exit code {self._process.returncode}"

    def _said(self) -> list[str]:
        self._stderr.seek(0)
        return self._stderr.read().decode("utf-8", "replace").strip().splitlines()

    def _failed(self, what: str) -> HardwareError:
        if self._broken is None:
            self._broken = f"the agent on {self.target} {what}."
        return HardwareError(self._broken)

    def _beat(self, beat_s: float) -> None:
        line = json.dumps({"id": None, "verb": "ping"}).encode() + b"\n"
        while not self._over.wait(beat_s):
            if self._broken is not None or time.monotonic() - self._used_s > self._patience_s:
                continue
            with self._writing, suppress(OSError, ValueError):
                os.write(self._in, line)  # whole or, when the pipe is full, not at all


@final
class RefusedError(Exception):
    """The agent refuses; kind is value, busy, safety or io."""

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text)
        self.kind = kind


def _farewell(said: dict[str, Any]) -> str:
    """The last words of an agent: why it has ended, and whether everything is back."""
    wrong = "; ".join(said.get("wrong") or ()) or "the board is as it was found"
    return f"has ended: {said.get('why')}; {wrong}"


def _left_s(until_s: float) -> float:
    return max(until_s - time.monotonic(), 0.0)
