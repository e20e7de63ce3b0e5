"""The experiment as a page: figures against bars, managers, what decides the kelvins."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgetwin.report.page import Page, write_page
from edgetwin.report.sections import Bar, Bars, Column, KeyValue, Section, Table
from edgetwin.studies import cells

HEADS = ("what", "figure", "value", "bar", "verdict")


def write_thermal_page(study: Mapping[str, Any], folder: Path) -> Path:
    """Write thermal.html beside thermal.json and return its path."""
    command = ["edgetwin", "reproduce", "thermal", *(["--quick"] if study["quick"] else [])]
    sections: list[Section] = [
        KeyValue(title="Run", items={"quick": str(study["quick"]), **study["versions"]}),
        Table(
            title="Figures against their bars",
            columns=[Column(name=head) for head in HEADS],
            rows=cells(study),
        ),
        *_managers(study["more"].get("managers", {})),
        *_swaps(study["more"].get("swaps", {})),
        *_kelvins(study["bars"].get("kelvin", {})),
        *_regret(study["bars"].get("one_app_regret", {})),
        *_sensitivity(study["more"].get("sensitivity", {})),
    ]
    page = Page(title="Thermal management", sections=sections, command=command)
    return write_page(page, folder / "thermal.html")


def _managers(found: Mapping[str, Any]) -> Iterator[Section]:
    units = {"mean_c": "degC", "peak_c": "degC", "makespan_s": "s"}
    for cell, by_name in found.get("by_cell", {}).items():
        names = list(next(iter(by_name.values())))
        yield Table(
            title=f"Managers: fixed {cell}",
            columns=[
                Column(name="manager"),
                *(Column(name=n, unit=units.get(n, "")) for n in names),
            ],
            rows=[[manager, *(row[n] for n in names)] for manager, row in by_name.items()],
        )
        yield Bars(
            title=f"Mean temperature: fixed {cell}",
            unit="degC",
            bars=[Bar(name=manager, value=row["mean_c"]) for manager, row in by_name.items()],
        )


def _swaps(found: Mapping[str, Any]) -> Iterator[Section]:
    if "by_manager" in found:
        yield Table(
            title="Single moves, and swaps as well: unseen programs at targets of 0.2 to 0.6",
            columns=[
                Column(name="manager"), Column(name="mean_c", unit="degC"),
                Column(name="violations"),
            ],
            rows=[[n, one["mean_c"], one["violations"]] for n, one in found["by_manager"].items()],
        )  # fmt: skip


def _kelvins(found: Mapping[str, Any]) -> Iterator[Section]:
    if "by_load" not in found:
        return
    yield Bars(
        title="Below GTS/ondemand at targets of 0.2 to 0.3, by load",
        unit="K",
        bars=[
            Bar(
                name=f"load {load}", value=one["value"], low=one["low"], high=one["high"],
                group=cell.replace("_", " "),
            )
            for cell, by_load in found["by_load"].items()
            for load, one in by_load.items()
        ],
    )  # fmt: skip


def _regret(found: Mapping[str, Any]) -> Iterator[Section]:
    if "random_states" not in found:
        return
    names = list(next(iter(found["random_states"].values())))
    yield Table(
        title="One application at a time against all together, random states",
        columns=[Column(name="applications"), *(Column(name=n) for n in names)],
        rows=[[n, *(row[k] for k in names)] for n, row in found["random_states"].items()],
    )


def _sensitivity(found: Mapping[str, Any]) -> Iterator[Section]:
    for part in ("by_assumption", "by_load"):
        if part in found:
            first = next(iter(found[part].values()))
            yield Table(
                title=f"Student below GTS/ondemand, {part.replace('_', ' ')}",
                columns=[
                    Column(name=part.removeprefix("by_")),
                    *(Column(name=cell, unit="K") for cell in first),
                    *(Column(name=f"{cell}, normalised") for cell in first),
                ],
                rows=[
                    [
                        name,
                        *(one["drop_k"] for one in row.values()),
                        *(one["normalised"] for one in row.values()),
                    ]
                    for name, row in found[part].items()
                ],
            )
