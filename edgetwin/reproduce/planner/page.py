"""The page of the study: figures against bars, and for every board and network the plane."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgetwin.cells import CellStore
from edgetwin.report import Column, Mark, Page, Plane, Section, Table, Text, write_page
from edgetwin.reproduce.planner import boards, tasks
from edgetwin.reproduce.planner.grid_rows import data_folder
from edgetwin.simulator import Simulator
from edgetwin.studies import cells
from edgetwin.systems.planner.choice import Planner
from edgetwin.systems.planner.on_board import Task

_CAP_PLACE: Final = 2  # of the six caps, which one the planes show


def write_planner_page(found: Mapping[str, Any], store: CellStore, folder: Path) -> Path:
    """`planner.html` in the folder: the rows, and the planes where boards were measured."""
    sections: list[Section] = [
        Text(
            title="What is judged",
            paragraphs=[
                "Batch size and clock (or power limit) that reach a target soonest below a power "
                "cap, chosen from few measured cells, against brute force over all cells and "
                "against baselines (arXiv 2502.18323).",
            ],
        ),
        _bars(found),
        *_planes(found, store),
    ]
    page = Page(
        title="Planner: batch size and clock below a power cap",
        sections=sections,
        command=["edgetwin", "reproduce", "planner", *(["--quick"] if found["quick"] else [])],
    )
    return write_page(page, folder / "planner.html")


def _bars(found: Mapping[str, Any]) -> Table:
    columns = [Column(name=name) for name in ("what", "figure", "value", "bar", "verdict")]
    return Table(title="Figures against their bars", columns=columns, rows=cells(found))


def _planes(found: Mapping[str, Any], store: CellStore) -> Iterator[Section]:
    """A plane per board and network: time to the target, the cap's border, every choice."""
    if found["bars"]["boards"]["value"] is None:
        return
    of_pairs = boards.all_cells(store, bool(found["quick"]), int(found["bars"]["boards"]["seeds"]))
    folder = data_folder()
    for name, of_pair in of_pairs.items():
        board, network = name.split("/")
        needed = tasks.efficiency(store, folder, network, bool(found["quick"]))
        task = tasks.task(board, network, needed)
        truth = task.truth(Simulator(task.board), boards.CARE)
        caps_w = sorted({each["cap_w"] for each in of_pair})
        shown = next(e for e in of_pair if e["cap_w"] == caps_w[_CAP_PLACE] and not e["seed"])
        yield plane(task, truth, shown, f"{board}, {network}")


def plane(task: Task, truth: Planner, shown: Mapping[str, Any], title: str) -> Plane:
    """Time to the target over batch and clock, with what the cap allows and the choices."""
    space = task.space
    settings = np.unique(space.setting)
    place = {(b, s): i for i, (b, s) in enumerate(zip(space.batch, space.setting, strict=True))}
    at = [[place[(float(b), float(s))] for s in settings] for b in space.batches]
    others = {"planner": shown["cell"], "optimum": shown["optimum"]}
    others |= {n: o["cell"] for n, o in shown["baselines"].items() if o and n != "oracle"}
    return Plane(
        title=title,
        unit="s",
        x_name="GPU clock in MHz",
        y_name="batch size",
        x=[f"{hz / 1e6:g}" for hz in settings],
        y=[str(b) for b in space.batches],
        values=[[float(truth.time_s[i]) for i in line] for line in at],
        allowed=[[bool(truth.belief.peak_w[i] <= shown["cap_w"]) for i in line] for line in at],
        marks=[
            Mark(name=name, x=f"{cell['freq_hz'][space.domain] / 1e6:g}", y=str(cell["batch"]))
            for name, cell in others.items()
        ],
        caption=f"Time to the target; the line is the border of a cap of {shown['cap_w']:.2f} W.",
    )
