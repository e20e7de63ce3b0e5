"""Progress on stderr: silent when quick, one updating line on a terminal, rare lines in a log."""

import os
import shutil
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO, final

TERMINAL_PERIOD_S = 0.2
LOG_PERIOD_S = 10.0


@final
class Progress:
    """Whoever waits longer than two seconds is told what is done and how long it will take.

    A thread draws, so a long step shows too. `total` 0 means that the end is not known: then
    only the time so far is shown. NO_COLOR keeps colours off.
    """

    def __init__(
        self, title: str, total: int = 0, *, stream: TextIO | None = None, quiet_s: float = 2.0
    ) -> None:
        self.title = title
        self.total = total
        self.done = 0
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._quiet_s = quiet_s
        self._shown = False
        self._start_s = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def advance(self, steps: int = 1) -> None:
        """So many more steps are done."""
        self.done += steps

    def __enter__(self) -> Self:
        self._start_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._shown and self._terminal:
            self._draw()
            self._write("\n")

    def _watch(self) -> None:
        wait_s = self._quiet_s
        while not self._stop.wait(wait_s):
            self._draw()
            wait_s = TERMINAL_PERIOD_S if self._terminal else LOG_PERIOD_S

    def _draw(self) -> None:
        self._shown = True
        text = _state(self.done, self.total, time.monotonic() - self._start_s)
        if not self._terminal:
            self._write(f"{self.title}: {text}\n")
            return
        line = f"{self.title}: {text}"[: shutil.get_terminal_size().columns - 1]
        self._write("\r\x1b[K" + (line if os.environ.get("NO_COLOR") else f"\x1b[36m{line}\x1b[0m"))

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


def _state(done: int, total: int, elapsed_s: float) -> str:
    """A share with the time left, or the time so far where no share is known."""
    if not done or not total:
        return f"{f'0 of {total}, ' if total else ''}{_duration(elapsed_s)} so far"
    left_s = elapsed_s * max(total - done, 0) / done
    return f"{min(done / total, 1.0):.0%} ({done} of {total}), {_duration(left_s)} left"


def _duration(time_s: float) -> str:
    """A duration reads in its two largest units."""
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
