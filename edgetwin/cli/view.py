"""`edgetwin view RUN...`: the page of a run, or of several side by side."""

from pathlib import Path
from typing import Annotated

import typer

from edgetwin.cli.output import Json, note, print_json
from edgetwin.cli.run import command


def view(
    runs: Annotated[list[Path], typer.Argument(help="Folders of --out, or trace files.")],
    out: Annotated[
        Path | None, typer.Option(help="Page to write; default: in the run, or compare.html.")
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="Board of a trace that does not name a shipped one.")
    ] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open a browser.")] = True,
    as_json: Json = False,
) -> None:
    """Open the page of a run; several runs are compared on one page.

    Example: edgetwin view out/thermal, or: edgetwin view out/before out/after --out compare.html
    """
    from edgetwin.report.compare_page import write_compare_page, write_kept_page
    from edgetwin.report.kept import read_kept

    kept = [read_kept(path) for path in runs]
    if len(kept) > 1:
        page = write_compare_page(kept, command(), out or Path("compare.html"))
    elif out is None and kept[0].page.is_file() and kept[0].path.is_dir():
        page = kept[0].page
    else:
        page = write_kept_page(kept[0], out or kept[0].page, board)
    if as_json:
        print_json({"page": str(page)})
        return
    print(page)
    if show and not _opened(page):
        note("no browser here; open the file above in one")


def _opened(page: Path) -> bool:
    """Does a browser show the page?"""
    import os
    import webbrowser

    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.name != "posix"):
        return False  # webbrowser would start a text browser in this terminal
    return webbrowser.open(page.resolve().as_uri())
