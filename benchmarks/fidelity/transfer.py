"""Learning curves of transfer on the measured grids: TX2 networks, sibling GPUs, workloads."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.fidelity.data import on_data
from benchmarks.fidelity.latency import FILE as LATENCY_FILE
from benchmarks.fidelity.zeus import FILES, all_grids, is_judged
from edgetwin.studies import Figure, row
from hw_models.board import load_board
from hw_models.fit import grid_task, latency_tasks, learning_curve
from hw_models.fit.tasks import CurvePoint, Task
from hw_models.tables import Grid, read_latency_table

# Each workload is carried to the next one of the same GPU.
WORKLOADS = (
    "cifar100/shufflenetv2/adadelta", "squad/bert_base_uncased/adamw",
    "imagenet/resnet50/adadelta", "librispeech/deepspeech2/adamw",
    "sentiment140/bert_base_uncased/adamw", "movielens-1m/ncf/adam",
)  # fmt: skip


@on_data(LATENCY_FILE, *FILES.values())
def measure(folder: Path, quick: bool) -> dict[str, Any]:
    """How far the twin, a carried network and interpolation are off as points are added.

    The figure is the error of the twin over that of the better of the two others, worst over all
    curves and numbers of points; below 1 it wins everywhere.
    """
    seeds = range(1 if quick else 4)
    table = read_latency_table(folder / LATENCY_FILE)
    grids = {name: grid for name, grid in all_grids(folder).items() if is_judged(name)}
    few, many = (2, 3, 4, 6, 8), (5, 15) if quick else (5, 15, 50)
    cases: dict[str, tuple[Sequence[Task], tuple[int, ...]]] = {
        "tx2_other_networks": (latency_tasks(table, table), few),
        "tx2_board": (latency_tasks(load_board("jetson-tx2"), table), few),
        "a40_to_v100": (_siblings(grids, "a40", "v100"), many),
        "v100_to_a40": (_siblings(grids, "v100", "a40"), many),
        "v100_workloads": (_workloads(grids, "v100"), many),
        "a40_workloads": (_workloads(grids, "a40"), many),
    }
    curves = {name: learning_curve(tasks, ks, seeds) for name, (tasks, ks) in cases.items()}
    worst = max(_ratio(curve) for curve in curves.values())
    shown = {name: [_shown(point) for point in curve] for name, curve in curves.items()}
    return row({"of_the_better_other": Figure(value=worst, bar=1.0)}, curves=shown)


def _siblings(grids: dict[str, Grid], source: str, target: str) -> list[Task]:
    return [
        grid_task(grids[f"{source}/{name}"], grids[f"{target}/{name}"], is_same_board=False)
        for name in WORKLOADS
    ]


def _workloads(grids: dict[str, Grid], gpu: str) -> list[Task]:
    following = (*WORKLOADS[1:], WORKLOADS[0])
    return [
        grid_task(grids[f"{gpu}/{a}"], grids[f"{gpu}/{b}"], is_same_board=True)
        for a, b in zip(WORKLOADS, following, strict=True)
    ]


def _ratio(curve: Sequence[CurvePoint]) -> float:
    """The twin's error over the better other's, worst over numbers of points and responses."""
    mape = {(p.k, p.response, p.method): p.mape for p in curve}
    others = ("powertrain", "interpolation")
    return max(
        value / min(mape[k, response, other] for other in others)
        for (k, response, method), value in mape.items()
        if method == "twin"
    )


def _shown(point: CurvePoint) -> dict[str, Any]:
    return {
        "k": point.k, "method": point.method, "of": point.response, "mape": point.mape,
        "low": point.low, "high": point.high, "n": point.n,
    }  # fmt: skip
