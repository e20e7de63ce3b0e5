"""Every shipped board file keeps the rules of the house: sources, reasons, licences, names."""

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_models import board as board_module
from hw_models.board import Board, board_names, load_board, parse_board
from hw_models.board_checks import quantities
from hw_models.certificate.stamped import data_sha256
from hw_models.lowering import lower
from hw_models.parameters import std_at, value_at

BOARDS = Path(board_module.__file__).parent / "boards"
ROOT = Path(__file__).parents[2]
EXPECTED = {
    "hikey960",
    "hikey970",
    "jetson-nano",
    "jetson-orin-nano",
    "jetson-tx2",
    "jetson-tx2-nx",
    "odroid-xu3",
}
every_board = pytest.mark.parametrize("name", sorted(EXPECTED))


def folder(name: str) -> Path:
    return BOARDS / name.replace("-", "_")


@cache
def listed_hashes() -> set[str]:
    """The SHA-256 of every file of calibration/sources.toml, and that of each set of files."""
    known = set()
    sets = tomllib.loads((ROOT / "calibration" / "sources.toml").read_text(encoding="utf-8"))
    for entry in sets.values():
        own = {name: file["sha256"] for name, file in entry["files"].items()}
        known |= {*own.values(), data_sha256(own)}
    return known


def used_sources(board: Board) -> set[str]:
    numbers = {q.source for _, q in quantities(board)}
    modes = {mode.source for mode in board.modes.values()}
    return numbers | modes | {path.source for path in board.paths.values()}


def test_the_seven_boards_are_shipped() -> None:
    assert set(board_names()) >= EXPECTED


def test_every_folder_is_a_board_of_that_name() -> None:
    for file in BOARDS.glob("*/board.toml"):
        assert load_board(file).name.replace("-", "_") == file.parent.name


@every_board
def test_every_number_has_a_source_that_exists(name: str) -> None:
    board = load_board(name)
    numbers = list(quantities(board))
    assert len(numbers) > 50
    assert {q.source for _, q in numbers} <= set(board.sources)


@every_board
def test_no_source_is_unused(name: str) -> None:
    board = load_board(name)
    assert set(board.sources) == used_sources(board)


@every_board
def test_every_assumption_states_its_reason(name: str) -> None:
    board = load_board(name)
    assumed = {key: s for key, s in board.sources.items() if s.kind == "assumed"}
    assert len(assumed) > 5
    assert all(len(s.note) >= 20 for s in assumed.values())
    assert len({s.note for s in assumed.values()}) == len(assumed)


@every_board
def test_every_fit_names_its_recipe_and_the_hash_of_its_data(name: str) -> None:
    fits = [s for s in load_board(name).sources.values() if s.kind == "fit"]
    for fit in fits:
        assert fit.recipe.startswith("calibration/")
        assert len(fit.data_sha256) == 64


@every_board
def test_every_fit_has_a_recipe_and_data_that_are_listed(name: str) -> None:
    for fit in (s for s in load_board(name).sources.values() if s.kind == "fit"):
        assert (ROOT / fit.recipe).is_file(), fit.recipe
        assert fit.data_sha256 in listed_hashes(), fit.title


@every_board
def test_a_fitted_board_has_a_certificate_that_states_its_numbers(name: str) -> None:
    board = load_board(name)
    fits = {key for key, source in board.sources.items() if source.kind == "fit"}
    certificate = board.certificate
    assert (certificate is not None) == bool(fits)
    for parameter in certificate.parameters if certificate else ():
        assert value_at(board, parameter.path) == parameter.value
        assert std_at(board, parameter.path) == parameter.std
    known = dict(quantities(board))
    paths = {p.path.split("[")[0] for p in certificate.parameters} if certificate else set()
    for at in paths & set(known):
        assert known[at].source in fits, f"{at} was fitted and names another source"


@every_board
def test_every_measurement_says_under_which_terms_its_data_came(name: str) -> None:
    for source in load_board(name).sources.values():
        if source.kind == "measurement":
            assert source.where and source.licence and source.note


@every_board
def test_assumed_numbers_are_never_exact_where_physics_is_uncertain(name: str) -> None:
    board = load_board(name)
    exact_by_choice = ("reference_c", "forward_tokens", "freqs_hz", "control_period_s")
    for at, q in quantities(board):
        key = at.rsplit(".", 1)[-1]
        if not at.startswith(("power", "thermal")) or key in exact_by_choice:
            continue
        assert np.all(np.asarray(q.std) > 0), f"{at} claims to be exact"


@every_board
def test_the_readme_names_the_licence_of_the_evidence(name: str) -> None:
    page = (folder(name) / "README.md").read_text(encoding="utf-8")
    assert "## Evidence and its licence" in page
    assert "## How the numbers came about" in page
    assert any(word in page for word in ("GPL-2.0", "Apache-2.0", "MIT", "BSD-3-Clause"))


@every_board
def test_the_readme_repeats_the_grades_of_the_file(name: str) -> None:
    page = (folder(name) / "README.md").read_text(encoding="utf-8")
    grades = load_board(name).grades
    assert ", ".join(f"{section} {grade}" for section, grade in grades.items()) in page


@every_board
def test_a_board_survives_a_round_trip(name: str) -> None:
    board = load_board(name)
    again = Board.model_validate_json(board.model_dump_json(by_alias=True))
    assert again == board


@every_board
def test_an_unknown_key_is_an_error(name: str) -> None:
    text = (folder(name) / "board.toml").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="favourite_colour"):
        parse_board(f'favourite_colour = "blue"\n{text}', "altered file")


@every_board
def test_the_simulator_holds_the_board(name: str) -> None:
    board = load_board(name)
    assert lower(board).units == tuple(u.name for u in board.unit_list)


def test_the_json_schema_of_a_board_file_can_be_exported() -> None:
    schema: dict[str, Any] = Board.model_json_schema(by_alias=True)
    required = set(schema["required"])
    assert {"schema", "name", "sources", "clocks", "power", "thermal"} <= required
    assert json.loads(json.dumps(schema)) == schema


@every_board
def test_the_schema_knows_every_section_of_the_file(name: str) -> None:
    text = (folder(name) / "board.toml").read_text(encoding="utf-8")
    known = set(Board.model_json_schema(by_alias=True)["properties"])
    assert set(tomllib.loads(text)) <= known
