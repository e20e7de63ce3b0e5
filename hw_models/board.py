"""A board: clocks, units, power, heat, speed, sensors and limits, loaded from one TOML file."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Literal, TypeVar, final

import numpy as np
from pydantic import Field, ValidationError, model_validator

from hw_models.board_checks import check_board
from hw_models.board_physics import Performance, Power, Thermal
from hw_models.board_schema import (
    SECTIONS,
    Aliases,
    ClockDomain,
    Governor,
    Grades,
    Limits,
    Mode,
    Path,
    Sensors,
    UnitGroup,
)
from hw_models.lowering import Lowered, lower
from hw_models.naming import unknown
from hw_models.parameters import replaced
from hw_models.plugins import Registry
from hw_models.quantity import GRADES, Frozen, Grade, Source

if TYPE_CHECKING:
    from hw_models.certificate import Certificate
    from hw_models.sampling import How, Posterior

T = TypeVar("T")
BOARDS: Registry[Any] = Registry("edgetwin.boards", "board")
"""Boards of third parties: the path of a board.toml, or a function that returns one."""
_FOLDER = "_folder"  # where a loaded board remembers its folder; no field, so no part of equality


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """What a policy may turn; only what is named changes.

    freq_hz by domain (Hz, fixes the clock: governor userspace), governor by domain, placement of
    a job on a unit, fan level (-1 gives the fan back to the board), batch of a training job.
    """

    freq_hz: Mapping[str, float] = field(default_factory=dict)
    governor: Mapping[str, Governor] = field(default_factory=dict)
    placement: Mapping[str, str] = field(default_factory=dict)
    fan: int | None = None
    batch: Mapping[str, int] = field(default_factory=dict)


@final
class Unit(Frozen):
    """One place where work runs."""

    name: str
    group: str
    kind: str
    domain: str
    node: str
    host: str | None


@final
class Board(Frozen):
    """Everything known about one board, each number with value, uncertainty and source.

    The order of domains, units, zones, rails and nodes is the order of the file, everywhere.
    """

    schema_version: Literal[1] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    title: str
    grades: Grades
    sources: dict[str, Source]
    clocks: dict[str, ClockDomain] = Field(min_length=1)
    units: dict[str, UnitGroup] = Field(min_length=1)
    power: Power
    thermal: Thermal
    performance: Performance
    sensors: Sensors
    limits: Limits
    modes: dict[str, Mode] = {}
    paths: dict[str, Path] = {}
    aliases: Aliases = Aliases()

    @model_validator(mode="after")
    def _consistent(self) -> "Board":
        check_board(self)
        return self

    @property
    def grade(self) -> Grade:
        """The worst grade of any section: a board is as good as that."""
        return max((self.grades[s] for s in SECTIONS), key=GRADES.index)

    @cached_property
    def unit_list(self) -> tuple[Unit, ...]:
        """All units, in file order."""
        return tuple(_members(self.units))

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Names of everything that draws power: units, shared logic, memory, baseline, fan."""
        shared = tuple(f"{d}-shared" for d in self.power.domains)
        memory = ("memory",) if self.power.memory else ()
        fan = ("fan",) if self.limits.fan else ()
        return (*(u.name for u in self.unit_list), *shared, *memory, *self.power.baseline, *fan)

    @cached_property
    def _lowered(self) -> Lowered:
        return lower(self)

    @cached_property
    def derived(self) -> dict[str, Any]:
        """What others have worked out from this board, by their own name; gone with the board."""
        return {}

    def lower(self) -> Lowered:
        """The board as arrays for compiled code; made once."""
        return self._lowered

    @cached_property
    def certificate(self) -> "Certificate | None":
        """What certificate.json beside the board file says; None without one, or without a file.

        ValueError for a damaged one, or one that states other numbers than the board file.
        """
        from hw_models.certificate import certificate_of

        folder = self.__dict__.get(_FOLDER)
        return None if folder is None else certificate_of(self, folder)

    @cached_property
    def _posterior(self) -> "Posterior":
        from hw_models.sampling import posterior

        return posterior(self, self.certificate)

    @property
    def sampled_how(self) -> "How":
        """How `sample` draws: by the covariance of the certificate, or each number by itself."""
        return self._posterior.how

    def sample(self, rng: np.random.Generator) -> "Board":
        """A board that could as well be this one: what is uncertain about it is drawn by rng.

        See `hw_models.sampling` for the law; the draw itself has no certificate.
        """
        return replaced(self, self._posterior.draw(rng))

    @cached_property
    def _unit_by_name(self) -> dict[str, Unit]:
        return {unit.name: unit for unit in self.unit_list}

    def unit(self, name: str) -> Unit:
        """The unit of that name; KeyError with the nearest name otherwise."""
        return self._found("unit", self._unit_by_name, name)

    def domain(self, name: str) -> ClockDomain:
        """The clock domain of that name; KeyError with the nearest name otherwise."""
        return self._found("clock domain", self.clocks, name)

    def mode(self, name: str) -> Mode:
        """The vendor's power mode of that name; KeyError with the nearest name otherwise."""
        return self._found("power mode", self.modes, name)

    def _found(self, what: str, table: Mapping[str, T], name: str) -> T:
        if name not in table:
            raise KeyError(unknown(f"{what} of {self.name}", name, table))
        return table[name]

    def opp(self, domain: str, freq_hz: float) -> int:
        """Index of the operating point that runs at freq_hz; ValueError when off the table."""
        freqs_hz = self.domain(domain).freqs_hz.value
        for i, hz in enumerate(freqs_hz):
            if abs(hz - freq_hz) < 0.5:
                return i
        offered = ", ".join(f"{hz:.0f}" for hz in freqs_hz)
        raise ValueError(f"{domain} cannot run at {freq_hz:.0f} Hz; {self.name} offers {offered}.")


def _members(groups: dict[str, UnitGroup]) -> Iterator[Unit]:
    for key, g in groups.items():
        for name, node in zip(g.members, g.nodes, strict=True):
            yield Unit(name=name, group=key, kind=g.kind, domain=g.domain, node=node, host=g.host)


def board_names() -> tuple[str, ...]:
    """Names of the boards that are shipped, and of those that others have added."""
    root = resources.files("hw_models") / "boards"
    found = (p.name for p in root.iterdir() if (p / "board.toml").is_file())
    shipped = tuple(sorted(name.replace("_", "-") for name in found))
    return (*shipped, *(name for name in BOARDS.names() if name not in shipped))


def load_board(board: "str | FilePath | Board") -> Board:
    """A board by name, or a board file by path.

    KeyError for an unknown name, FileNotFoundError for a missing file, ValueError for a file that
    is not a valid board (first problem, with its place in the file).
    """
    if isinstance(board, Board):
        return board
    text = str(board)
    if not text.endswith(".toml"):
        if text not in board_names():
            raise KeyError(unknown("board", text, list(board_names())))
        added = BOARDS.find(text)
        return _shipped(text) if added is None else load_board(_file(added))
    path = FilePath(text)
    if not path.is_file():
        raise FileNotFoundError(f"no board file at {text}; give a board.toml or a board's name.")
    try:
        return _from(path.parent, path.read_text(encoding="utf-8"), text)
    except UnicodeDecodeError:
        raise ValueError(f"{text} is not UTF-8 text; a board file is TOML.") from None


def register_board(path: "str | FilePath") -> Board:
    """Add a board file under the name it has inside; ValueError where the name is taken."""
    board = load_board(path)
    if board.name in board_names():
        raise ValueError(f"a board named {board.name!r} exists; choose another name.")
    BOARDS.add(board.name, path)
    return board


def _file(added: Any) -> str:
    return str(added() if callable(added) else added)


@cache
def _shipped(name: str) -> Board:
    folder = resources.files("hw_models") / "boards" / name.replace("-", "_")
    return _from(folder, (folder / "board.toml").read_text(encoding="utf-8"), f"board {name}")


def _from(folder: Any, text: str, origin: str) -> Board:
    """The board of a file, which remembers the folder that may hold its certificate."""
    board = parse_board(text, origin)
    board.__dict__[_FOLDER] = folder
    return board


def changed(board: Board, data: dict[str, Any]) -> Board:
    """A board of other data, from `model_dump(by_alias=True)`, with the certificate of the first.

    ValidationError where the data make no board.
    """
    made = type(board).model_validate(data)
    made.__dict__[_FOLDER] = board.__dict__.get(_FOLDER)
    return made


def parse_board(text: str, origin: str) -> Board:
    """A Board from TOML text; ValueError in one line that names the place otherwise."""
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ValueError(f"{origin} is not TOML: {e}.") from None
    try:
        return Board.model_validate(data)
    except ValidationError as e:
        raise ValueError(f"{origin} is not a valid board: {first_problem(e)}.") from None


def first_problem(error: ValidationError) -> str:
    """The first problem of a failed validation, as `place: what is wrong`, and how many more."""
    problems = error.errors(include_url=False)
    where = ".".join(str(p) for p in problems[0]["loc"]) or "file"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}: {problems[0]['msg'].removeprefix('Value error, ').rstrip('.')}{more}"
