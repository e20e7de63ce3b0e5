"""A line of tegrastats becomes a Sample at about the price of one regular expression.

The first line of a shape is taken apart by the grammar. From the second one on, one anchored
pattern learnt from it finds all numbers at once; a line that does not match is taken apart again.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter, truediv
from typing import Any, Final, final

from hw_models.tegrastats_dialect import (
    NUMBER,
    OFFLINE_C,
    POWERS,
    Busy,
    Dialect,
    Hole,
    Sample,
    tokenize,
)

_Picker = Callable[[tuple[Any, ...]], tuple[Any, ...]]

_DIGITS: Final = b"0123456789.-"
_MAX_SHAPES: Final = 256
_MAX_READERS: Final = 8
_float: Final = lru_cache(maxsize=1 << 14)(float)  # logs say the same few thousand numbers
_STAMP: Final = r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d"


def _picker(places: Sequence[int]) -> _Picker:
    """The values in some places of a line, always as a tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    return itemgetter(slice(places[0], places[0] + 1 or None) if places else slice(0))


def _named(numbers: Sequence[Hole], field: str) -> tuple[tuple[str, ...], _Picker]:
    """The names of one field's values, and where in the line they are."""
    places = [i for i, hole in enumerate(numbers) if hole.field == field]
    return tuple(numbers[i].key for i in places), _picker(places)


def _cores(dialect: Dialect, numbers: Sequence[Hole]) -> tuple[_Picker, _Picker]:
    """Where the cores' loads and clocks are; what a core does not tell is at -1, the None."""
    at = {(hole.field, hole.key): i for i, hole in enumerate(numbers)}
    cores = range(sum(token.size for token in dialect if token.kind == "cpu"))
    loads = [at.get(("core_load", core), -1) for core in cores]
    shared = at.get(("cores_hz", None), -1)
    hertz = [at.get(("core_hz", core), shared if loads[core] >= 0 else -1) for core in cores]
    return _picker(loads), _picker(hertz)


def _engines(dialect: Dialect, numbers: Sequence[Hole]) -> list[tuple[str, int, _Picker]]:
    """Where each engine's load and clocks are, by its name."""
    at = {(hole.field, hole.key): i for i, hole in enumerate(numbers)}
    return [
        (
            token.name,
            at.get(("load", token.name), -1),
            _picker([at.get(("hz", (token.name, i)), -1) for i in range(token.size)]),
        )
        for token in dialect
        if token.kind in ("clock", "bare") and token.holes
    ]


@lru_cache(maxsize=64)
def _minute_s(stamp: str) -> float:
    """Seconds since 1970 at a minute written as ``MM-DD-YYYY HH:MM``, taken for UTC."""
    try:
        return datetime.strptime(stamp, "%m-%d-%Y %H:%M").replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise ValueError(f"{stamp!r} is no date; expected MM-DD-YYYY HH:MM.") from error


@final
class _Reader:
    """All lines of one shape have the same numbers in the same places."""

    def __init__(self, dialect: Dialect, pattern: str) -> None:
        holes = [hole for token in dialect for hole in token.holes]
        groups = [i for i, hole in enumerate(holes) if hole.field not in ("stamp", "unknown")]
        numbers = [holes[i] for i in groups]
        self.match: Callable[[str], re.Match[str] | None] = self._first_match
        self._pattern = pattern
        self._numbers = None if len(groups) == len(holes) else _picker(groups)
        self._divisors = tuple(hole.divisor for hole in numbers)
        self._unknown = _picker([i for i, hole in enumerate(holes) if hole.field == "unknown"])
        self._first = holes[0].field if holes else ""
        self._extras = _named(numbers, "extras")
        self._loads, self._hertz = _cores(dialect, numbers)
        self._engines = _engines(dialect, numbers)
        self._off: dict[str, Busy] = {
            token.name: (None, (None,) * token.size)
            for token in dialect
            if token.kind == "clock" and not token.holes
        }
        self._temps = [_named(numbers, field) for field in ("temps_c", "temps_peak_c")]
        self._powers = [_named(numbers, field) for field in POWERS]

    def _first_match(self, line: str) -> re.Match[str] | None:
        """The pattern is compiled for the second line of a shape: many shapes come but once."""
        self.match = re.compile(self._pattern, re.ASCII).fullmatch
        return self.match(line)

    def sample(self, groups: tuple[str, ...]) -> Sample:
        """What the texts in a line's holes say."""
        numbers = groups if self._numbers is None else self._numbers(groups)
        values = (*map(truediv, map(_float, numbers), self._divisors), None)
        clocks = dict(self._off)
        for name, load, hertz in self._engines:
            clocks[name] = values[load], hertz(values)
        return Sample(
            self._time_s(groups, values),
            _dict(self._extras, values),
            tuple(zip(self._loads(values), self._hertz(values), strict=True)),
            clocks,
            _temps(self._temps[0], values),
            _temps(self._temps[1], values),
            _dict(self._powers[0], values),
            _dict(self._powers[1], values),
            _dict(self._powers[2], values),
            self._unknown(groups),
        )

    def _time_s(self, groups: tuple[str, ...], values: tuple[Any, ...]) -> float | None:
        if self._first == "stamp":
            return _minute_s(groups[0][:16]) + float(groups[0][17:])
        return values[0] if self._first == "unix" else None


def _dict(field: tuple[tuple[str, ...], _Picker], values: tuple[Any, ...]) -> dict[str, Any]:
    names, pick = field
    return dict(zip(names, pick(values), strict=True)) if names else {}


def _temps(
    field: tuple[tuple[str, ...], _Picker], values: tuple[Any, ...]
) -> dict[str, float | None]:
    """A zone that reads -256 is offline and gives nothing."""
    temps_c = _dict(field, values)
    if OFFLINE_C in temps_c.values():
        return {zone: None if t_c == OFFLINE_C else t_c for zone, t_c in temps_c.items()}
    return temps_c


_SHAPES: Final[dict[bytes, tuple[_Reader, ...]]] = {}


def parse_line(line: str) -> Sample:
    """A line of any dialect says what the board did; nothing in it is dropped.

    Raises ValueError for a line without RAM and CPU, which is no line of tegrastats.
    """
    line = line.strip()
    shape = line.encode(errors="replace").translate(None, _DIGITS)
    for reader in _SHAPES.get(shape, ()):
        found = reader.match(line)
        if found is not None:
            return reader.sample(found.groups())
    return _learn(line, shape)


def dialect_of(line: str) -> Dialect:
    """The order and punctuation of a line, for writing other samples the same way."""
    return tokenize(line)[0]


def _learn(line: str, shape: bytes) -> Sample:
    """The first line of a shape is taken apart, and how it was done is kept for the next one."""
    clean = " ".join(line.split())
    if clean != line:
        return parse_line(clean)
    dialect, texts = tokenize(line)
    if not any(token.kind == "cpu" or token.name == "RAM" for token in dialect):
        raise ValueError(f"{line[:60]!r} is no line of tegrastats; expected RAM and CPU [...].")
    reader = _Reader(dialect, _pattern(dialect, texts))
    sample = reader.sample(texts)
    if len(_SHAPES) >= _MAX_SHAPES:
        _SHAPES.clear()
    known = _SHAPES.get(shape, ())
    if len(known) < _MAX_READERS:
        _SHAPES[shape] = (*known, reader)
    return sample


def _pattern(dialect: Dialect, texts: Sequence[str]) -> str:
    """The pattern of all lines that differ from an example in their numbers only."""
    rest = iter(texts)
    tokens = []
    for token in dialect:
        groups = [f"({_hole(hole, next(rest))})" for hole in token.holes]
        pieces = map(re.escape, token.pieces)
        tokens.append("".join(map("".join, zip(pieces, [*groups, ""], strict=True))))
        tokens.append("" if token.kind == "unix" else " ")
    return "".join(tokens[:-1])


def _hole(hole: Hole, text: str) -> str:
    """What else may stand in the place of an example's number or unknown word."""
    if hole.field == "stamp":
        return _STAMP
    if hole.field == "unknown":
        return NUMBER.join(map(re.escape, re.split(NUMBER, text)))
    return r"\d+" if text.isdigit() and hole.divisor != 1.0 else NUMBER
