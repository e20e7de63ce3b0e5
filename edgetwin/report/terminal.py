"""A run watched in a terminal: a table of what the sensors say, with sparklines."""

import sys
import time
from types import TracebackType
from typing import Any, Final, Self, TextIO, final

from edgetwin.text_view import History
from hw_models.board import Board
from hw_models.trace import Reading

PERIOD_S: Final = 0.25
LOG_PERIOD_S: Final = 10.0


@final
class TerminalView:
    """A live table on stderr; call it with every reading, as `run(watch=view)` does.

    Where the stream is no terminal, a line of text every ten seconds instead.
    """

    def __init__(self, board: Board, title: str = "", *, stream: TextIO | None = None) -> None:
        self.board = board
        self.title = title or board.name
        self._stream = sys.stderr if stream is None else stream
        self._history = History()
        self._shown_s = float("-inf")
        self._live: Any = None

    def __enter__(self) -> Self:
        if self._stream.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def begin(self, title: str) -> None:
        """A new run begins under another title."""
        self.title = title
        self._history.clear()

    def __call__(self, reading: Reading) -> None:
        """One more reading; drawn at most four times a second."""
        self._history.add(reading)
        now_s = time.monotonic()
        if self._live is None:
            if now_s - self._shown_s >= LOG_PERIOD_S:
                self._shown_s = now_s
                print(self._one_line(reading), file=self._stream, flush=True)
        elif now_s - self._shown_s >= PERIOD_S:
            self._shown_s = now_s
            self._live.update(self.table(), refresh=True)

    def table(self) -> Any:
        """The table as it is now, for rich."""
        from rich.table import Table
        from rich.text import Text

        last = self._history.last
        at = "" if last is None else f" at {last.t_s:.1f} s{' THROTTLED' if last.throttled else ''}"
        table = Table(title=Text(f"{self.title}{at}"), title_justify="left", box=None)
        for name, justify in (
            ("signal", "left"),
            ("now", "right"),
            ("course", "left"),
            ("", "left"),
        ):
            table.add_column(name, justify=justify)  # type: ignore[arg-type]
        for name, value, more, line in self._history.rows():
            table.add_row(*map(Text, (name, value, line, more)))
        return table

    def _one_line(self, reading: Reading) -> str:
        shown = " ".join(
            f"{zone} {'--' if temp_c is None else f'{temp_c:.1f}'} degC"
            for zone, temp_c in reading.temps_c.items()
        )
        return f"{self.title}: {reading.t_s:.1f} s, {shown}, {len(reading.jobs)} jobs"
