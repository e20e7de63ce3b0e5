"""A picture of a system on chip: its units as a plan of blocks, coloured by temperature.

The plan is a scheme and no photograph of the die: clusters lie side by side with their cores
inside, accelerators below them, and what has no unit (memory, board, case) on the right.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.simulator import Simulator
from hw_models.board import Board

COLD_C: Final = 20.0
HOT_C: Final = 100.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A rectangle of the plan in [0, 1] x [0, 1]: what it is called and which node heats it."""

    name: str
    node: str
    x: float
    y: float
    width: float
    height: float


def plan(board: Board) -> tuple[Block, ...]:
    """Where every unit lies in the picture; nodes without a unit are a strip on the right."""
    groups = list(board.units.items())
    clusters = [(name, group) for name, group in groups if group.host is None]
    others = [(name, group) for name, group in groups if group.host is not None]
    used = {node for _, group in groups for node in group.nodes}
    rest = [node for node in board.thermal.nodes if node not in used]
    right = 0.8 if rest else 1.0
    below = 0.62 if others else 1.0
    found = [*_row(clusters, 0.0, 0.0, right, below), *_row(others, 0.0, below, right, 1.0 - below)]
    found += [
        Block(name=node, node=node, x=right, y=i / len(rest), width=1.0 - right,
              height=1.0 / len(rest))
        for i, node in enumerate(rest)
    ]  # fmt: skip
    return tuple(found)


def _row(
    groups: list[tuple[str, Any]], x: float, y: float, width: float, height: float
) -> Iterator[Block]:
    """Groups side by side, as wide as they have columns of members, two members a column."""
    if not groups:
        return
    columns = [max(1, (len(group.members) + 1) // 2) for _, group in groups]
    for (_, group), n, before in zip(groups, columns, np.cumsum([0, *columns[:-1]]), strict=True):
        left = x + width * float(before) / sum(columns)
        cell = width / sum(columns)
        rows = 2 if len(group.members) > 1 else 1
        for i, (member, node) in enumerate(zip(group.members, group.nodes, strict=True)):
            at = {"x": left + cell * (i % n), "y": y + height / rows * (i // n)}
            yield Block(name=member, node=node, **at, width=cell, height=height / rows)


def picture(sim: Simulator) -> NDArray[np.uint8]:
    """The plan from blue (20 degC) over green to red (100 degC) with a scale, (h, w, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), dpi=80, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    _draw(figure, figure.add_subplot(), sim)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def _draw(figure: Any, axes: Any, sim: Simulator) -> None:
    from matplotlib import cm, colors
    from matplotlib.patches import Rectangle

    shades = cm.ScalarMappable(colors.Normalize(COLD_C, HOT_C), "turbo")
    temps_c = sim.node_temps_c()
    for block in plan(sim.board):
        temp_c = temps_c[block.node]
        red, green, blue, _ = shades.to_rgba(np.array(temp_c))
        place = (block.x, block.y), block.width, block.height
        axes.add_patch(Rectangle(*place, facecolor=(red, green, blue), edgecolor="white"))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        axes.text(block.x + block.width / 2, block.y + block.height / 2,
                  f"{block.name}\n{temp_c:.1f}", ha="center", va="center", fontsize=6.5,
                  color="white" if dark else "black", clip_on=True)  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(1, 0)
    axes.set_axis_off()
    axes.set_title(f"{sim.board.name} at {sim.now_s:.1f} s", fontsize=9)
    figure.colorbar(shades, ax=axes, label="degC")
