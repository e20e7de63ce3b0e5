"""`edgetwin doctor`: what a board has, what can be measured and set, and what grants the rest."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from edgetwin.cli.output import Json, note, print_json, print_table
from edgetwin.cli.target import Root, Target, device_options


def doctor(
    board: Annotated[
        str | None, typer.Option(help="Board name or board.toml; default: what the device says.")
    ] = None,
    target: Target = None,
    root: Root = None,
    as_json: Json = False,
) -> int:
    """Look at a device and say what works, what is missing and the command that grants it.

    Exit code 1 when nothing can be set. Example: edgetwin doctor --target ssh://user@board
    """
    from edgetwin.hardware.diagnosis import findings
    from edgetwin.hardware.host import looked_at

    options = device_options("hardware", target, root)
    made, found = looked_at(board, **options)
    rows = findings(made, found)
    settable = [f for f in rows if f.works and f.what.startswith("set ")]
    if as_json:
        print_json(_result(made, found, rows))
        return 0 if settable else 1
    print_table(
        f"{made.name} at {options['target']}: {found['model'] or 'a device without a name'}",
        ["what", "", "where, or why not"],
        [[f.what, "ok" if f.works else "--", f.detail] for f in rows],
    )
    for finding in rows:
        if finding.cure:
            print(f"{finding.what}: {finding.cure}")
    if found["recovered"]:
        note(f"a session had died here: {found['recovered']['files']} files were put back")
    return 0 if settable else 1


def _result(made: Any, found: dict[str, Any], rows: list[Any]) -> dict[str, Any]:
    names = ("model", "python", "kernel", "uid", "virtual", "time_scale", "recovered", "root")
    return {
        "board": made.name,
        **{name: found[name] for name in names},
        "findings": [asdict(row) for row in rows],
    }
