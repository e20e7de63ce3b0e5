"""A line of tegrastats becomes a Sample at about the price of one regular expression.

The first line of a shape is taken apart by the grammar. From the second one on, one anchored
pattern learnt from it finds all numbers at once; a line that does not match is taken apart again.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, final

from hw_models.tegrastats_dialect import NUMBER, Dialect, Sample, tokenize
from hw_models.tegrastats_reader import Reader

_DIGITS: Final = b"0123456789.-"
_HALLMARK: Final = re.compile(r"RAM \d|(?:CPU|cpu) \[")
_MAX_SHAPES: Final = 256
_MAX_LEARNT: Final = 8
_STAMP: Final = r"\d\d-\d\d-\d{4} \d\d:\d\d:\d\d"


@final
class _Learnt:
    """The pattern of all lines that differ from an example in their numbers only."""

    def __init__(self, dialect: Dialect, texts: Sequence[str]) -> None:
        self._pattern = _pattern(dialect, texts)
        self.sample = _reader(dialect).sample
        self.match: Callable[[str], re.Match[str] | None] = self._first_match

    def _first_match(self, line: str) -> re.Match[str] | None:
        """It is compiled for the second line of a shape: many shapes come but once."""
        self.match = re.compile(self._pattern, re.ASCII).fullmatch
        return self.match(line)


_reader: Final = lru_cache(maxsize=_MAX_SHAPES)(Reader)
_SHAPES: Final[dict[bytes, tuple[_Learnt, ...]]] = {}


def parse_line(line: str) -> Sample:
    """A line of any dialect says what the board did; nothing in it is dropped.

    Raises ValueError for a line with neither RAM nor CPU, which is no line of tegrastats.
    """
    line = line.strip()
    shape = line.encode(errors="replace").translate(None, _DIGITS)
    for learnt in _SHAPES.get(shape, ()):
        found = learnt.match(line)
        if found is not None:
            return learnt.sample(found.groups())
    return _learn(line, shape)


def dialect_of(line: str) -> Dialect:
    """The order and punctuation of a line, for writing other samples the same way."""
    return tokenize(line)[0]


def _learn(line: str, shape: bytes) -> Sample:
    """The first line of a shape is taken apart, and how it was done is kept for the next one."""
    clean = " ".join(line.split())
    if clean != line:
        return parse_line(clean)
    dialect, texts = tokenize(line) if _HALLMARK.search(line) else ((), ())
    if not any(token.kind == "cpu" or token.name == "RAM" for token in dialect):
        raise ValueError(f"{line[:60]!r} is no line of tegrastats; expected RAM or CPU [...].")
    sample = _reader(dialect).sample(texts)
    if len(_SHAPES) >= _MAX_SHAPES:
        _SHAPES.clear()
    known = _SHAPES.get(shape, ())
    if len(known) < _MAX_LEARNT:
        _SHAPES[shape] = (*known, _Learnt(dialect, texts))
    return sample


def _pattern(dialect: Dialect, texts: Sequence[str]) -> str:
    """An example's fixed text, with a group in each of its holes."""
    rest = iter(texts)
    tokens = []
    for token in dialect:
        groups = [f"({_hole(token.kind, next(rest))})" for _ in token.holes]
        pieces = map(re.escape, token.pieces)
        tokens.append("".join(map("".join, zip(pieces, [*groups, ""], strict=True))))
        tokens.append("" if token.kind == "unix" else " ")
    return "".join(tokens[:-1])


def _hole(kind: str, text: str) -> str:
    """What else may stand in a hole: another number, but no other word, which may mean something.

    A line that was cut or garbled must not decide how the whole ones are read.
    """
    if kind == "stamp":
        return _STAMP
    if kind == "unused":
        return NUMBER.join(map(re.escape, re.split(NUMBER, text)))
    if kind == "word":
        return re.escape(text)
    is_whole = kind == "memory" or (text.isdigit() and kind != "temp")
    return r"\d+" if is_whole else NUMBER
