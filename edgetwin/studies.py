"""A study: one row per line of a table of promises, each a figure against its bar."""

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

from edgetwin.progress import Progress
from hw_models.naming import unknown

Measure = Callable[[bool], dict[str, Any]]
Rows = Mapping[str, tuple[str, Measure]]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured figure and the bar it must not exceed, or must reach with at_least."""

    value: float
    bar: float
    at_least: bool = False
    goal: float | None = None

    @property
    def ok(self) -> bool:
        """Does the figure keep to its bar? NaN never does."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def row(figures: Mapping[str, Figure], **details: Any) -> dict[str, Any]:
    """A row of the study: value, bar and sense by figure (plain when there is one), and ok."""
    keys = {"value": "value", "bar": "bar", "goal": "goal"}
    found: dict[str, Any] = {
        key: _plain({name: getattr(figure, field) for name, figure in figures.items()})
        for key, field in keys.items()
    }
    found["sense"] = _plain(
        {name: "at least" if figure.at_least else "at most" for name, figure in figures.items()}
    )
    if all(figure.goal is None for figure in figures.values()):
        del found["goal"]
    return found | {"ok": all(figure.ok for figure in figures.values())} | details


def absent(reason: str) -> dict[str, Any]:
    """A row that cannot be measured here."""
    return {"value": None, "bar": None, "ok": None, "reason": reason}


def failed(reason: str) -> dict[str, Any]:
    """A row whose measurement came to no end."""
    return {"value": None, "bar": None, "ok": False, "reason": reason}


def _plain(by_name: dict[str, Any]) -> Any:
    return by_name if len(by_name) > 1 else next(iter(by_name.values()))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a study may use: a device of torch, processes (-1: one a core), a time to stop by.

    Beyond until_s (seconds since 1970) no further run starts; those that are finished are kept.
    """

    device: str = "cpu"
    jobs: int = -1
    until_s: float = math.inf

    def check_time(self) -> None:
        """TimeoutError when the time is up."""
        if time.time() > self.until_s:
            raise TimeoutError("the time is up; the same command goes on with finished runs.")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Rows by name, each a title and what measures it (given `quick`); `more` is not judged.

    draw, if given, writes a page of the result into a folder.
    """

    name: str
    rows: Rows
    more: Rows = field(default_factory=dict)
    draw: Callable[[Mapping[str, Any], Path], Path] | None = None

    def only(self, names: Collection[str]) -> "Study":
        """The study of some of its rows; KeyError for a name that it has not."""
        known = [*self.rows, *self.more]
        for name in names:
            if name not in known:
                raise KeyError(unknown("row", name, known))
        rows, more = ({n: r for n, r in of.items() if n in names} for of in (self.rows, self.more))
        return replace(self, rows=rows, more=more)

    def run(self, quick: bool) -> dict[str, Any]:
        """{"bars": rows of the table, "more": further rows, "quick", "versions"}."""
        with Progress(self.name, len(self.rows) + len(self.more)) as progress:
            bars = measure_all(self.rows, quick, progress)
            more = measure_all(self.more, quick, progress)
        versions = {name: version(name) for name in ("numpy", "numba")}
        return {
            "study": self.name, "quick": quick, "bars": bars, "more": more, "versions": versions,
        }  # fmt: skip


def measure_all(rows: Rows, quick: bool, progress: Progress) -> dict[str, dict[str, Any]]:
    """Every row, whatever becomes of the others."""
    found = {}
    for name, (title, measure) in rows.items():
        start_s = time.perf_counter()
        found[name] = {"title": title} | outcome(measure, quick)
        found[name]["took_s"] = time.perf_counter() - start_s
        progress.advance()
    return found


def outcome(measure: Measure, quick: bool) -> dict[str, Any]:
    """A row as measured; ok is null where a package is missing and False where it broke down."""
    try:
        return measure(quick)
    except ImportError as e:
        return absent(f"{e}; install it to measure this row.")
    except TimeoutError as e:
        return absent(str(e))
    except Exception as e:
        return failed(f"{type(e).__name__}: {e}")


def falls_short(study: Mapping[str, Any]) -> list[str]:
    """Names of the rows of the table that are measured and do not hold."""
    return [name for name, found in study["bars"].items() if found["ok"] is False]


def cells(study: Mapping[str, Any]) -> list[list[str | float | None]]:
    """Rows of the printed table: what, figure, value, bar, verdict."""
    return [
        cell
        for found in (*study["bars"].values(), *study["more"].values())
        for cell in _cells(found)
    ]


def _cells(found: Mapping[str, Any]) -> list[list[str | float | None]]:
    verdict = {True: "holds", False: "falls short", None: "not measured"}[found["ok"]]
    if found["value"] is None:
        return [[found["title"], found["reason"], None, "", verdict]]
    by_name = {
        key: found[key] if isinstance(found["value"], dict) else {"": found[key]}
        for key in ("value", "bar", "sense")
    }
    lines: list[list[str | float | None]] = [
        [
            "",
            name.replace("_", " "),
            value,
            f"{by_name['sense'][name]} {by_name['bar'][name]:.4g}",
            "",
        ]
        for name, value in by_name["value"].items()
    ]
    lines[0][0], lines[0][4] = found["title"], verdict
    return lines
