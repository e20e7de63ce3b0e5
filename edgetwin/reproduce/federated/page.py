"""The page of the study: verdicts first, then gains, courses over FLOPs, seconds and joules."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgetwin.cells import CellStore
from edgetwin.report import Bar, Bars, Column, Page, Section, Series, SeriesChart, Table, write_page
from edgetwin.reproduce.federated.spaces import SPACES
from edgetwin.studies import cells

Found = Mapping[str, Any]


def write_page_of(found: Found, folder: Path) -> Path:
    """One HTML file in the study's folder."""
    command = ["edgetwin", "reproduce", "federated", *(["--quick"] if found["quick"] else [])]
    page = Page(
        title="Federated fine-tuning with forward passes",
        sections=list(_sections(found, folder)),
        command=command,
    )
    return write_page(page, folder / "federated.html")


def _sections(found: Found, folder: Path) -> Iterator[Section]:
    yield Table(
        title="Figures against their bars",
        columns=[Column(name=name) for name in ("what", "figure", "value", "bar", "verdict")],
        rows=cells(found),
    )
    encoder, boards = found["bars"].get("encoder", {}), found["more"].get("boards", {})
    split = found["more"].get("split", {})
    if encoder.get("detail"):
        yield _gains(encoder)
        yield from _courses(encoder, boards, folder)
    if split.get("detail"):
        yield _split(split)
    if boards.get("detail"):
        yield from _board_bars(boards)


def _gains(encoder: Found) -> Bars:
    bars = [
        Bar(name=name.replace("_", " "), value=one["value"], low=one["low"], high=one["high"])
        for name, one in encoder["detail"].items()
        if "_over_" in name
    ]
    caption = f"Mean of {encoder['n']} seeds with 90 % interval; above 1 FedSPZO needs less."
    return Bars(title="FLOPs to an equal held-out loss, others over FedSPZO", unit="",
                bars=bars, caption=caption)  # fmt: skip


def _courses(encoder: Found, boards: Found, folder: Path) -> Iterator[Section]:
    """The mean course of every method as the search tuned it: over FLOPs, seconds and joules."""
    kept = list(CellStore(path=folder / "cells").items())
    for task in ("docstrings", "sst2"):
        if task not in encoder["detail"]:
            continue
        courses = {
            method: _mean_course(kept, task, method, encoder["detail"][task][method]["settings"])
            for method in SPACES
        }
        yield Table(
            title=f"{task}: loss and accuracy over FLOPs",
            columns=[Column(name="method"), Column(name="work", unit="TFLOP"),
                     Column(name="loss", unit="nat"), Column(name="accuracy")],
            rows=[[m, p[0] / 1e12, p[1], p[2]] for m, course in courses.items() for p in course],
        )  # fmt: skip
        for board, costs in _costs(boards).items():
            series = [
                Series(
                    name=method,
                    t_s=[point[0] / costs[method]["flops"] * costs[method]["step_s"]
                         for point in courses[method]],
                    values=[point[2] for point in courses[method]],
                )
                for method in costs
            ]  # fmt: skip
            caption = "All steps one after another on one board; accuracy on held-out examples."
            yield SeriesChart(title=f"{task}: accuracy on {board}", unit="share right",
                              series=series, caption=caption)  # fmt: skip


def _costs(boards: Found) -> dict[str, dict[str, Any]]:
    """By board and method what a step takes, where that was measured."""
    by_board: dict[str, dict[str, Any]] = {}
    for method, one in boards.get("detail", {}).items():
        for board, cost in one["boards"].items():
            by_board.setdefault(board, {})[method] = {**cost, "flops": one["flops"]}
    return by_board


def _mean_course(
    kept: Sequence[tuple[Any, Any]], task: str, method: str, settings: Found
) -> list[list[float]]:
    """Mean over the judged seeds, look by look."""
    from edgetwin.reproduce.federated.search import TUNING_SEED

    mine = [
        run["curve"]
        for key, run in kept
        if key["task"] == task and key["method"] == method and key["seed"] < TUNING_SEED
        and key["settings"] == settings
    ]  # fmt: skip
    looks = zip(*mine, strict=False)
    return [[sum(values) / len(look) for values in zip(*look, strict=True)] for look in looks]


def _split(split: Found) -> Bars:
    bars = [
        Bar(
            name=name.replace("_", " "),
            value=one["loss"],
            low=one["loss"] - one["loss_std"],
            high=one["loss"] + one["loss_std"],
        )
        for name, one in split["detail"].items()
    ]
    caption = f"Two blocks, split after so many layers; mean and deviation of {split['n']} seeds."
    return Bars(
        title="Loss at one budget over split point and P2", unit="nat", bars=bars, caption=caption
    )


def _board_bars(boards: Found) -> Iterator[Bars]:
    grades = ", ".join(f"{name} {grade}" for name, grade in boards["grades"].items())
    for name, unit in (("step_s", "s"), ("step_j", "J")):
        bars = [
            Bar(name=f"{method}, {board}", group=method, value=cost[name])
            for method, one in boards["detail"].items()
            for board, cost in one["boards"].items()
        ]
        what = "Time" if unit == "s" else "Energy"
        yield Bars(title=f"{what} of a local step", unit=unit, bars=bars,
                   caption=f"Grades of the boards: {grades}.")  # fmt: skip
