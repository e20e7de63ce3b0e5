"""A run in few readings: for a first look, before all of them are taken."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.prepared import Prepared, columns
from hw_models.recorded import Recorded

Array = NDArray[np.float64]

_THIN_STEP_S: Final = 4.0


def thinned(run: Prepared, most: int) -> Prepared:
    """The run in at most `most` readings, loads and measurements as means: for a first look."""
    rows = len(run.seen.t_s)
    each = -(-rows // most)
    if each == 1:
        return run
    first = np.arange(0, rows, each)
    last = np.minimum(first + each, rows) - 1
    counts = (last - first + 1).astype(np.float64)
    seen = run.seen

    def mean(values: Array) -> Array:
        total = np.add.reduceat(values, first, axis=0)
        return np.asarray((total.T / counts).T)

    thin = replace(
        seen,
        t_s=seen.t_s[last],
        level=seen.level[last],
        busy=mean(seen.busy),
        online=seen.online[last],
        traffic=mean(seen.traffic),
        fan=seen.fan[last],
        zones_c={name: values[last] for name, values in seen.zones_c.items()},
        rails_w={name: mean(values) for name, values in seen.rails_w.items()},
    )
    return replace(
        run,
        seen=thin,
        longest_step_s=_THIN_STEP_S,
        nodes_c=np.ascontiguousarray(run.nodes_c[last]),
        zones=replace(run.zones, measured=run.zones.measured[last], rows=np.ones(len(last))),
        rails=replace(
            run.rails, measured=_thin_rails(run, thin), first=None, rows=np.ones(len(last))
        ),
    )


def _thin_rails(run: Prepared, thin: Recorded) -> Array:
    names = [name.removeprefix("power_w.") for name in run.rails.names]
    return columns(thin.rails_w, names, len(thin.t_s))
