"""A board as a person sees it: a few lines of text, or its units coloured by temperature."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetwin.simulator import Simulator
from edgetwin.simulator.view import reading_of


def ansi(sim: Simulator) -> str:
    """Time, temperatures, clocks and jobs, one line each."""
    r = reading_of(sim)
    heat = "  ".join(f"{z} {'--' if c is None else f'{c:.1f}'} degC" for z, c in r.temps_c.items())
    clocks = "  ".join(f"{d} {hz / 1e9:.3f} GHz" for d, hz in r.freq_hz.items())
    jobs = (
        f"  {name:<24} {job.unit or 'waiting':<8} {job.rate:.3g}/s"
        + (f" of {job.target:.3g}/s" if job.target else "")
        for name, job in r.jobs.items()
    )
    head = f"{sim.board.name} at {r.t_s:.2f} s" + (" THROTTLED" if r.throttled else "")
    return "\n".join((head, f"  {heat}", f"  {clocks}", *jobs))


def picture(sim: Simulator) -> NDArray[np.uint8]:
    """Units as squares from blue (20 degC) over green to red (100 degC), (h, w, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3), dpi=80)
    canvas = FigureCanvasAgg(figure)
    _draw(figure.add_subplot(), sim)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]


def _draw(axes: Any, sim: Simulator) -> None:
    temps_c = sim.node_temps_c()
    units = sim.board.unit_list
    columns = max(1, int(np.ceil(len(units) / 2)))
    for i, unit in enumerate(units):
        x, y = i % columns, i // columns
        share = (temps_c[unit.node] - 20.0) / 80.0
        axes.add_patch(_square(x, y, min(max(share, 0.0), 1.0)))
        label = f"{unit.name}\n{temps_c[unit.node]:.1f} degC"
        axes.text(x + 0.5, y + 0.5, label, ha="center", va="center", fontsize=7)
    axes.set_xlim(0, columns)
    axes.set_ylim(2, 0)
    axes.set_axis_off()
    axes.set_title(f"{sim.board.name} at {sim.now_s:.1f} s")


def _square(x: int, y: int, share: float) -> Any:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 1, 1, facecolor=colormaps["turbo"](share), edgecolor="white")
