"""Cells for all caps at once, fixed before any is measured: the design that should cost least.

Batch sizes, settings and what training needs are known, time and power are not. They are drawn from
what holds for GPUs in general, and every draw has its own caps. For one draw and cap a design costs
ln of how much longer its best cell below the cap takes than the best of all, and without a cell
below the cap as much as the slowest. The next cell is the one that lowers the mean cost most; since
each saves less the more there are, no other design saves more than e / (e - 1) times as much
(Nemhauser et al. 1978, DOI 10.1007/BF01588971).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.planner.space import Space
from hw_models.fit.grid_model import NAMES, ln_grid

Array = NDArray[np.float64]

_DRAWS: Final = 200
_CAPS: Final = np.linspace(0.05, 0.95, 10)  # quantiles of the power of a drawn grid
_ODD: Final = 0.05  # of ln: how far a cell is off the form
# Centres, and standard deviations of ln, of the form's parameters. Batches are in geometric means
# of the batch sizes, powers in highest settings; of a clock only their ratio counts.
_PRIORS: Final = {
    "compute_s": (1.0, 0.0),
    "compute_half_batch": (0.125, 2.0),
    "host_batch": (0.125, 2.0),
    "overlap": (2.5, 0.5),
    "rest_ratio": (0.1, 1.0),
    "compute_growth": (0.1, 1.5),
    "rest_growth": (0.1, 1.5),
    "static_w": (0.2, 0.5),
    "dynamic_w": (0.9, 0.5),
    "power_half_batch": (0.125, 2.0),
    "floor_gain": (1.7, 0.2),
    "clock_exponent": (0.25, 0.4),
    "limit_ratio": (1.0, 0.03),
    "lowest_clock": (0.15, 0.5),
    "edge": (5.0, 0.4),
}


def fixed_design(space: Space, need: Array, n: int, rng: np.random.Generator) -> list[int]:
    """The first n cells to measure for all caps together, the most useful first.

    need (cells,) is what every cell needs to the target. The memory's clock is not looked at: cells
    that differ in nothing else count as good as one another.
    """
    if not 1 <= n <= len(space):
        raise ValueError(f"{n} of {len(space)} cells cannot be chosen; expected 1 to that many.")
    ln_time_s, ln_power_w = _drawn(space, rng)
    cost, worst = _costs(ln_time_s + np.log(need), ln_power_w)
    chosen: list[int] = []
    for _ in range(n):
        mean = np.minimum(worst[:, None], cost).mean(axis=0)
        mean[chosen] = np.inf
        chosen.append(int(np.argmin(mean)))
        worst = np.minimum(worst, cost[:, chosen[-1]])
    return chosen


def _drawn(space: Space, rng: np.random.Generator) -> tuple[Array, Array]:
    """ln of time and of power of every cell, (draws, cells) each."""
    top = float(space.setting.max())
    units = dict.fromkeys(NAMES, 1.0)
    middle = float(np.exp(np.log(space.batches).mean()))
    units |= dict.fromkeys(("compute_half_batch", "host_batch", "power_half_batch"), middle)
    units |= dict.fromkeys(("static_w", "dynamic_w"), top)
    centre = np.log([_PRIORS[name][0] * units[name] for name in NAMES])
    spread = np.array([_PRIORS[name][1] for name in NAMES])
    scale = np.array([space.batch.max(), top])
    grids = np.stack([
        ln_grid(ln, space.batch, space.setting, space.knob == "limit_w", scale)
        for ln in centre + spread * rng.standard_normal((_DRAWS, len(NAMES)))
    ])  # fmt: skip
    grids += _ODD * rng.standard_normal(grids.shape)
    return grids[:, 0], grids[:, 1]


def _costs(ln_time_s: Array, ln_power_w: Array) -> tuple[Array, Array]:
    """The cost of having one cell alone, (draws * caps, cells), and of having none."""
    caps = np.quantile(ln_power_w, _CAPS, axis=1).T
    fits = ln_power_w[:, None, :] <= caps[:, :, None]
    best = np.where(fits, ln_time_s[:, None, :], np.inf).min(axis=2)
    none = ln_time_s.max(axis=1)[:, None] - best
    cost = np.where(fits, ln_time_s[:, None, :] - best[:, :, None], none[:, :, None])
    return cost.reshape(-1, ln_time_s.shape[1]), none.ravel()
