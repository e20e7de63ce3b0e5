"""Reports of recipes in Markdown: tables of figures, parameters and findings."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hw_models.certificate import Certificate
    from hw_models.certificate.model import Errors

Cell = str | float | int | None
Row = Sequence[Cell]


def page(title: str, sections: Mapping[str, str]) -> str:
    """A Markdown page: a title and sections in order."""
    parts = [f"# {title}", *(f"## {name}\n\n{body.strip()}" for name, body in sections.items())]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Row]) -> str:
    """A Markdown table; numbers with four significant digits."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(value: Cell) -> str:
    """A value as a table shows it: four significant digits, a dash for what is not there."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}"


def parameters(certificate: "Certificate") -> str:
    """Every fitted number with its standard error and what the data say of it."""
    rows: list[Row] = [[f"`{p.path}`", p.value, p.std, p.status] for p in certificate.parameters]
    return table(["parameter", "value", "std", "status"], rows)


def findings(certificate: "Certificate") -> str:
    """What the data cannot tell, and what would cure it."""
    rows = [f"* **{f.kind}**: {f.message} {f.cure}".rstrip() for f in certificate.findings]
    return "\n".join(rows) or "none"


def errors(by_signal: Mapping[str, "Errors"]) -> str:
    """Errors by signal in the signal's unit; shares in per cent."""
    rows: list[Row] = [
        [f"`{name}`", e.n, e.bias, e.mae, e.rmse, e.p95, percent(e.mape), percent(e.nmbe)]
        for name, e in by_signal.items()
    ]
    return table(["signal", "n", "bias", "MAE", "RMSE", "P95", "MAPE %", "NMBE %"], rows)


def percent(share: float | None) -> float | None:
    """A share in per cent."""
    return None if share is None else 100.0 * share
