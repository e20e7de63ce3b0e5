"""Where a command's results go: one JSON object or tables on stdout, all else on stderr."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object.")]
Cell = str | int | float | None


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on stdout; what does not apply is null."""
    from edgetwin.storage import strict_json

    print(strict_json(value))


def print_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """A table on stdout, as wide as it needs to be when stdout is not a terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title), title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for i, head in enumerate(heads):
        numeric = bool(rows) and isinstance(rows[0][i], int | float)
        table.add_column(Text(head), justify="right" if numeric else "left", no_wrap=i == 0)
    for row in rows:
        table.add_row(*(Text(show(cell)) for cell in row))
    width = None if sys.stdout.isatty() else 240
    Console(width=width, no_color="NO_COLOR" in os.environ or None).print(table)


def show(value: Cell) -> str:
    """A cell as text: four significant digits, a dash for what is not known."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.4g}"


def note(text: str) -> None:
    """A remark for the person at the terminal."""
    print(text, file=sys.stderr)


def announce_compiling() -> None:
    """Say why the first run on a machine takes longer, if it will."""
    from edgetwin.kernel import advance
    from hw_models.compiled import cached

    if not cached(advance):
        note("compiling the simulation kernel for this machine: once, up to half a minute ...")
