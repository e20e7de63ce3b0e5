"""The texts in the holes of a dialect become a Sample, through one expression made for it.

The expression is a syntax tree in which whatever comes from a log is a constant: nothing in a log
can be run.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from json import JSONDecoder
from operator import itemgetter
from typing import Any, Final, final

from hw_models.tegrastats_dialect import OFFLINE_C, POWERS, Dialect, Hole, Sample, Token

_Said = Mapping[tuple[str, Any], ast.expr]

_NAMED: Final = ("extras", "temps_c", "temps_peak_c", *POWERS)
_decode: Final = JSONDecoder().raw_decode


@final
class Reader:
    """All lines of one dialect have the same texts in the same places."""

    def __init__(self, dialect: Dialect) -> None:
        holes = [hole for token in dialect for hole in token.holes]
        numbers = [i for i, hole in enumerate(holes) if hole.field not in ("stamp", "unknown")]
        self._numbers = None if len(numbers) == len(holes) else _picker(numbers)
        self._unknown = _picker([i for i, hole in enumerate(holes) if hole.field == "unknown"])
        self._first = holes[0].field if holes else ""
        self._make = _maker(dialect, [holes[i] for i in numbers])

    def sample(self, groups: tuple[str, ...]) -> Sample:
        """What the texts in the holes of a line say."""
        texts = groups if self._numbers is None else self._numbers(groups)
        return self._make(self._time_s(groups), self._unknown(groups), *_numbers(texts))

    def _time_s(self, groups: tuple[str, ...]) -> float | None:
        if self._first == "stamp":
            return _minute_s(groups[0][:16]) + float(groups[0][17:])
        return float(groups[0]) if self._first == "unix" else None


def _picker(places: Sequence[int]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """The texts in some places of a line, always as a tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    return itemgetter(slice(places[0], places[0] + 1) if places else slice(0))


def _numbers(texts: Sequence[str]) -> Sequence[float]:
    """Texts become numbers; as one JSON list they are read in half the time of a float() each."""
    try:
        numbers: list[float] = _decode(f"[{','.join(texts)}]")[0]
    except ValueError:
        return list(map(float, texts))
    return numbers


@lru_cache(maxsize=64)
def _minute_s(stamp: str) -> float:
    """Seconds since 1970 at a minute written as ``MM-DD-YYYY HH:MM``, taken for UTC."""
    try:
        return datetime.strptime(stamp, "%m-%d-%Y %H:%M").replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise ValueError(f"{stamp!r} is no date; expected MM-DD-YYYY HH:MM.") from error


def _maker(dialect: Dialect, holes: Sequence[Hole]) -> Callable[..., Sample]:
    """A function of a line's time, unknown words and numbers that puts each in its place."""
    arguments = ["time_s", "unknown", *(f"n{i}" for i in range(len(holes)))]
    said = {(hole.field, hole.key): _value(arguments[i], hole) for i, hole in enumerate(holes, 2)}
    fields = [
        _name("time_s"),
        _cores(dialect, said),
        _engines(dialect, said),
        *(_dict({key: value for (of, key), value in said.items() if of == f}) for f in _NAMED),
        _name("unknown"),
    ]
    signature = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(name) for name in arguments],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    made = ast.Expression(ast.Lambda(signature, ast.Call(_name("Sample"), fields, [])))
    code = compile(ast.fix_missing_locations(made), "<tegrastats dialect>", "eval")
    function: Callable[..., Sample] = eval(code, {"Sample": Sample})
    return function


def _name(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def _tuple(items: Sequence[ast.expr]) -> ast.expr:
    return ast.Tuple(list(items), ast.Load())


def _dict(items: Mapping[str, ast.expr]) -> ast.expr:
    return ast.Dict([ast.Constant(key) for key in items], list(items.values()))


def _value(argument: str, hole: Hole) -> ast.expr:
    """A number in SI units; a zone that reads -256 is offline and gives nothing."""
    number = ast.BinOp(_name(argument), ast.Div(), ast.Constant(hole.divisor))
    if not hole.field.startswith("temps"):
        return number
    is_offline = ast.Compare(_name(argument), [ast.Eq()], [ast.Constant(OFFLINE_C)])
    return ast.IfExp(is_offline, ast.Constant(None), number)


def _cores(dialect: Dialect, said: _Said) -> ast.expr:
    """Each core's load and clock; one clock for all is every core's that is on."""
    n_cores = sum(token.size for token in dialect if token.kind == "cpu")
    nothing = ast.Constant(None)
    shared = said.get(("cores_hz", None), nothing)
    cores = []
    for core in range(n_cores):
        load = said.get(("core_load", core), nothing)
        hertz = said.get(("core_hz", core), nothing if load is nothing else shared)
        cores.append(_tuple([load, hertz]))
    return _tuple(cores)


def _engines(dialect: Dialect, said: _Said) -> ast.expr:
    """Each engine's load and clocks, by its name."""
    nothing = ast.Constant(None)

    def busy(token: Token) -> ast.expr:
        clocks = [said.get(("hz", (token.name, i)), nothing) for i in range(token.size)]
        return _tuple([said.get(("load", token.name), nothing), _tuple(clocks)])

    return _dict({token.name: busy(token) for token in dialect if token.kind in ("clock", "bare")})
