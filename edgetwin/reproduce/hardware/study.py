"""`edgetwin reproduce hardware`: the hardware path against virtual boards, real FUSE, real sshd."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from edgetwin.reproduce.hardware import heat, loop, systems, timing
from edgetwin.reproduce.hardware.bench import served, sshd, why_no_ssh, why_not
from edgetwin.reproduce.hardware.case import Outcome
from edgetwin.reproduce.hardware.fuzz import fuzz, lines_of
from edgetwin.reproduce.hardware.injections import inject, kinds
from edgetwin.reproduce.hardware.page import draw
from edgetwin.runs import RunFolder
from edgetwin.studies import Figure, Measure, Study, absent, row

BOARDS: Final = ("jetson-nano", "jetson-orin-nano", "hikey970", "jetson-tx2-nx")
INJECTIONS: Final = {True: 30, False: 200}
MESSAGES: Final = {True: 10_000, False: 100_000}


def make_study(folder: Path) -> Study:
    """The rows of the table; finished injections lie in `folder`."""

    def faults(quick: bool) -> dict[str, Any]:
        return injections(folder, INJECTIONS[quick])

    rows: dict[str, tuple[str, Callable[[bool], dict[str, Any]]]] = {
        "systems": ("run-time parts and policies on virtual boards", systems.run_everything),
        "loop": ("calibration loop on a board with hidden numbers", loop.close_the_loop),
        "timing": ("round trip and control period", timing.round_trips),
        "faults": ("injected faults", faults),
        "fuzz": ("hostile messages to the agent", hostile),
        "trip": ("temperature trip", heat.trip),
        "footprint": ("memory and processor of the agent", timing.footprint),
    }
    return Study(
        name="hardware",
        rows={name: (title, _where_fuse_is(measure)) for name, (title, measure) in rows.items()},
        draw=draw,
    )


def _where_fuse_is(measure: Measure) -> Measure:
    def measured(quick: bool) -> dict[str, Any]:
        reason = why_not()
        return absent(reason) if reason else measure(quick)

    return measured


def injections(folder: Path, count: int) -> dict[str, Any]:
    """Row: random faults, every kind the same number of times, boards and links in turn."""
    reason = why_no_ssh()
    if reason:
        return absent(reason)
    arguments = {"verb": "hardware injections", "count": count}
    command = ["edgetwin", "reproduce", "hardware"]
    run_folder = RunFolder.create(folder / "injections", command, arguments)
    found: list[dict[str, Any]] = []
    with run_folder, sshd() as door:
        names = BOARDS[: max(1, min(len(BOARDS), count // len(kinds())))]
        for place, name in enumerate(names):
            keys = [
                [name, kinds()[i % len(kinds())], i]
                for i in range(count) if i // len(kinds()) % len(names) == place
            ]  # fmt: skip
            found += _on_one_board(run_folder, name, keys, door)
    return _judged(found)


def _on_one_board(
    run_folder: RunFolder, name: str, keys: list[list[Any]], door: Any
) -> list[dict[str, Any]]:
    missing = run_folder.cells.missing(keys)
    if missing:
        with served(name) as board:
            for key in missing:
                outcome = inject(key[1], board, door, key[2])
                run_folder.cells.put(key, asdict(outcome) | {"board": name})
    return run_folder.cells.values(keys)


def _judged(found: list[dict[str, Any]]) -> dict[str, Any]:
    n = len(found)
    outcomes = [Outcome(**{k: v for k, v in one.items() if k != "board"}) for one in found]
    wrong = [asdict(o) for o in outcomes if not o.ok]
    restored_s = [o.restored_s for o in outcomes if o.restored_s is not None]
    return row(
        {
            "share restored": Figure(value=len(restored_s) / n, bar=1.0, at_least=True),
            "writes outside the list": Figure(value=sum(len(o.outside) for o in outcomes), bar=0),
            "readings invented": Figure(value=sum(len(o.invented) for o in outcomes), bar=0),
            "hangs": Figure(value=sum(bool(o.hung) for o in outcomes), bar=0),
            "errors without the cause": Figure(
                value=sum(bool(o.unexplained) for o in outcomes), bar=0
            ),
        },
        n=n, kinds=dict(Counter(o.kind for o in outcomes)),
        boards=dict(Counter(one["board"] for one in found)),
        links=dict(Counter(o.link for o in outcomes)),
        slowest_restored_s=max(restored_s, default=0.0), wrong=wrong[:20],
    )  # fmt: skip


def hostile(quick: bool) -> dict[str, Any]:
    """Row: messages that no sound host sends."""
    with served(BOARDS[0]) as board:
        found = fuzz(board, MESSAGES[quick], seed=1)
    return row(
        {
            "writes outside the list": Figure(value=len(found.outside), bar=0),
            "values off the table": Figure(value=len(found.off_table), bar=0),
            "files not put back": Figure(value=len(found.unrestored), bar=0),
            "hangs": Figure(value=found.hung, bar=0),
            "agents that ended": Figure(value=len(found.ended), bar=0),
        },
        n=found.messages, answers=found.answers, sessions=found.sessions,
        wrong=list(lines_of(found))[:20],
    )  # fmt: skip
