"""Grids of V100 and A40: how far choices from few points are from brute force over all cells."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.planner.baselines import FIXED_LARGEST, FIXED_MEDIAN, usual
from edgetwin.systems.planner.choice import Planner
from edgetwin.systems.planner.design import fixed_design
from edgetwin.systems.planner.efficiency import Efficiency, Runs, read_runs
from edgetwin.systems.planner.profiler import first_cells, first_count
from edgetwin.systems.planner.replayed import Replayed, replayed
from edgetwin.systems.planner.surface import Belief, Surface, known_belief
from hw_models.tables import Grid, read_grids

Array = NDArray[np.float64]

POWER: Final = {
    "v100": "zeus_gpu/summary_power_v100.csv",
    "a40": "zeus_gpu/summary_power_a40.csv",
}
TRAIN: Final = "zeus_gpu/summary_train.csv"
TARGETS, CAPS = 3, 10
BASELINES: Final = (FIXED_LARGEST, FIXED_MEDIAN)


@cache
def tables(folder: Path) -> tuple[dict[str, Grid], dict[str, Runs]]:
    """Every grid as gpu/workload, and the training runs by workload."""
    grids = {
        f"{gpu}/{name}": grid
        for gpu, file in POWER.items()
        for name, grid in read_grids(folder / file).items()
    }
    return grids, read_runs(folder / TRAIN)


def cases(folder: Path) -> list[tuple[str, float]]:
    """Every workload with training runs, and its three hardest dependable targets."""
    grids, runs = tables(folder)
    return [
        (name, target)
        for name in grids
        if (workload := name.split("/", 1)[1]) in runs
        for target in runs[workload].default_targets(TARGETS)
    ]


@cache
def case(folder: Path, name: str, target: float) -> Replayed:
    """One workload of one GPU with one target."""
    grids, runs = tables(folder)
    return replayed(grids[name], runs[name.split("/", 1)[1]], target)


def choices(folder: Path, key: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is chosen for every cap of a case, with its gap to brute force.

    key: workload, target, seed, points; how is "each" (points of their own for every cap), "blind"
    (the same points for all caps, chosen without seeing a result), "one" (the same points
    for all caps, chosen one after the other for all of them together) or "half" (as "each", but
    half of the training runs are known).
    """
    found = case(folder, key["workload"], key["target"])
    planned = found if key["how"] != "half" else halved(folder, key)
    caps_w = found.caps_w(CAPS)
    points, seed = int(key["points"]), int(key["seed"])
    begin = started(planned, points, seed)
    planners = _planners(planned, str(key["how"]), caps_w, points, seed, begin)
    return [
        judged(found, planner, float(cap_w))
        for planner, cap_w in zip(planners, caps_w, strict=True)
    ]


def _planners(
    planned: Replayed, how: str, caps_w: Array, points: int, seed: int, begin: Surface
) -> list[Planner]:
    """A planner for every cap, from its own points or from those of all."""
    if how == "blind":
        need = planned.efficiency.of(planned.space.batch)
        cells = fixed_design(planned.space, need, points, np.random.default_rng(seed))
        begin = seen(planned, cells, seed)
        return [_planner(planned, begin.belief())] * len(caps_w)
    if how == "one":
        belief = planned.profile(caps_w.tolist(), points=points, seed=seed, begin=begin).belief
        return [_planner(planned, belief)] * len(caps_w)
    return [
        _planner(planned, planned.profile([float(w)], points=points, seed=seed, begin=begin).belief)
        for w in caps_w
    ]


def _planner(planned: Replayed, belief: Belief) -> Planner:
    return Planner(planned.space, belief, planned.efficiency)


def seen(planned: Replayed, cells: Sequence[int], seed: int) -> Surface:
    """A surface on which these cells were measured."""
    surface = Surface(planned.space, seed=seed)
    known = known_belief(planned.grid)
    for at in cells:
        surface.add(at, point_of(known, at))
    surface.belief()
    return surface


def started(planned: Replayed, points: int, seed: int) -> Surface:
    """The spread cells with which every profile of a case begins, fitted once for all caps."""
    cells = first_cells(planned.space, first_count(points), np.random.default_rng(seed))
    return seen(planned, cells, seed)


def point_of(belief: Belief, at: int) -> Any:
    """A cell of a known belief as a measured point."""
    from edgetwin.systems.planner.surface import Point

    return Point(
        time_s=float(belief.time_s[at]), mean_w=float(belief.mean_w[at]),
        peak_w=float(belief.peak_w[at]),
    )  # fmt: skip


def halved(folder: Path, key: Mapping[str, Any]) -> Replayed:
    """The case with half of the training runs of every batch size, drawn by the seed.

    Batch sizes of which no drawn run arrived cannot be chosen.
    """
    grids, runs = tables(folder)
    of_name = runs[key["workload"].split("/", 1)[1]]
    rng = np.random.default_rng([int(key["seed"]), 5])
    kept = {}
    for batch, by_target in of_name.needed.items():
        n = len(by_target[key["target"]])
        kept[batch] = sorted(rng.permutation(n)[: max(1, (n + 1) // 2)].tolist())
    return replayed(grids[key["workload"]], of_name.some(kept), key["target"])


def judged(found: Replayed, planner: Planner, cap_w: float) -> dict[str, Any]:
    """The choice under a cap against the truth: gap, baselines' times, whether it breaks the cap.

    gap is None where the profile found nothing below the cap.
    """
    truth = found.truth
    best_s = float(np.min(truth.time_s[truth.belief.peak_w <= cap_w]))
    others = usual(None, found.space.batches, 0)
    cells = {name: others[name](truth, cap_w) for name in BASELINES}
    largest = cells[FIXED_LARGEST]
    record: dict[str, Any] = {
        "cap_w": cap_w, "best_s": best_s, "flat": found.is_flat,
        "baselines_s": {
            name: None if at is None else float(truth.time_s[at]) for name, at in cells.items()
        },
        "baseline_measured": None if largest is None else is_measured(
            planner, found.space.label(largest)
        ),
    }  # fmt: skip
    try:
        choice = planner.plan(cap_w).choice
    except ValueError:
        fits = planner.belief.is_measured & (planner.belief.peak_w <= cap_w)
        return record | {"gap": None, "time_s": None, "over": False, "missed": bool(fits.any())}
    label = choice.label
    at = found.space.find(label["batch"], label["limit_w"])
    time_s, power_w = float(truth.time_s[at]), float(truth.belief.peak_w[at])
    has_measured = bool((planner.belief.is_measured & (planner.belief.peak_w <= cap_w)).any())
    return record | {
        "gap": time_s / best_s - 1.0,
        "time_s": time_s,
        "over": power_w > cap_w and has_measured,
        "missed": power_w > cap_w and not has_measured,
    }


def is_measured(planner: Planner, label: Mapping[str, Any]) -> bool:
    """Whether a cell of a grid was measured; not where its batch was left out of the plan."""
    try:
        at = planner.space.find(label["batch"], label["limit_w"])
    except KeyError:
        return False
    return bool(planner.belief.is_measured[at])


def summary(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean, 95th percentile and exact share of gaps; an empty-handed choice counts as a miss."""
    gaps = np.array([np.nan if r["gap"] is None or r["missed"] else r["gap"] for r in records])
    known = gaps[np.isfinite(gaps)]
    return {
        "n": float(len(gaps)),
        "mean_gap": float(known.mean()),
        "p95_gap": float(np.quantile(known, 0.95)),
        "worst_gap": float(known.max()),
        "exact_share": float((np.nan_to_num(gaps, nan=1.0) < 1e-9).mean()),
        "nothing_found_share": float(np.isnan(gaps).mean()),
    }


def efficiency_of(folder: Path, workload: str, target: float) -> Efficiency:
    """The efficiency of a workload's training runs."""
    return tables(folder)[1][workload].efficiency(target)
