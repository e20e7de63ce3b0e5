"""certificate.json on disk: written, read, and found beside its board file."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from hw_models.certificate.model import Certificate
from hw_models.parameters import value_at

if TYPE_CHECKING:
    from hw_models.board import Board

# JSON keeps every digit; a file edited by hand differs by more.
_SAME: Final = 1e-9


def write_certificate(certificate: Certificate, path: str | Path) -> None:
    """Keep a certificate as JSON; the same one always gives the same bytes."""
    data = certificate.named().model_dump(mode="json", by_alias=True, exclude_none=True)
    rows = data.pop("covariance")
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    matrix = ",\n  ".join(json.dumps(row) for row in rows)
    whole = f'{text[:-2]},\n "covariance": [\n  {matrix}\n ]\n}}\n'
    Path(path).write_text(whole, encoding="utf-8", newline="\n")


def read_certificate(path: str | Path) -> Certificate:
    """A certificate from a file; FileNotFoundError, or ValueError in one line, otherwise."""
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"no certificate at {path}; `edgetwin calibrate` writes one.")
    return parse_certificate(file.read_text(encoding="utf-8"), str(path))


def parse_certificate(text: str, origin: str) -> Certificate:
    """A certificate from JSON text; ValueError in one line that names the place otherwise."""
    from hw_models.board import first_problem

    try:
        certificate = Certificate.model_validate_json(text)
    except ValidationError as error:
        reason = first_problem(error)
        raise ValueError(f"{origin} is not a valid certificate: {reason}.") from None
    if certificate.id != f"{certificate.board}-{certificate.digest}":
        raise ValueError(
            f"{origin} was changed after it was made (its id is {certificate.id}); calibrate again."
        )
    return certificate


def certificate_of(board: "Board", folder: Any) -> Certificate | None:
    """The certificate beside a board file, None where there is none.

    folder is a path or a resource. ValueError when it is damaged, of another board, or states
    other numbers than the board file.
    """
    file = folder / "certificate.json"
    if not file.is_file():
        return None
    certificate = parse_certificate(file.read_text(encoding="utf-8"), str(file))
    if certificate.board != board.name:
        raise ValueError(f"{file} is of {certificate.board}, the board file of {board.name}.")
    check_numbers(board, certificate)
    return certificate


def check_numbers(board: "Board", certificate: Certificate) -> None:
    """ValueError unless a board file states what its certificate states, number by number."""
    for parameter in certificate.parameters:
        try:
            value = value_at(board, parameter.path)
        except KeyError:
            raise ValueError(f"{board.name} has no {parameter.path}; calibrate again.") from None
        if not math.isclose(value, parameter.value, rel_tol=_SAME, abs_tol=0.0):
            raise ValueError(
                f"{parameter.path} is {value!r} in the board file and {parameter.value!r} in its "
                "certificate; calibrate again, or remove certificate.json."
            )
