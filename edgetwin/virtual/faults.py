"""Faults of a virtual board, made and healed by lines written to a file of its tree.

`eio PATH`, `again PATH`, `stuck PATH`, `garbage PATH [TEXT]`, `slow PATH SECONDS`, `refuse PATH`
(writes answer EBUSY), `deny PATH` (writes answer EPERM), `vanish PATH`; `jump SECONDS`,
`ambient DEGC`, `heat DEGC`; `heal [PATH]`. A path may end in `*`. Seconds are those of the wall.
"""

import errno
import threading
import time
from dataclasses import dataclass, field
from typing import Final, final

from edgetwin.virtual.node import refuse

KINDS: Final = ("eio", "again", "stuck", "garbage", "slow", "refuse", "deny", "vanish")
_READ_ERRORS: Final = {"eio": errno.EIO, "again": errno.EAGAIN, "vanish": errno.ENODEV}
_WRITE_ERRORS: Final = {"refuse": errno.EBUSY, "deny": errno.EPERM, "vanish": errno.ENODEV}


@final
@dataclass(slots=True, kw_only=True)
class Faults:
    """What is broken now, by path."""

    broken: dict[str, tuple[str, str]] = field(default_factory=dict)
    stuck: dict[str, str] = field(default_factory=dict)
    healed: threading.Event = field(default_factory=threading.Event)

    def of(self, path: str) -> tuple[str, str] | None:
        """The fault of a file and its argument; None for a sound one."""
        if not self.broken:
            return None
        if path in self.broken:
            return self.broken[path]
        for pattern, fault in self.broken.items():
            if pattern.endswith("*") and path.startswith(pattern[:-1]):
                return fault
        return None

    def make(self, kind: str, path: str, more: str = "") -> None:
        """Break a file; EINVAL for a fault that there is not."""
        if kind not in KINDS or not path.startswith("/"):
            raise refuse(errno.EINVAL)
        self.healed = threading.Event()
        self.broken[path] = (kind, more)

    def heal(self, path: str = "") -> None:
        """Mend a file, or all of them; what waits for a slow one goes on at once."""
        for name in [name for name in self.broken if not path or name == path]:
            del self.broken[name]
        self.stuck.clear()
        self.healed.set()

    def before_read(self, path: str, now: str) -> str | None:
        """What a broken file says instead; None for a sound one. OSError, or a wait."""
        fault = self.of(path)
        if fault is None:
            return None
        kind, more = fault
        if kind in _READ_ERRORS:
            raise refuse(_READ_ERRORS[kind])
        if kind == "garbage":
            return (more or "\x7fELF -- nan") + "\n"
        if kind == "stuck":
            return self.stuck.setdefault(path, now)
        return None

    def wait(self, path: str) -> None:
        """A slow file makes its reader wait."""
        fault = self.of(path)
        if fault is not None and fault[0] == "slow":
            self.healed.wait(_seconds(fault[1]))

    def before_write(self, path: str) -> None:
        """A broken file refuses to be written."""
        fault = self.of(path)
        if fault is not None and fault[0] in _WRITE_ERRORS:
            raise refuse(_WRITE_ERRORS[fault[0]])

    def gone(self, path: str) -> bool:
        """True for a file that has vanished."""
        fault = self.of(path)
        return fault is not None and fault[0] == "vanish"

    def text(self) -> str:
        """All faults, one a line."""
        return "".join(f"{kind} {path} {more}".rstrip() + "\n"
                       for path, (kind, more) in self.broken.items())  # fmt: skip


def _seconds(text: str) -> float:
    try:
        return min(float(text), 60.0)
    except ValueError:
        return 1.0


def stamp_s() -> float:
    """When something was written, on the wall clock that nobody can set."""
    return time.monotonic()
