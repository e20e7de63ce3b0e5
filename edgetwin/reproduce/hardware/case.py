"""One injection: what it is made of as it runs, and what became of it."""

import json
import os
import select
import time
from dataclasses import dataclass, field
from typing import Any, Final, final

import numpy as np

from edgetwin.hardware import Limits
from edgetwin.reproduce.hardware.bench import Served, Sshd
from hw_models.board import Board

LIMITS: Final = Limits(deadman_s=2.0, longest_s=600.0)


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
