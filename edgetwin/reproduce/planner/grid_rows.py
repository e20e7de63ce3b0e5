"""Rows of the study that rest on the measured grids of V100 and A40."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgetwin.cells import CellStore, run_cells
from edgetwin.intervals import summarise
from edgetwin.reproduce.planner import grids
from edgetwin.studies import Figure, absent, row
from edgetwin.systems.planner.baselines import FIXED_LARGEST, FIXED_MEDIAN

SEEDS, QUICK_SEEDS = 20, 2
OTHER_SEEDS, OTHER_QUICK = 5, 1
POINTS: Final = 15
STATIC_PROTOTYPE: Final = 0.05  # the better end of the prototype's 5 to 8 %
OTHERS: Final = ((10, "each"), (6, "each"), (15, "one"), (15, "blind"), (15, "half"))

Records = dict[str, list[dict[str, Any]]]


def data_folder() -> Path | None:
    """Where the measured grids are: EDGETWIN_DATA, or None."""
    folder = Path(os.environ.get("EDGETWIN_DATA", "missing"))
    files = (*grids.POWER.values(), grids.TRAIN)
    return folder if all((folder / file).is_file() for file in files) else None


def keys_of(folder: Path, points: int, how: str, seeds: int) -> list[dict[str, Any]]:
    """One cell of the store per workload, target and seed."""
    return [
        {"workload": name, "target": target, "seed": seed, "points": points, "how": how}
        for name, target in grids.cases(folder)
        for seed in range(seeds)
    ]


def records(store: CellStore, folder: Path, points: int, how: str, seeds: int) -> Records:
    """All choices by workload."""
    keys = keys_of(folder, points, how, seeds)
    found: Records = {}
    values = run_cells(store, keys, partial(grids.choices, folder))
    for key, value in zip(keys, values, strict=True):
        more = {"target": key["target"], "seed": key["seed"]}
        found.setdefault(key["workload"], []).extend({**each, **more} for each in value)
    return found


def joined(found: Records) -> list[dict[str, Any]]:
    """The choices of all workloads."""
    return [record for of_workload in found.values() for record in of_workload]


def no_data() -> dict[str, Any]:
    """A row without the measured grids."""
    return absent("EDGETWIN_DATA names no folder with zeus_gpu; set it to measure this row.")


def choice_row(store: CellStore, quick: bool) -> dict[str, Any]:
    """Fifteen points for every cap: the gap to brute force."""
    folder = data_folder()
    if folder is None:
        return no_data()
    seeds = QUICK_SEEDS if quick else SEEDS
    found = records(store, folder, POINTS, "each", seeds)
    whole = grids.summary(joined(found))
    return row(
        {
            "mean_gap": Figure(value=whole["mean_gap"], bar=0.02),
            "p95_gap": Figure(value=whole["p95_gap"], bar=0.05),
            "exact_share": Figure(value=whole["exact_share"], bar=0.90, at_least=True),
        },
        n=int(whole["n"]), seeds=seeds, points=POINTS, worst_gap=whole["worst_gap"],
        nothing_found_share=whole["nothing_found_share"],
        without_flat=grids.summary([r for r in joined(found) if not r["flat"]]),
        by_workload={name: grids.summary(of_name) for name, of_name in found.items()},
    )  # fmt: skip


def fewer_row(store: CellStore, quick: bool) -> dict[str, Any]:
    """Fewer points, one design for all caps, half of the training runs; intervals over seeds.

    Two designs serve all caps: one whose points follow one another, each chosen from what the ones
    before have shown, for all caps together; and one that is fixed before anything is measured.
    Both are held against what the prototype had.
    """
    folder = data_folder()
    if folder is None:
        return no_data()
    seeds = OTHER_QUICK if quick else OTHER_SEEDS
    found = {
        f"{points}_points_{how}": joined(records(store, folder, points, how, seeds))
        for points, how in OTHERS
    }
    gaps = {how: grids.summary(found[f"15_points_{how}"])["mean_gap"] for how in ("one", "blind")}
    return row(
        {
            "one_design_chosen_while_measuring_mean_gap": Figure(
                value=gaps["one"], bar=STATIC_PROTOTYPE
            ),
            "one_design_fixed_beforehand_mean_gap": Figure(
                value=gaps["blind"], bar=STATIC_PROTOTYPE
            ),
        },
        seeds=seeds,
        by_way={
            name: {**grids.summary(of_way), "over_seeds": _by_seed(of_way)}
            for name, of_way in found.items()
        },
    )  # fmt: skip


def _by_seed(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean gap as mean and interval over seeds."""
    seeds = sorted({record["seed"] for record in found})
    runs = [{"mean_gap": grids.summary([r for r in found if r["seed"] == s])["mean_gap"]}
            for s in seeds]  # fmt: skip
    return summarise(runs, ["mean_gap"])["mean_gap"]


def cap_row(store: CellStore, quick: bool) -> dict[str, Any]:
    """No choice above its cap where a measured cell below it exists."""
    folder = data_folder()
    if folder is None:
        return no_data()
    found = joined(records(store, folder, POINTS, "each", QUICK_SEEDS if quick else SEEDS))
    name, target = grids.cases(folder)[0]
    case = grids.case(folder, name, target)
    below_all_w = 0.5 * float(case.grid.power_w.min())
    try:
        case.plan(below_all_w)
        says = "no error"
    except ValueError as error:
        says = str(error)
    names_lowest = "the lowest power is" in says
    return row(
        {
            "choices_over_cap": Figure(value=sum(r["over"] for r in found), bar=0),
            "error_names_the_lowest": Figure(value=float(names_lowest), bar=1, at_least=True),
        },
        n=len(found), empty_handed=sum(r["gap"] is None for r in found), error=says,
    )  # fmt: skip


def baseline_row(store: CellStore, quick: bool) -> dict[str, Any]:
    """Against the user of a fixed batch who lowers the clock: largest batch, and median batch.

    The profile measures what the user of the largest batch would choose, whatever it is.
    """
    folder = data_folder()
    if folder is None:
        return no_data()
    found = records(store, folder, POINTS, "each", QUICK_SEEDS if quick else SEEDS)
    largest = _against(found, FIXED_LARGEST)
    median = _against(found, FIXED_MEDIAN)
    no_ncf = {name: of_name for name, of_name in found.items() if "ncf" not in name}
    seen = [r["baseline_measured"] for r in joined(found) if r["baseline_measured"] is not None]
    return row(
        {
            "largest_measured": Figure(value=float(np.mean(seen)), bar=1, at_least=True),
            "slower_than_largest": Figure(value=largest["slower"], bar=0),
            "slower_than_median": Figure(value=median["slower"], bar=0),
            "speedup_over_largest": Figure(value=largest["mean"], bar=1.3, at_least=True),
            "speedup_over_median_without_ncf": Figure(
                value=_against(no_ncf, FIXED_MEDIAN)["mean"], bar=1.1, at_least=True
            ),
        },
        largest=largest, median=median,
        by_workload=dict(_by_workload(found)),
    )  # fmt: skip


def _against(found: Records, baseline: str) -> dict[str, Any]:
    """Geometric mean and best of baseline time over ours; ties and infeasible cells apart."""
    all_ = [r for r in joined(found) if r["time_s"] is not None]
    infeasible = sum(r["baselines_s"][baseline] is None for r in all_)
    ratios = np.array([
        r["baselines_s"][baseline] / r["time_s"]
        for r in all_ if r["baselines_s"][baseline] is not None
    ])  # fmt: skip
    ties = np.abs(ratios - 1.0) < 1e-9
    return {
        "n": len(ratios),
        "mean": float(np.exp(np.log(ratios).mean())),
        "mean_without_ties": float(np.exp(np.log(ratios[~ties]).mean())) if (~ties).any() else 1.0,
        "best": float(ratios.max()),
        "slower": int((ratios < 1.0 - 1e-9).sum()),
        "ties": int(ties.sum()),
        "baseline_infeasible": infeasible,
    }


def _by_workload(found: Records) -> Iterator[tuple[str, dict[str, Any]]]:
    """Speed-up of every cap of a workload's hardest target, mean over seeds."""
    for name, of_name in found.items():
        hardest = of_name[0]["target"]
        caps = sorted({r["cap_w"] for r in of_name if r["target"] == hardest})
        yield (
            name,
            {
                f"{cap_w:.1f} W": {
                    baseline: _mean_ratio(
                        [r for r in of_name if r["target"] == hardest and r["cap_w"] == cap_w],
                        baseline,
                    )
                    for baseline in grids.BASELINES
                }
                for cap_w in caps
            },
        )


def _mean_ratio(found: Sequence[Mapping[str, Any]], baseline: str) -> float | None:
    ratios = [
        r["baselines_s"][baseline] / r["time_s"]
        for r in found if r["time_s"] is not None and r["baselines_s"][baseline] is not None
    ]  # fmt: skip
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else None
