"""`edgetwin new policy|board|scenario NAME`: a working, tested start."""

from pathlib import Path
from typing import Annotated

import typer

from edgetwin.cli.output import Json, note, print_json

NEXT = {
    "policy": "edgetwin gate {folder}/{name}.py:make --baseline {folder}/main.json --update",
    "board": "edgetwin run thermal --board {folder}/board.toml --scenario single-app",
    "scenario": "edgetwin run thermal --scenario {folder}/{name}.toml --seeds 3",
}


def new(
    kind: Annotated[str, typer.Argument(help="policy, board or scenario.")],
    name: Annotated[str, typer.Argument(help="Its name, and that of its folder.")],
    out: Annotated[Path | None, typer.Option(help="Folder to make; default: NAME.")] = None,
    as_json: Json = False,
) -> None:
    """Make a folder with a working policy, board or scenario and its test.

    Example: edgetwin new policy mine
    """
    from edgetwin.templates import make_start

    folder = out or Path(name)
    made = make_start(kind, name, folder)
    command = NEXT[kind].format(folder=folder, name=name)
    if as_json:
        print_json({"kind": kind, "name": name, "files": [str(p) for p in made], "next": command})
        return
    for path in made:
        print(path)
    note(f"next: {command}")
