"""Options of every verb that talks to a board on the desk."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from edgetwin.cli.output import note

Target = Annotated[
    str | None, typer.Option(help="Where the board is: local (default) or ssh://user@host.")
]
Root = Annotated[
    str | None, typer.Option(help="Folder that stands for / of the board (a virtual one).")
]
Aims = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="Target metric, a number; where the board is: local or ssh://user@host. May be both.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be written to the board; write nothing.")
]


def device_options(
    backend: str, target: str | None, root: str | None, *, dry_run: bool = False, jobs: int = 1
) -> dict[str, Any]:
    """What `make_backend` is told of the device; ValueError where there is none to tell of."""
    if backend == "hardware" and jobs != 1:
        raise ValueError(f"--jobs {jobs}: one board runs one policy after the other; leave it out.")
    given = {name: value for name, value in (("target", target), ("root", root)) if value}
    if backend == "hardware":
        watch: Callable[[str, str], None] | None = _print_write if dry_run else None
        return given | (
            {"dry_run": True, "watch": watch} if dry_run else {"target": target or "local"}
        )
    if given or dry_run:
        named = [*(f"--{name}" for name in given), *(["--dry-run"] if dry_run else [])]
        raise ValueError(f"{', '.join(named)}: for --backend hardware only.")
    return {}


def metric_and_place(given: Sequence[str] | None) -> tuple[float | None, str | None]:
    """The number among the targets, and the place; ValueError for two of a kind."""
    metrics: list[float] = []
    places: list[str] = []
    for text in given or ():
        try:
            metrics.append(float(text))
        except ValueError:
            places.append(text)
    if len(metrics) > 1 or len(places) > 1:
        said = ", ".join(given or ())
        raise ValueError(f"--target {said}: give one number at most, and one place.")
    return metrics[0] if metrics else None, places[0] if places else None


def _print_write(path: str, text: str) -> None:
    note(f"would write {text} to {path}")
