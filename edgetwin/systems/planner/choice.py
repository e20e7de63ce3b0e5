"""The choice: the cell that reaches the target soonest below a cap, and what stood against others.

    minimise over (b, f)   T(b, f) N(b)      subject to   P(b, f) <= cap        (arXiv 2502.18323)

with T seconds per unit of work, N units of work until the target, P peak power. Energy is mean
power times time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.planner.efficiency import Efficiency
from edgetwin.systems.planner.space import Space
from edgetwin.systems.planner.surface import Belief

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Objective = Literal["time", "energy"]

CONFIDENCE: Final = 0.95
_RUNNERS_UP: Final = 3
SCHEMA: Final = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a plan: what it takes to the target, and how sure it is to stay below the cap.

    time_share is the standard deviation of ln time_s, convergence included; confidence the chance
    that the peak stays below the cap.
    """

    at: int
    label: Mapping[str, Any]
    words: str
    time_s: float
    time_share: float
    energy_j: float
    mean_power_w: float
    peak_power_w: float
    confidence: float
    is_measured: bool

    def as_json(self) -> dict[str, Any]:
        """The cell as plans state it."""
        names = (
            "time_s", "energy_j", "mean_power_w", "peak_power_w", "confidence", "time_share",
            "is_measured",
        )  # fmt: skip
        return {**self.label, **{name: getattr(self, name) for name in names}}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A choice under a cap, the next best cells, and what the choice rested on."""

    choice: Cell
    runners_up: tuple[Cell, ...]
    cap_w: float
    objective: Objective
    deadline_s: float | None
    points: int
    reasons: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The form of plan.json; truth, optimum and gap are null where nobody knows them."""
        return {
            "schema": SCHEMA,
            "choice": self.choice.as_json(),
            "true": None,
            "optimum": None,
            "gap": None,
            "points": self.points,
            "runners_up": [cell.as_json() for cell in self.runners_up],
            "cap_w": self.cap_w,
            "objective": self.objective,
            "deadline_s": self.deadline_s,
            "why": list(self.reasons),
        }

    def why(self) -> str:
        """In words: what was chosen, and what would have to change for each of the others."""
        return "\n".join(self.reasons)


@final
class Planner:
    """Cells, what is believed of them and what training needs: everything a choice rests on."""

    def __init__(self, space: Space, belief: Belief, efficiency: Efficiency) -> None:
        for name in ("time_s", "mean_w", "peak_w"):
            values = getattr(belief, name)
            bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
            if len(bad):
                raise ValueError(
                    f"{name} of {space.words(int(bad[0]))} is {values[bad[0]]}; expected a number "
                    "above zero. Leave that cell out, or measure it again."
                )
        self.space, self.belief, self.efficiency = space, belief, efficiency
        self.need = efficiency.of(space.batch)

    @cached_property
    def time_s(self) -> Array:
        """Seconds to the target of every cell, (n,); NaN where the batch has no efficiency."""
        return np.asarray(self.belief.time_s * self.need)

    @cached_property
    def energy_j(self) -> Array:
        """Joules to the target of every cell, (n,)."""
        return np.asarray(self.belief.mean_w * self.time_s)

    @cached_property
    def time_share(self) -> Array:
        """Standard deviation of ln time, of the measurement and of the convergence, (n,)."""
        doubt = self.efficiency.doubt(self.space.batch)
        return np.asarray(np.hypot(self.belief.time_share, doubt))

    def confidence(self, cap_w: float) -> Array:
        """The chance of every cell that its peak stays below the cap, (n,)."""
        from scipy.special import ndtr

        away = np.log(cap_w) - np.log(self.belief.peak_w)
        share = self.belief.peak_share
        sure = np.where(away >= 0, np.inf, -np.inf)
        return np.asarray(ndtr(np.where(share > 0, away / np.where(share > 0, share, 1.0), sure)))

    def plan(
        self,
        cap_w: float,
        *,
        objective: Objective = "time",
        deadline_s: float | None = None,
        confidence: float = CONFIDENCE,
        may_predict: bool = False,
        mean_cap_w: float = np.inf,
        batch: int | None = None,
    ) -> Plan:
        """The best cell below the cap; measured cells only, unless `may_predict` or none fits.

        A cell fits when its peak stays below the cap, and its time within the deadline, with the
        confidence, and its mean power below mean_cap_w (a heat budget); with a batch only cells of
        that batch do. The objective is the time
        to the target or the energy to it. ValueError where nothing fits, naming the nearest cell
        that can be had.
        """
        _check(cap_w, deadline_s, confidence)
        sure = self.confidence(cap_w)
        fits = (sure >= confidence) & np.isfinite(self.time_s)
        fits &= self.belief.mean_w <= mean_cap_w
        if batch is not None:
            fits &= self.space.batch == batch
        if not fits.any():
            raise ValueError(self._refusal(min(cap_w, mean_cap_w), confidence))
        in_time = fits & self._in_time(deadline_s, confidence)
        if not in_time.any():
            raise ValueError(self._late(fits, cap_w, deadline_s))
        pool = in_time & self.belief.is_measured
        if may_predict or not pool.any():
            pool = in_time
        cost = self.time_s if objective == "time" else self.energy_j
        order = np.flatnonzero(pool)[np.argsort(cost[pool], kind="stable")]
        cells = [self.cell(int(i), cap_w) for i in order[: 1 + _RUNNERS_UP]]
        return Plan(
            choice=cells[0],
            runners_up=tuple(cells[1:]),
            cap_w=cap_w,
            objective=objective,
            deadline_s=deadline_s,
            points=int(self.belief.is_measured.sum()),
            reasons=tuple(self._reasons(cells, cap_w, objective, confidence)),
        )

    def cell(self, at: int, cap_w: float) -> Cell:
        """One cell as a plan states it."""
        return Cell(
            at=at,
            label=self.space.label(at),
            words=self.space.words(at),
            time_s=float(self.time_s[at]),
            time_share=float(self.time_share[at]),
            energy_j=float(self.energy_j[at]),
            mean_power_w=float(self.belief.mean_w[at]),
            peak_power_w=float(self.belief.peak_w[at]),
            confidence=float(self.confidence(cap_w)[at]),
            is_measured=bool(self.belief.is_measured[at]),
        )

    def front(self, cap_w: float, *, confidence: float = CONFIDENCE) -> tuple[Cell, ...]:
        """The Pareto front of time and energy below the cap, fastest first."""
        fits = np.flatnonzero((self.confidence(cap_w) >= confidence) & np.isfinite(self.time_s))
        found, least_j = [], np.inf
        for at in fits[np.lexsort((self.energy_j[fits], self.time_s[fits]))]:
            if self.energy_j[at] < least_j:
                least_j = self.energy_j[at]
                found.append(self.cell(int(at), cap_w))
        return tuple(found)

    def _in_time(self, deadline_s: float | None, confidence: float) -> Mask:
        if deadline_s is None:
            return np.ones(len(self.space), dtype=bool)
        from scipy.special import ndtri

        late = self.time_s * np.exp(float(ndtri(confidence)) * self.time_share)
        return np.asarray(late <= deadline_s)

    def _refusal(self, cap_w: float, confidence: float) -> str:
        """Why nothing fits, and what comes nearest."""
        known = np.isfinite(self.time_s)
        pool = known & self.belief.is_measured if (known & self.belief.is_measured).any() else known
        peaks_w = np.where(pool, self.belief.peak_w, np.inf)
        at = int(np.argmin(peaks_w))
        kind = "measured" if self.belief.is_measured[at] else "predicted"
        return (
            f"nothing stays below {cap_w:g} W with {confidence:.0%} confidence: the lowest power "
            f"is {self.space.words(at)} with a {kind} peak of {self.belief.peak_w[at]:.4g} W. "
            f"Raise the cap to {1.001 * self.belief.peak_w[at]:.4g} W, or offer lower clocks."
        )

    def _late(self, fits: Mask, cap_w: float, deadline_s: float | None) -> str:
        at = int(np.argmin(np.where(fits, self.time_s, np.inf)))
        return (
            f"nothing below {cap_w:g} W is done within {deadline_s:g} s: the soonest is "
            f"{self.space.words(at)} with {self.time_s[at]:.4g} s. Give more time or power."
        )

    def _reasons(
        self, cells: list[Cell], cap_w: float, objective: Objective, confidence: float
    ) -> list[str]:
        """The choice in words, its rivals, and the fastest cell that the cap forbids."""
        best = cells[0]
        found = [
            f"{best.words} reaches the target in {best.time_s:.4g} s with "
            f"{best.energy_j:.4g} J; its peak of {best.peak_power_w:.4g} W stays below "
            f"{cap_w:g} W with a confidence of {best.confidence:.1%}."
        ]
        found += [self._rival(best, other, objective) for other in cells[1:]]
        cost = np.where(self.confidence(cap_w) < confidence, self.time_s, np.inf)
        cost[~np.isfinite(cost)] = np.inf
        at = int(np.argmin(cost))
        if cost[at] < best.time_s:
            found.append(
                f"{self.space.words(at)} would take {cost[at]:.4g} s "
                f"({1 - cost[at] / best.time_s:.1%} less), if the cap were "
                f"{self.belief.peak_w[at]:.4g} W."
            )
        return found

    def _rival(self, best: Cell, other: Cell, objective: Objective) -> str:
        from scipy.special import ndtr

        if objective == "energy":
            return (
                f"{other.words} takes {other.energy_j:.4g} J "
                f"({other.energy_j / best.energy_j - 1:.1%} more) and {other.time_s:.4g} s."
            )
        longer = other.time_s / best.time_s - 1
        # Cells of one batch share the doubt about its convergence.
        is_same = best.label["batch"] == other.label["batch"]
        shares = self.belief.time_share if is_same else self.time_share
        spread = np.hypot(shares[other.at], shares[best.at])
        chance = float(ndtr(-np.log1p(longer) / spread)) if spread > 0 else 0.0
        text = f"{other.words} takes {other.time_s:.4g} s ({longer:.1%} more): it would win if "
        rival = other.label["batch"]
        if is_same:
            text += f"it were {1 - 1 / (1 + longer):.1%} faster per sample"
        else:
            text += (
                f"batch {rival} needed {1 - 1 / (1 + longer):.1%} fewer {self.efficiency.unit} "
                f"than {self.efficiency.needed[rival]:.4g}"
            )
        return text + f"; the chance of that is {chance:.0%}."


def _check(cap_w: float, deadline_s: float | None, confidence: float) -> None:
    if not (np.isfinite(cap_w) and cap_w > 0):
        raise ValueError(f"the cap is {cap_w} W; give a number above zero.")
    if deadline_s is not None and not deadline_s > 0:
        raise ValueError(f"the deadline is {deadline_s} s; give a number above zero.")
    if not 0.5 <= confidence < 1:
        raise ValueError(f"the confidence is {confidence}; give a share from 0.5 up to below 1.")
