"""Who watches a run: a page in the browser, a table in the terminal, both, or nobody."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from edgetwin.cli.output import note
from edgetwin.cli.run import command

if TYPE_CHECKING:
    from edgetwin.policies import PolicyEntry
    from edgetwin.sweeps import Watch
    from hw_models.board import Board
    from hw_models.trace import Reading

# Simulated seconds per second of the wall clock when somebody watches.
PACE: Final = 60.0


@contextmanager
def watching(
    board: "Board", backend: str, *, live: bool, table: bool, pace: float | None
) -> "Iterator[Watch | None]":
    """What `run_study` takes as watch, None where nobody looks.

    A twin is slowed to `pace` simulated seconds per second (0: as fast as it can); a board on the
    desk has its own pace.
    """
    if pace is not None and not pace >= 0:
        raise ValueError(f"--pace {pace}: give simulated seconds per second, or 0 for full speed.")
    with ExitStack() as stack:
        views: list[Any] = []
        if live:
            from edgetwin.report.live import LiveView

            views.append(stack.enter_context(LiveView(board, command=command())))
            note(f"live at {views[-1].url}")
        if table:
            from edgetwin.report.terminal import TerminalView

            views.append(stack.enter_context(TerminalView(board)))
        if not views and not pace:
            yield None
            return
        yield _watch(views, 0.0 if backend != "sim" else PACE if pace is None else pace)


def _watch(views: list[Any], pace: float) -> "Watch":
    from edgetwin.report.live import paced

    def begin(policy: "PolicyEntry", seed: int) -> "Callable[[Reading], None]":
        for view in views:
            view.begin(f"{policy.name}, seed {seed}")

        def see(reading: "Reading") -> None:
            for view in views:
                view(reading)

        return paced(see, pace)

    return begin
