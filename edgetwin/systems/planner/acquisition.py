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
_UNLIKELY: Final = 1e-3  # that a cell is the fixed-batch user's choice, to be worth a point
_POSSIBLE: Final = 2e-3  # the least chance of a cell of which belief alone says that it is not


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is looked for: need (n,) units of work to the target by cell, below caps_w (c,).

    baseline is the batch size of a fixed-batch user, None for none. That user's choice is measured
    too where there is one cap; those for several caps may be more cells than there are points.
    searched is the number of points that follow those spread out first.
    """

    need: Array
    caps_w: Array
    searched: int
    baseline: int | None = None


def next_cell(space: Space, belief: Belief, goal: Goal, *, allowed: Mask, left: int) -> int | None:
    """The cell to measure next with so many points left, None when every allowed one is measured.

    The choice of the fixed-batch user comes first once no more points are left than it may take.
    """
    open_ = allowed & ~belief.is_measured
    if not open_.any():
        return None
    if goal.baseline is not None and len(goal.caps_w) == 1:
        at = _rival(space, belief, goal, open_, left)
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


def _rival(space: Space, belief: Belief, goal: Goal, open_: Mask, left: int) -> int | None:
    """The likeliest choice of the fixed-batch user, None while more points are left than are kept.

    As many are kept as there are cells that may be it (one or two where power rises with the
    setting, all of the batch where it does not), and one more, because what is believed may be
    wrong; but one point stays the search's own.
    """
    assert goal.baseline is not None
    chance = _chance_of_baseline(space, belief, goal.baseline, float(goal.caps_w[0]), open_)
    likely = int(np.count_nonzero(chance > _UNLIKELY))
    if not likely or left > min(likely + 1, goal.searched - 1):
        return None
    return int(np.argmax(chance))


def _chance_of_baseline(
    space: Space, belief: Belief, batch: int, cap_w: float, open_: Mask
) -> Array:
    """The chance of every open cell to be the fixed-batch user's choice, (n,).

    That is the highest setting below the cap: the cell fits, and none above it does. Doubts of
    different cells are taken as independent. The cell above the highest that was measured below the
    cap stays possible whatever is believed of it: that it does not fit must be seen.
    """
    from scipy.special import ndtr

    cells = space.where(batch)
    away = np.log(cap_w / belief.peak_w[cells])
    fits = ndtr(away / np.maximum(belief.peak_share[cells], _LEAST_SHARE))
    known = belief.is_measured[cells]
    fits = np.where(known, belief.peak_w[cells] <= cap_w, np.where(open_[cells], fits, 0.0))
    none_above = np.append(np.cumprod((1.0 - fits)[::-1])[-2::-1], 1.0)
    chance = np.zeros(len(space))
    chance[cells] = np.where(known, 0.0, fits * none_above)
    highest = int(np.max(np.flatnonzero(known & (fits > 0.0)), initial=-1))
    following = cells[highest + 1 : highest + 2] if highest >= 0 else cells[:0]
    possible = following[open_[following]]
    chance[possible] = np.maximum(chance[possible], _POSSIBLE)
    return chance


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
