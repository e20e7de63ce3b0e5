"""How good decisions are: against the outcomes of every move, not against the labels."""

from dataclasses import dataclass
from typing import Any, Final, Protocol, final

import numpy as np
from numpy.typing import NDArray

MISS_K: Final = 5.0
"""What an infeasible choice counts as in `cost_k`: dearer than nearly every warm one."""


class Judged(Protocol):
    """Outcomes of the moves of one program per row, (rows, cores); NaN temperature: occupied."""

    @property
    def temp_c(self) -> NDArray[Any]:
        """Steady temperature."""

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Targets kept."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Decisions on n states in which some core is feasible.

    infeasible: share in which an infeasible core was chosen; contested: states in which both
    clusters have a feasible core; regret_k: mean excess over the coolest feasible core there (an
    infeasible choice counts as the warmest); spread_k: mean of the spread of feasible cores there;
    within_1_k and excess_k over all feasible choices; cost_k: mean excess, 5 K for an infeasible
    choice.
    """

    n: int
    infeasible: float
    contested: int
    regret_k: float
    spread_k: float
    within_1_k: float
    excess_k: float
    cost_k: float

    @property
    def regret(self) -> float:
        """Mean regret in contested states as a share of their mean spread."""
        return self.regret_k / self.spread_k if self.spread_k > 0.0 else 0.0


def score(ratings: NDArray[Any], judged: Judged, little: int = 4) -> Score:
    """Score the best-rated free core of every row, ratings (rows, cores); first `little` cores
    are one cluster.
    """
    free = ~np.isnan(judged.temp_c)
    some = judged.feasible.any(axis=1)
    temp_c = np.where(judged.feasible, judged.temp_c, np.nan)[some]
    choice = np.where(free, ratings, -np.inf).argmax(axis=1)[some]
    chosen_c = np.take_along_axis(temp_c, choice[:, None], axis=1)[:, 0]
    low_c, high_c = np.nanmin(temp_c, axis=1), np.nanmax(temp_c, axis=1)
    missed = np.isnan(chosen_c)
    excess_k = np.where(missed, high_c, chosen_c) - low_c
    both = (~np.isnan(temp_c[:, :little])).any(axis=1) & (~np.isnan(temp_c[:, little:])).any(axis=1)
    kept = ~missed
    return Score(
        n=int(some.sum()),
        infeasible=_mean(missed),
        contested=int(both.sum()),
        regret_k=_mean(excess_k[both]),
        spread_k=_mean((high_c - low_c)[both]),
        within_1_k=_mean(kept & (excess_k <= 1.0)),
        excess_k=_mean(excess_k[kept]),
        cost_k=_mean(np.where(missed, MISS_K, excess_k)),
    )


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
