"""V100 and A40 training grids: fitted on 15 cells per workload, judged on all others."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fidelity.data import on_data
from edgetwin.studies import Figure, row
from hw_models.fit import fit_grid, space_filling
from hw_models.tables import Grid, read_grids

FILES = {"v100": "zeus_gpu/summary_power_v100.csv", "a40": "zeus_gpu/summary_power_a40.csv"}
OPTIMIZER_OF = {"cifar100/shufflenetv2": "adadelta"}  # one optimizer per workload
POINTS, DESIGNS = 15, 20


@on_data(*FILES.values())
def measure(folder: Path, quick: bool) -> dict[str, Any]:
    """MAPE on the unmeasured cells, mean over workloads and of the worst, over seeded designs."""
    grids = all_grids(folder)
    seeds = range(3 if quick else DESIGNS)
    by_grid = {name: mean_errors(grid, POINTS, seeds) for name, grid in grids.items()}
    judged = {name: errors for name, errors in by_grid.items() if is_judged(name)}
    slow, hungry = (np.array([errors[key] for errors in judged.values()]) for key in ERRORS)
    return row(
        {
            "time_mean": Figure(value=float(slow.mean()), bar=0.04),
            "time_worst": Figure(value=float(slow.max()), bar=0.07),
            "power_mean": Figure(value=float(hungry.mean()), bar=0.025),
            "power_worst": Figure(value=float(hungry.max()), bar=0.05),
        },
        by_grid=by_grid,
        judged=list(judged),
        points=POINTS,
        designs=len(seeds),
    )


ERRORS = ("time_mape", "power_mape")


def all_grids(folder: Path) -> dict[str, Grid]:
    """Every workload of both GPUs, named gpu/dataset/network/optimizer."""
    return {
        f"{gpu}/{name}": grid
        for gpu, file in FILES.items()
        for name, grid in read_grids(folder / file).items()
    }


def is_judged(name: str) -> bool:
    """One optimizer per workload is judged; the other is reported beside it."""
    workload, optimizer = name.split("/", 1)[1].rsplit("/", 1)
    return OPTIMIZER_OF.get(workload, optimizer) == optimizer


def mean_errors(grid: Grid, points: int, seeds: range) -> dict[str, float]:
    """MAPE of time and power and coverage of their 90 % intervals, means over designs."""
    found = [errors(grid, points, seed) for seed in seeds]
    return {key: float(np.mean([each[key] for each in found])) for key in found[0]}


def errors(grid: Grid, points: int, seed: int) -> dict[str, float]:
    """The same of one design."""
    used = space_filling((grid.batch, grid.setting), points, np.random.default_rng(seed))
    rest = grid.take(np.setdiff1d(np.arange(len(grid.batch)), used))
    fit = fit_grid(
        grid.take(used),
        batches=(grid.batch.min(), grid.batch.max()),
        settings=(grid.setting.min(), grid.setting.max()),
        seed=seed,
    )
    said = fit.predict(rest.batch, rest.setting)
    found = {}
    for name, mean, share, real in (
        ("time", said.time_s, said.time_share, rest.time_s),
        ("power", said.power_w, said.power_share, rest.power_w),
    ):
        found[f"{name}_mape"] = float(np.mean(np.abs(mean / real - 1)))
        found[f"{name}_coverage_of_90_percent"] = float(
            np.mean(np.abs(np.log(mean / real)) < 1.645 * share)
        )
    return found
