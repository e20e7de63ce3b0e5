"""From a start file and fits to a shipped board: sources, grades, board.toml, certificate, report.

A recipe's start file holds what documents and assumptions say of a board; the recipe replaces what
was measured. So a recipe never reads its own output, and running it again changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

import numpy as np

from calibration.data import combined_sha256, data_set
from hw_models.board import Board, load_board
from hw_models.board_checks import quantities
from hw_models.board_file import write_board
from hw_models.certificate import Certificate, write_certificate
from hw_models.fit.result import FitResult
from hw_models.parameters import with_values
from hw_models.quantity import Grade, Source

CALIBRATION: Final = Path(__file__).parent
BOARDS: Final = CALIBRATION.parent / "hw_models" / "boards"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a recipe makes: the board, its certificate and its report in Markdown."""

    board: Board
    certificate: Certificate
    report: str


def start_board(recipe: str) -> Board:
    """The board of calibration/<recipe>/start.toml: documents and assumptions, nothing fitted."""
    return load_board(CALIBRATION / recipe / "start.toml")


def with_sources(board: Board, sources: Mapping[str, Source]) -> Board:
    """The board with more sources; they may be used from then on."""
    return board.model_copy(update={"sources": {**board.sources, **sources}})


def fit_sources(
    recipe: str, name: str, fits: Mapping[str, tuple[str, str, Mapping[str, float | str]]]
) -> dict[str, Source]:
    """Sources of fits to one data set: (title, note, what held-out runs showed) by source name."""
    data = data_set(name)
    return {
        key: Source(
            kind="fit",
            title=title,
            note=note,
            holdout=dict(holdout),
            where=data.where,
            licence=data.licence,
            recipe=f"calibration/{recipe}/recipe.py",
            data_sha256=combined_sha256(name),
        )
        for key, (title, note, holdout) in fits.items()
    }


def with_fan_in_proportion(board: Board, start: Board, level: int) -> Board:
    """The board with fan levels above a fitted one that keep their ratio to it from start.

    What nobody measured stays assumed, and a faster fan still cools more.
    """
    values = {}
    for i, (new, old) in enumerate(zip(board.thermal.cooling, start.thermal.cooling, strict=True)):
        fitted, assumed = new.conductance_w_per_k.value, old.conductance_w_per_k.value
        for k in range(level + 1, len(assumed)):
            path = f"thermal.cooling[{i}].conductance_w_per_k[{k}]"
            values[path] = digits(assumed[k] * fitted[level] / assumed[level], 4)
    return with_values(board, values)


def rounded(result: FitResult) -> FitResult:
    """The same with values to six significant digits and errors to three, as files carry them."""
    return replace(
        result,
        parameters=tuple(
            replace(
                p,
                value=digits(p.value, 6),
                std=digits(p.std, 3),
                interval=p.interval and (digits(p.interval[0], 6), digits(p.interval[1], 6)),
            )
            for p in result.parameters
        ),
        covariance=np.array([[digits(x, 6) for x in row] for row in result.covariance]),
    )


def digits(value: float, significant: int) -> float:
    """A number to so many significant digits."""
    return float(f"{value:.{significant - 1}e}")


def finished(board: Board, grades: Mapping[str, Grade]) -> Board:
    """The board with its grades and without sources that nothing names; validated."""
    used = {quantity.source for _, quantity in quantities(board)}
    used |= {mode.source for mode in board.modes.values()}
    used |= {path.source for path in board.paths.values()}
    data = board.model_dump(by_alias=True)
    data["sources"] = {name: s for name, s in data["sources"].items() if name in used}
    data["grades"] = data["grades"] | dict(grades)
    return Board.model_validate(data)


def write(recipe: str, result: Result, out: Path | None = None) -> tuple[Path, ...]:
    """Write board.toml and certificate.json to the board's folder, report.md beside the recipe.

    All three go to `out` where it is given. Returns the paths.
    """
    shipped, report = (out, out) if out else (BOARDS / recipe, CALIBRATION / recipe)
    shipped.mkdir(parents=True, exist_ok=True)
    paths = shipped / "board.toml", shipped / "certificate.json", report / "report.md"
    write_board(result.board, paths[0])
    write_certificate(result.certificate, paths[1])
    paths[2].write_text(result.report, encoding="utf-8", newline="\n")
    return paths


def recipes() -> Mapping[str, Callable[[Path | None], Result]]:
    """Every recipe by the name of its folder: a function of the data folder."""
    from importlib import import_module

    names = sorted(p.parent.name for p in CALIBRATION.glob("*/start.toml"))
    return {name: import_module(f"calibration.{name}.recipe").calibrate for name in names}
