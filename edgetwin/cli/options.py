"""Options that several verbs share, and the names that the shell completes in them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import typer


def _starting(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        *before, last = incomplete.split(",")
        given = "".join(f"{name}," for name in before)
        return [given + name for name in names() if name.startswith(last) and name not in before]

    return complete


def _boards() -> Iterable[str]:
    from hw_models.board import board_names

    return board_names()


def _scenarios() -> Iterable[str]:
    from edgetwin.scenario import scenario_names

    return scenario_names()


def _tasks() -> Iterable[str]:
    from edgetwin.tasks import task_names

    return task_names()


def _policies() -> Iterable[str]:
    from edgetwin.policies import policy_entries

    return policy_entries()


def _backends() -> Iterable[str]:
    from edgetwin.factory import backend_kinds

    return backend_kinds()


_complete_policies = _starting(_policies)

TaskName = Annotated[
    str,
    typer.Argument(
        help="thermal or training; see `edgetwin envs`.", autocompletion=_starting(_tasks)
    ),
]
BoardName = Annotated[
    str | None,
    typer.Option("--board", help="Board name or board.toml.", autocompletion=_starting(_boards)),
]
ScenarioName = Annotated[
    str | None,
    typer.Option("--scenario", help="Scenario name or file.", autocompletion=_starting(_scenarios)),
]
PolicyNames = Annotated[
    str | None,
    typer.Option(
        "--policies",
        help="Names or file.py:make, commas between; `help` lists.",
        autocompletion=_complete_policies,
    ),
]
PolicyPlace = Annotated[
    str,
    typer.Argument(
        help="file.py:make, module:make, or a policy's name.", autocompletion=_complete_policies
    ),
]
BackendKind = Annotated[
    str,
    typer.Option(
        "--backend", help="sim (the twin) or hardware.", autocompletion=_starting(_backends)
    ),
]
Duration = Annotated[
    float | None, typer.Option("--duration", help="Simulated seconds at most; default by task.")
]
FirstSeed = Annotated[int, typer.Option("--seed", help="The first seed.")]
Jobs = Annotated[int, typer.Option("--jobs", help="Processes; -1 for one a core.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder to keep the run in.")]
Live = Annotated[
    bool, typer.Option("--live", help="Serve a page that follows the run, on this machine.")
]
Watched = Annotated[
    bool, typer.Option("--watch", help="Follow the run as a table in the terminal.")
]
Pace = Annotated[
    float | None,
    typer.Option("--pace", help="Simulated seconds per second when watched; default 60, 0: all."),
]
Baseline = Annotated[
    Path | None,
    typer.Option("--baseline", help="Report of the main branch; its seeds are run."),
]
Update = Annotated[bool, typer.Option("--update", help="Write the baseline instead of comparing.")]
MaxTemp = Annotated[
    float | None,
    typer.Option("--max-temp", help="Most degC at the hottest, mean over seeds."),
]
MaxViolation = Annotated[
    float | None,
    typer.Option("--max-violation", help="Most share of application time below target."),
]
