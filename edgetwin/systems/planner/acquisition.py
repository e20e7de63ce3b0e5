"""Which cell to measure next: constrained expected improvement of the time to the target.

What is minimised is T(b, f) N(b) over the cells whose peak power stays below the cap. An unmeasured
cell is worth its expected improvement on the best measured one below the cap times the chance that
it stays below (Gardner et al. 2014, "Bayesian optimization with inequality constraints", ICML).
Several caps count together: one set of points then serves them all.
"""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.planner.space import Space
from edgetwin.systems.planner.surface import Belief

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LEAST_SHARE: Final = 1e-9
_UNLIKELY: Final = 0.05  # that a cell of the fixed-batch user fits, to be worth a point


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is looked for: need (n,) units of work to the target by cell, below caps_w (c,).

    baseline is the batch size of a fixed-batch user, whose choice is measured too; None for none.
    """

    need: Array
    caps_w: Array
    baseline: int | None = None


def next_cell(
    space: Space, belief: Belief, goal: Goal, *, allowed: Mask, checks_baseline: bool
) -> int | None:
    """The cell to measure next, None when every allowed cell is measured.

    With checks_baseline the choice of the fixed-batch user comes first, if it is not known yet.
    """
    open_ = allowed & ~belief.is_measured
    if not open_.any():
        return None
    if checks_baseline and goal.baseline is not None:
        for cap_w in goal.caps_w:
            at = _rival(space, belief, goal.baseline, float(cap_w), open_)
            if at is not None:
                return at
    score = np.where(open_, worth(belief, goal), -np.inf)
    return int(np.argmax(score))


def worth(belief: Belief, goal: Goal) -> Array:
    """What measuring each cell is expected to bring, (n,), as a share of the time, all caps."""
    from scipy.special import ndtr

    ln_cost = np.log(belief.time_s * goal.need)
    ln_cap = np.log(goal.caps_w)[:, None]
    below = (ln_cap - np.log(belief.peak_w)) / np.maximum(belief.peak_share, _LEAST_SHARE)
    chance = ndtr(below)
    is_known = belief.is_measured & (belief.peak_w <= goal.caps_w[:, None])
    best = np.where(is_known, ln_cost, np.inf).min(axis=1)
    # Where no measured cell fits under a cap, whatever fits is worth more than any improvement.
    is_lost = ~np.isfinite(best)
    gain = expected_gain(np.where(is_lost, ln_cost.max(), best)[:, None], ln_cost,
                         belief.time_share)  # fmt: skip
    value = chance * np.where(is_lost[:, None], 1e3 * (1.0 + 1e-3 * gain), gain)
    return np.asarray(value.sum(axis=0))


def _rival(space: Space, belief: Belief, batch: int, cap_w: float, open_: Mask) -> int | None:
    """The unmeasured cell that is likeliest the fixed-batch user's choice; None where none may be.

    That choice is the highest setting below the cap, so only cells above the highest one that was
    measured below it can be it.
    """
    from scipy.special import ndtr

    cells = space.where(batch)
    fits = np.flatnonzero(belief.is_measured[cells] & (belief.peak_w[cells] <= cap_w))
    above = cells[fits[-1] + 1 :] if len(fits) else cells
    above = above[open_[above]]
    if not len(above):
        return None
    away = np.log(cap_w / belief.peak_w[above]) / np.maximum(belief.peak_share[above], _LEAST_SHARE)
    chance = ndtr(away)
    # Of cells that fit alike the highest is the choice.
    at = int(np.flatnonzero(chance >= min(0.5, chance.max()))[-1])
    return int(above[at]) if chance[at] > _UNLIKELY else None


def expected_gain(best: Array, mean: Array, share: Array) -> Array:
    """Expected improvement of normal values (mean, share) on the lowest so far."""
    from scipy.special import ndtr

    spread = np.maximum(share, _LEAST_SHARE)
    z = (best - mean) / spread
    return np.asarray(spread * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)))


def baseline_cell(space: Space, belief: Belief, batch: int, cap_w: float) -> int | None:
    """What somebody takes who keeps the batch and lowers the clock until the power fits.

    The highest setting (and memory clock) below the cap, as far as is believed; None where none is.
    """
    cells = space.where(batch)
    fitting = cells[belief.peak_w[cells] <= cap_w]
    return int(fitting[-1]) if len(fitting) else None
