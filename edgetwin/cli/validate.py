"""`edgetwin validate TRACE`: whether new data bear a board's certificate out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgetwin.cli.measured import read_measured
from edgetwin.cli.output import Json, print_json, print_table

if TYPE_CHECKING:
    from hw_models.certificate import Verdict


def validate(
    traces: Annotated[
        list[Path], typer.Argument(help="Traces, tegrastats logs, latency or step tables.")
    ],
    board: Annotated[str, typer.Option(help="Board with a certificate: a name or board.toml.")],
    mode: Annotated[
        str | None, typer.Option(help="Power mode, for clocks that a log lacks.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Apply a certificate to new data; exit code 1 when they contradict what it claims.

    Example: edgetwin validate new.log --board calibrated/board.toml
    """
    from edgetwin.progress import Progress
    from hw_models.board import load_board
    from hw_models.certificate import judge

    made = load_board(board)
    certificate = made.certificate
    if certificate is None:
        raise ValueError(f"{made.name} has no certificate; `edgetwin calibrate` makes one.")
    measured = read_measured(made, traces, mode)
    with Progress(f"driving {made.name}"):
        verdict = judge(made, certificate, measured.runs, measured.tables)
    if as_json:
        print_json(verdict.as_json())
    else:
        _print(verdict)
    return 0 if verdict.inside else 1


def _print(verdict: "Verdict") -> None:
    rows = [
        [signal, claim.rmse, claim.certified_rmse, claim.most_rmse,
         None if claim.share_90 is None else 100 * claim.share_90,
         None if claim.least_share_90 is None else 100 * claim.least_share_90,
         "yes" if claim.holds else "NO"]
        for signal, claim in verdict.signals.items()
    ]  # fmt: skip
    heads = ["signal", "RMSE", "certified", "at most", "in 90 % [%]", "at least [%]", "holds"]
    print_table(f"{verdict.certificate.id} against new data", heads, rows)
    if verdict.outside_share is not None:
        print(f"outside the validity envelope: {100 * verdict.outside_share:.1f} % of readings")
    answer = "inside its claim" if verdict.inside else "OUTSIDE its claim"
    print(f"the data are {answer}: errors and coverage against what was certified, at 3 sigma")
