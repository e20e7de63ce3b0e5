"""Figures against bars: what a row of the study says, and whether it holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final


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
