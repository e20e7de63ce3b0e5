"""`edgetwin reproduce STUDY`: a published experiment on the twins, row by row."""

import math
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetwin.cli.output import Json, announce_compiling, note, print_json, print_table
from edgetwin.cli.run import command

if TYPE_CHECKING:
    from edgetwin.studies import Study


def reproduce(
    study: Annotated[str, typer.Argument(help="planner, federated, thermal or hardware.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Every row with fewer seeds and budget.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 when a row falls short.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of results, page and finished cells (resumes).")
    ] = None,
    rows: Annotated[
        str, typer.Option(help="Only these rows, by name with commas between; all by default.")
    ] = "",
    device: Annotated[
        str, typer.Option(help="Device of torch for runs of the federated study, such as cuda.")
    ] = "cpu",
    jobs: Annotated[
        int, typer.Option(help="Processes for runs of the federated study; -1: one a core.")
    ] = -1,
    budget_s: Annotated[
        float, typer.Option(help="After so many seconds no further run of that study starts.")
    ] = math.inf,
    as_json: Json = False,
) -> int:
    """Repeat a published experiment on the twins and hold its figures against their bars.

    Example: edgetwin reproduce planner --quick
    """
    from edgetwin.reproduce import find_study
    from edgetwin.storage import strict_json, write_atomically
    from edgetwin.studies import Means, cells, falls_short

    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        means = Means(device=device, jobs=jobs, until_s=time.time() + budget_s)
        chosen = find_study(study, folder, means)
        chosen = chosen.only(rows.split(",")) if rows else chosen
        announce_compiling()
        found = chosen.run(quick)
        if out is not None:
            write_atomically(out / f"{study}.json", strict_json(found) + "\n")
            note(f"page: {_page(chosen, found, out)}")
    if as_json:
        print_json(found)
    else:
        print_table(f"the study of {study}", ["what", "figure", "value", "bar", ""], cells(found))
    short = falls_short(found)
    if short:
        print(f"falls short: {', '.join(short)}", file=sys.stderr)
    return 1 if strict and short else 0


def _page(study: "Study", found: dict[str, Any], out: Path) -> Path:
    """The study's own page, or its rows as a table."""
    if study.draw is not None:
        return study.draw(found, out)
    from edgetwin.report.study_page import write_study_page

    return write_study_page(found, command(), out / "report.html")
