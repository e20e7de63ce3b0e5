"""A sample is written as a line of tegrastats, in the dialect of any board."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from hw_models.tegrastats_dialect import (
    MEGA,
    OFFLINE_C,
    PERCENT,
    Busy,
    Dialect,
    Sample,
    Token,
)


def format_line(sample: Sample, dialect: Dialect) -> str:
    """A sample is written as a board with this dialect writes it.

    What the sample lacks is left out, and so is what the dialect has no place for.
    ``parse_line(format_line(sample, dialect))`` is the sample for whole MHz, mW, MB and per cent.
    """
    unknown = iter(sample.unknown)
    texts = [(token.kind, _write(token, sample, unknown)) for token in dialect]
    return "".join(text if kind == "unix" else f"{text} " for kind, text in texts if text).rstrip()


def _write(token: Token, sample: Sample, unknown: Iterator[str]) -> str:
    """One token filled from a sample; empty where the sample has nothing for it."""
    match token.kind:
        case "unix" | "stamp":
            return _write_time(token, sample.time_s)
        case "cpu":
            return _write_cpu(token, sample.cpus)
        case "clock" | "bare":
            return _write_clock(token, sample.clocks.get(token.name))
        case "unused" | "word":
            return next(unknown, "")
    try:
        values = [getattr(sample, hole.field)[hole.key] for hole in token.holes]
    except KeyError:
        return ""
    texts = [_number(value, hole.divisor) for value, hole in zip(values, token.holes, strict=True)]
    return "".join(piece + text for piece, text in zip(token.pieces, [*texts, ""], strict=True))


def _number(value: float | None, divisor: float = 1.0) -> str:
    """Whole numbers are written without a point; a zone that is offline reads -256."""
    said = OFFLINE_C if value is None else float(value)
    number = said if divisor == 1.0 else round(said * divisor, 6)
    return str(int(number)) if number.is_integer() else f"{Decimal(repr(number)):f}"


def _write_time(token: Token, time_s: float | None) -> str:
    if time_s is None:
        return ""
    if token.kind == "unix":
        return _number(time_s) + token.pieces[1]
    return f"{datetime.fromtimestamp(time_s, UTC):%m-%d-%Y %H:%M:%S}"


def _write_cpu(token: Token, cpus: Sequence[tuple[float | None, float | None]]) -> str:
    """Cores in their list; a dialect with one clock behind the list has none inside."""
    shared = any("]@" in piece for piece in token.pieces)
    texts = []
    for load, hertz in cpus:
        clock = "" if shared or hertz is None else f"@{_number(hertz, MEGA)}"
        texts.append("off" if load is None else f"{_number(load, PERCENT)}%{clock}")
    known = [hertz for _, hertz in cpus if hertz is not None]
    after = f"@{_number(known[0], MEGA)}" if shared and known else ""
    return f"{token.pieces[0].partition('[')[0]}[{','.join(texts)}]{after}" if cpus else ""


def _write_clock(token: Token, busy: Busy | None) -> str:
    """An engine as this dialect writes it: off, bare, with a load, one clock or a list of them."""
    if busy is None:
        return ""
    load, hertz = busy
    texts = ["off" if hz is None else _number(hz, MEGA) for hz in hertz]
    share = "" if load is None else f"{_number(load, PERCENT)}%"
    if not texts:
        return f"{token.name} {share or 'off'}"
    if len(texts) > 1 or None in hertz or "[" in "".join(token.pieces):
        return f"{token.name} {share}@[{','.join(texts)}]"
    at = "" if token.kind == "bare" and load is None else "@"
    return f"{token.name} {share}{at}{texts[0]}"
