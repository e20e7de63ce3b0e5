"""`edgetwin boards`: which boards there are and how far to trust each."""

from typing import Annotated, Any

import typer

from edgetwin.cli.output import Json, print_json, print_table
from hw_models.board import Board, board_names, load_board
from hw_models.board_schema import SECTIONS
from hw_models.certificate import Certificate


def boards(
    board: Annotated[
        list[str] | None, typer.Option(help="A board by name or file; may be repeated.")
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of a board file instead.")
    ] = False,
    certificate_schema: Annotated[
        bool,
        typer.Option("--certificate-schema", help="Print the JSON schema of certificate.json."),
    ] = False,
    as_json: Json = False,
) -> None:
    """List boards with the grade of each section: A+ validated ... D assumed."""
    if schema:
        print_json(Board.model_json_schema(by_alias=True))
        return
    if certificate_schema:
        print_json(Certificate.model_json_schema(by_alias=True))
        return
    rows = [_row(load_board(name)) for name in board or board_names()]
    if as_json:
        print_json({"boards": rows})
        return
    print_table(
        "Boards",
        ["board", "grade", *SECTIONS, "what"],
        [[r["name"], r["grade"], *r["sections"].values(), r["title"]] for r in rows],
    )


def _row(board: Board) -> dict[str, Any]:
    return {
        "name": board.name,
        "title": board.title,
        "grade": board.grade,
        "sections": {section: board.grades[section] for section in SECTIONS},
        "domains": list(board.clocks),
        "zones": list(board.sensors.zones),
        "rails": list(board.sensors.rails),
        "modes": list(board.modes),
        "certificate": None if board.certificate is None else board.certificate.id,
    }
