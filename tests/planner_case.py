"""A grid that follows the form of hw_models, small enough to be planned for in a test."""

from pathlib import Path

import numpy as np

from edgetwin.systems.planner.efficiency import Efficiency, table_efficiency
from edgetwin.systems.planner.replayed import Replayed
from edgetwin.systems.planner.space import Space
from hw_models.fit.grid_model import ln_grid
from hw_models.tables import Grid

TYPICAL = np.log(
    [10.0, 8.0, 16.0, 2.5, 0.1, 0.1, 0.1, 40.0, 220.0, 20.0, 1.7, 0.25, 1.0, 0.15, 5.0]
)
BATCHES = (8, 16, 32, 64, 128, 256)
LIMITS = (100.0, 125.0, 150.0, 175.0, 200.0, 225.0, 250.0)
NEEDED = {8: 16.0, 16: 14.0, 32: 13.0, 64: 14.0, 128: 18.0, 256: 30.0}
POWER_HEAD = "dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power"
TRAIN_HEAD = "dataset,network,batch_size,optimizer,learning_rate,run,target_metric,target_epoch"


def made_grid(noise: float = 0.01, seed: int = 0) -> Grid:
    """Six batch sizes by seven limits, each cell off by some share."""
    batch, limit = (a.ravel() for a in np.meshgrid(BATCHES, LIMITS, indexing="ij"))
    off = noise * np.random.default_rng(seed).standard_normal((2, len(batch)))
    time_s, power_w = np.exp(
        ln_grid(TYPICAL, batch.astype(float), limit, True, np.array([256.0, 250.0])) + off
    )
    return Grid(
        workload="d/n/o", knob="limit_w", batch=batch.astype(float), setting=limit,
        time_s=time_s, power_w=power_w,
    )  # fmt: skip


def made_case(seed: int = 0, efficiency: Efficiency | None = None) -> Replayed:
    """The grid with batch sizes that need epochs in the shape of a measured workload."""
    grid = made_grid(seed=seed)
    space = Space(batch=grid.batch, setting=grid.setting, knob="limit_w")
    needed = table_efficiency(NEEDED, unit="epochs") if efficiency is None else efficiency
    return Replayed(name="d/n/o", space=space, grid=grid, efficiency=needed)


def written(folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """The grid and three training runs of each batch size as files in the format of Zeus."""
    grid = made_grid(seed=seed)
    rows = [
        f"d,n,{b:g},o,{w:g},{t},{p}"
        for b, w, t, p in zip(grid.batch, grid.setting, grid.time_s, grid.power_w, strict=True)
    ]
    power, train = folder / "power.csv", folder / "train.csv"
    power.write_text("\n".join([POWER_HEAD, *rows]) + "\n", encoding="utf-8")
    runs = [
        f"d,n,{b},o,0.1,{run},{target},{needed * share:g}"
        for b, needed in NEEDED.items() for run in (1, 2, 3)
        for target, share in ((0.5, 0.5), (0.6, 1.0))
    ]  # fmt: skip
    train.write_text("\n".join([TRAIN_HEAD, *runs]) + "\n", encoding="utf-8")
    return power, train
