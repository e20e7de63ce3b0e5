"""`python -m edgetwin.systems.planner.worker SCRIPT`: a script with the hook as a job of a board.

A board's agent counts the lines of a job's process and tells it a new batch size on its stdin:
`batch 64`, or in front of a virtual board `{"batch": 64}`. So every training step is said in a
line, and at another batch size the script starts anew, whether it would ask its hook again or not.
It trains on and on: who profiles ends it.
"""

import contextlib
import json
import re
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TextIO, final

from edgetwin.systems.planner.convergence import RULES
from edgetwin.systems.planner.script import Enough, find_script, run_script

_ASKED: Final = re.compile(r'^(?:batch |\{"batch": )(\d+)\}?$')


@final
class StepSession:
    """Says every step; ends the script's run when another batch size is asked for."""

    seed = 0
    is_proxy = False

    def __init__(self, out: TextIO) -> None:
        self.batch: int | None = None
        self.samples = 0
        self._out = out
        self._runs_with: int | None = None

    def hear(self, lines: Iterable[str]) -> None:
        """Take in the batch sizes that are asked for, until there are no more lines."""
        for line in lines:
            asked = _ASKED.match(line.strip())
            if asked and int(asked[1]) > 0:
                self.batch = int(asked[1])

    def begin(self) -> None:
        """The script starts, with the batch size that was asked for last."""
        self._runs_with = self.batch

    def rate_factor(self, batch: int, base: int) -> float:
        """Time and power do not depend on it; it keeps training sound."""
        return float((batch / base) ** RULES["sqrt"])

    def stepped(self, batch: int, parameters: Iterable[Any] | None) -> None:
        """One line; ends the run where its batch size is no longer the one that is wanted."""
        self.samples += batch
        print(json.dumps({"work": self.samples, "batch": batch}), file=self._out, flush=True)
        if self.batch != self._runs_with:
            raise Enough

    def reported(self, metric: float) -> bool:
        """There is no target here."""
        return False


def work(path: Path, session: StepSession, arguments: tuple[str, ...] = ()) -> None:
    """Run a script again and again; ValueError for one that makes no step."""
    while True:
        before = session.samples
        session.begin()
        run_script(path, session, arguments)
        if session.samples == before:
            raise ValueError(f"{path.name} ended without calling hook.step(); call it every step.")


def main(words: list[str]) -> None:
    """The script's own prints go to stderr: on stdout they would count as steps."""
    if not words:
        raise SystemExit("usage: python -m edgetwin.systems.planner.worker SCRIPT [ARGUMENTS]")
    session = StepSession(sys.stdout)
    threading.Thread(target=session.hear, args=(sys.stdin,), daemon=True).start()
    with contextlib.redirect_stdout(sys.stderr):
        work(find_script(words[0]), session, tuple(words[1:]))


if __name__ == "__main__":
    main(sys.argv[1:])
