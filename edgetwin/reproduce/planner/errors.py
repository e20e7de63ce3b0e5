"""What cannot be planned is said in one line that names what can."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgetwin.cells import CellStore
from edgetwin.factory import make_backend
from edgetwin.studies import Figure, row
from edgetwin.systems.planner.efficiency import table_efficiency
from edgetwin.systems.planner.launch import BoardSession, train
from edgetwin.systems.planner.meter import Care
from edgetwin.systems.planner.on_board import Task, board_task
from edgetwin.systems.planner.replayed import read_replayed
from edgetwin.systems.planner.saved import Order
from hw_models.board import load_board
from hw_models.workloads import load_network

HEAD: Final = "dataset,network,batch_size,optimizer,power_limit,time_per_epoch,average_power"
TRAIN_HEAD: Final = (
    "dataset,network,batch_size,optimizer,learning_rate,run,target_metric,target_epoch"
)


def error_row(store: CellStore, quick: bool) -> dict[str, Any]:
    """Five things that cannot be planned: a clear error each, with the nearest feasible choice."""
    cases: dict[str, tuple[Callable[[], object], str]] = {
        "infeasible cap": (lambda: _cap(1.02), "the lowest power is"),
        "cap below idle": (lambda: _cap(0.3), "the lowest power is"),
        "batch beyond memory": (_memory, "the largest"),
        "NaN in the grid": (_nan_in_grid, "nearest"),
        "no hook": (_no_hook, "the plan stands"),
    }
    says = {name: _message(act) for name, (act, _) in cases.items()}
    clear = [cases[name][1] in text and "\n" not in text for name, text in says.items()]
    return row(
        {"clear_errors": Figure(value=float(np.mean(clear)), bar=1.0, at_least=True)},
        errors=says, n=len(cases),
    )  # fmt: skip


def _message(act: Callable[[], object]) -> str:
    try:
        act()
    except ValueError as error:
        return str(error)
    return "no error"


def _task(network: str = "resnet-18-cifar", batches: tuple[int, ...] = (16, 64)) -> Task:
    needed = table_efficiency(dict.fromkeys((16, 64, 65_536), 1e5))
    return board_task(load_board("jetson-nano"), load_network(network), needed, batches=batches)


def _cap(share: float) -> object:
    """A cap of that share of what the board draws at its lowest clock."""
    task = _task()
    meter = task.meter(make_backend("sim", board=task.board), Care(longest_s=0.0))
    idle_w = make_backend("sim", board=task.board).reset().power_w or {}
    lowest_w = float(idle_w[meter.rail] or 1.0)
    return task.plan(meter, share * lowest_w, points=5)


def _memory() -> object:
    return _task(batches=(16, 65_536))


def _nan_in_grid() -> object:
    with tempfile.TemporaryDirectory() as folder:
        power, runs = Path(folder) / "power.csv", Path(folder) / "train.csv"
        rows = [f"d,n,{b},o,{w},{100 / b + w},{'nan' if (b, w) == (8, 200) else w}"
                for b in (8, 16, 32) for w in (100, 150, 200)]  # fmt: skip
        power.write_text("\n".join([HEAD, *rows]) + "\n")
        tries = [f"d,n,{b},o,0.1,{run},0.5,{b}" for b in (8, 16, 32) for run in (1, 2)]
        runs.write_text("\n".join([TRAIN_HEAD, *tries]) + "\n")
        try:
            return read_replayed(power, runs)
        except ValueError as error:
            # The study's files are nobody's: their folder says nothing.
            raise ValueError(str(error).replace(f"{folder}/", "")) from None


def _no_hook() -> object:
    task = _task()
    order = Order(batch=16, freq_hz={"gpu": 460.8e6}, predicted={})
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.py"
        script.write_text("print(end='')\n")
        backend = make_backend("sim", board=task.board)
        return train(script, BoardSession(backend, order, task.network))
