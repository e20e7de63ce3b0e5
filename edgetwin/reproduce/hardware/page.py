"""The page of the hardware study: every row with its figures, and what lies behind them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgetwin.report.page import Page, write_page
from edgetwin.report.sections import Column, Section, Table, Text
from edgetwin.studies import cells


def draw(found: Mapping[str, Any], out: Path) -> Path:
    """Write the page of a result into a folder."""
    quick = ["--quick"] if found["quick"] else []
    page = Page(
        title="The board on the desk: the hardware path against virtual boards",
        sections=[*_sections(found)],
        command=["edgetwin", "reproduce", "hardware", *quick],
    )
    return write_page(page, out / "report.html")


def _sections(found: Mapping[str, Any]) -> Iterator[Section]:
    heads = ("what", "figure", "value", "bar", "verdict")
    yield Table(
        title="Figures against their bars", columns=[Column(name=n) for n in heads],
        rows=cells(found), caption="Real sshd on the loopback, real FUSE; every run here.",
    )  # fmt: skip
    bars = found["bars"]
    if bars.get("faults", {}).get("kinds"):
        faults = bars["faults"]
        yield Table(
            title="Injected faults", columns=[Column(name="fault"), Column(name="injections")],
            rows=[[kind, n] for kind, n in faults["kinds"].items()],
            caption=f"Slowest to be restored: {faults['slowest_restored_s']:.1f} s.",
        )  # fmt: skip
    if bars.get("systems", {}).get("policies"):
        yield _policies(bars["systems"])
    if bars.get("loop", {}).get("runs"):
        yield from _loops(bars["loop"])
    wrong = [f"{name}: {what}" for name, row in bars.items() for what in row.get("wrong", ())]
    if wrong:
        yield Text(title="What went wrong", paragraphs=wrong)


def _policies(row: Mapping[str, Any]) -> Table:
    heads = ("task: policy", "decisions", "alike on the same readings", "why not")
    return Table(
        title="Policies on virtual boards",
        columns=[Column(name=name) for name in heads],
        rows=[
            [
                name,
                said.get("decisions"),
                said.get("alike"),
                said.get("cannot") or said.get("broke"),
            ]
            for name, said in row["policies"].items()
        ],
    )


def _loops(row: Mapping[str, Any]) -> Iterator[Section]:
    heads = ("parameter", "board file", "hidden", "fitted", "std", "std away")
    for run in row["runs"]:
        yield Table(
            title=f"Calibration loop, seed {run['seed']}",
            columns=[Column(name=name) for name in heads],
            rows=[
                [path, p["before"], p["hidden"], p["fitted"], p["std"], p["away"]]
                for path, p in run["parameters"].items()
            ],
            caption=f"Error left on the held-out run, at worst: {run['left']:.3f} of before.",
        )
