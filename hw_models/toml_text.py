"""TOML that people read: sections as tables, small tables and numbers on one line."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_QUANTITY: Final = {"value", "std", "source"}


def toml_text(data: Mapping[str, Any]) -> str:
    """Tables, lists, words and numbers as TOML; the same data always give the same bytes.

    Floats read back bit for bit; a number with its std and source stands on one line.
    """
    return "\n".join(_table((), data)) + "\n"


def _table(place: tuple[str, ...], table: Mapping[str, Any]) -> Iterator[str]:
    """The lines of one table: its own entries first, then the tables in it."""
    below = {key: value for key, value in table.items() if _is_section(value, len(place) + 1)}
    if place and (len(below) < len(table) or not table):
        yield ""
        yield f"[{'.'.join(map(_key, place))}]"
    for key, value in table.items():
        if key not in below:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in below.items():
        yield from _table((*place, key), value)


def _is_section(value: Any, depth: int) -> bool:
    """Tables stand on lines of their own down to depth 2, and further down if they hold tables."""
    if not isinstance(value, Mapping) or value.keys() == _QUANTITY:
        return False
    return depth <= 2 or any(isinstance(item, Mapping) for item in value.values())


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case float():
            return _number(value)
        case Mapping():
            items = (f"{_key(key)} = {_value(item)}" for key, item in value.items())
            return f"{{ {', '.join(items)} }}" if value else "{}"
        case list() | tuple():
            return _array(value)
    return str(value)


def _array(values: list[Any] | tuple[Any, ...]) -> str:
    if any(isinstance(item, Mapping) for item in values):
        return "[\n" + "".join(f"    {_value(item)},\n" for item in values) + "]"
    return f"[{', '.join(map(_value, values))}]"


def _number(value: float) -> str:
    """The shortest text that reads back bit for bit; megahertz and megabytes as such."""
    in_millions = f"{value / 1e6!r}e6".replace(".0e6", "e6")
    is_large = 1e6 <= abs(value) < 1e15
    return in_millions if is_large and float(in_millions) == value else repr(value)


def _key(key: object) -> str:
    text = str(key)
    return text if _BARE_KEY.fullmatch(text) else json.dumps(text, ensure_ascii=False)
