"""Grids that somebody measured: the planner profiles them as if it were there, the table judges.

A grid (time per epoch and mean power over batch size x power limit) and training runs (epochs to
the target by batch size) are matched by workload. Batches absent from either cannot be chosen. P is
the mean power of the table, not the limit: rows draw up to 1.21 times their limit.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.planner.choice import CONFIDENCE, Objective, Plan, Planner
from edgetwin.systems.planner.efficiency import Efficiency, Runs, read_runs, runs_of
from edgetwin.systems.planner.profiler import POINTS, GridMeter, Profile, profile, usable
from edgetwin.systems.planner.space import Space
from edgetwin.systems.planner.surface import Surface, known_belief
from edgetwin.systems.planner.verdict import judged
from hw_models.naming import unknown
from hw_models.tables import Grid, read_grids

Array = NDArray[np.float64]

_WORKLOAD: Final = ("dataset", "network", "optimizer")
_NUMBERS: Final = ("batch_size", "power_limit", "time_per_epoch", "average_power")
_FLAT: Final = 0.5  # a limit that moves power by less than this share of its own range ranks noise


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A workload with a whole grid and a target: what can be chosen, and the truth about it."""

    name: str
    space: Space
    grid: Grid
    efficiency: Efficiency

    @property
    def truth(self) -> Planner:
        """A planner that knows every cell."""
        return Planner(self.space, known_belief(self.grid), self.efficiency)

    @property
    def is_flat(self) -> bool:
        """Does power hardly follow the limit? Caps then rank what is left: noise."""
        rises = []
        for batch in self.space.batches:
            at = self.space.where(batch)
            setting, power_w = self.space.setting[at], self.grid.power_w[at]
            if len(at) > 1 and setting[-1] > setting[0]:
                rises.append(abs(power_w[-1] - power_w[0]) / (setting[-1] - setting[0]))
        return bool(rises) and max(rises) < _FLAT * 0.5

    def caps_w(self, n: int = 10) -> Array:
        """Caps between the 5 % and the 95 % quantile of power, (n,)."""
        return np.asarray(np.quantile(self.grid.power_w, np.linspace(0.05, 0.95, n)))

    def profile(
        self,
        caps_w: Sequence[float],
        *,
        points: int = POINTS,
        baseline: int | None = None,
        begin: Surface | None = None,
        seed: int = 0,
    ) -> Profile:
        """Measure up to `points` cells of the table; the fixed-batch user has the largest batch."""
        batch = self.space.batches[-1] if baseline is None else baseline
        return profile(
            self.space, self.efficiency, GridMeter(self.grid), caps_w=caps_w, points=points,
            baseline=batch, begin=begin, seed=seed,
        )  # fmt: skip

    def plan(
        self,
        cap_w: float,
        *,
        points: int = POINTS,
        seed: int = 0,
        objective: Objective = "time",
        deadline_s: float | None = None,
        confidence: float = CONFIDENCE,
    ) -> tuple[Plan, dict[str, Any]]:
        """The plan from `points` cells, and its JSON with truth, optimum and gap."""
        found = self.profile([cap_w], points=points, seed=seed)
        planner = Planner(self.space, found.belief, self.efficiency)
        plan = planner.plan(
            cap_w, objective=objective, deadline_s=deadline_s, confidence=confidence
        )
        return plan, self.judged(plan)

    def judged(self, plan: Plan) -> dict[str, Any]:
        """A plan's JSON with what the table says of the choice, and brute force over all cells."""
        more = {
            "workload": self.name, "target": self.efficiency.target, "power_is_flat": self.is_flat,
        }  # fmt: skip
        return judged(plan, self.truth) | more


def replayed(grid: Grid, runs: Runs, target: float) -> Replayed:
    """A workload of a grid with a target; ValueError where no batch has both."""
    efficiency = runs.efficiency(target)
    cells = Space(batch=grid.batch, setting=grid.setting, knob=grid.knob)
    known = np.flatnonzero(np.isfinite(efficiency.of(grid.batch)))
    space = usable(cells, efficiency)
    return Replayed(name=grid.workload, space=space, grid=grid.take(known), efficiency=efficiency)


def read_replayed(
    power: str | PathLike[str],
    train: str | PathLike[str],
    workload: str | None = None,
    target: float | None = None,
) -> Replayed:
    """One workload of a grid file and a file of training runs, in the format of Zeus.

    The target is by default the hardest that two batch sizes reach in four of five runs (and two
    runs). KeyError for a workload that either file lacks; the workload may be left out where there
    is only one.
    """
    grids, runs = _grids(power), read_runs(train)
    name = _only(grids, workload)
    of_name = runs_of(runs, name)
    return replayed(
        grids[name], of_name, of_name.default_targets()[0] if target is None else target
    )


def _grids(power: str | PathLike[str]) -> dict[str, Grid]:
    """The grids of a file; a cell that is no number is refused with the nearest one that is."""
    try:
        return read_grids(power)
    except ValueError as error:
        hint = _nearest(power, str(error))
        raise ValueError(f"{error}{hint}") from None


def _nearest(power: str | PathLike[str], problem: str) -> str:
    """The next line of the same batch size or limit whose numbers are all there, in words."""
    line = re.search(r", line (\d+):", problem)
    if line is None:
        return ""
    with Path(power).open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    bad = rows[int(line[1]) - 2]
    same = [r for r in rows if r is not bad and all(r[k] == bad[k] for k in _WORKLOAD)]
    whole = [r for r in same if all(_is_number(r[k]) for k in _NUMBERS)]
    shared = [r for r in whole if r["batch_size"] == bad["batch_size"]] or whole
    if not shared:
        return " Leave that line out."
    near = min(shared, key=lambda r: abs(rows.index(r) - rows.index(bad)))
    return (
        f" Leave that line out; the nearest cell that can be chosen is batch {near['batch_size']} "
        f"at a limit of {near['power_limit']} W."
    )


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text))) and float(text) > 0
    except (TypeError, ValueError):
        return False


def _only(grids: Mapping[str, Grid], workload: str | None) -> str:
    if workload is None:
        if len(grids) > 1:
            raise ValueError(f"several workloads: {', '.join(grids)}; name one with --workload.")
        return next(iter(grids))
    if workload not in grids:
        raise KeyError(unknown("workload of the grid", workload, grids))
    return workload
