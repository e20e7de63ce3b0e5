"""What the twins are trained with in the study: four networks, and what their batch sizes cost.

Efficiency of the digits CNN and the character transformer is measured here, by training the example
scripts; ResNet-18 and MobileNetV2 take that of Zeus cifar100/shufflenetv2/adadelta at 60 %.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from edgetwin.cells import CellStore
from edgetwin.reproduce.planner import grids
from edgetwin.systems.planner.convergence import Noise, Trial, measure_noise, measure_runs
from edgetwin.systems.planner.efficiency import Efficiency, Runs, in_samples
from edgetwin.systems.planner.on_board import Task, board_task
from edgetwin.systems.planner.script import constants_of, find_script
from hw_models.board import load_board
from hw_models.workloads import load_network

BOARDS: Final = ("jetson-tx2", "jetson-tx2-nx", "jetson-nano", "jetson-orin-nano")
SCRIPTS: Final = ("digits-cnn", "char-transformer")
NETWORKS: Final = ("resnet-18-cifar", "mobilenet-v2", "digits-cnn", "char-transformer")
BATCHES: Final = (8, 16, 32, 64, 128, 256)
EPOCH_SAMPLES: Final = 7500.0
ZEUS: Final = ("cifar100/shufflenetv2/adadelta", 0.6)
SOURCES: Final = {
    "resnet-18-cifar": "Zeus cifar100/shufflenetv2/adadelta at 0.6",
    "mobilenet-v2": "Zeus cifar100/shufflenetv2/adadelta at 0.6",
    "digits-cnn": "real training of the example script on its proxy split",
    "char-transformer": "real training of the example script on its proxy split",
}
SAMPLES: Final = 40_000.0


def trial(script: str) -> Trial:
    """How an example script is tried."""
    stated = constants_of(find_script(script))
    return Trial(
        script=script, target=float(stated["TARGET"]), is_falling=bool(stated["IS_FALLING"]),
        budget_samples=SAMPLES,
    )  # fmt: skip


def trained(store: CellStore, script: str, quick: bool) -> Runs:
    """Real runs of an example script at every batch size."""
    return measure_runs(trial(script), BATCHES, range(2 if quick else 5), store)


def noise(script: str, seed: int = 0) -> Noise:
    """The noise scale of a short run at the script's own batch size."""
    return measure_noise(trial(script), None, steps=150, seed=seed)


def efficiency(store: CellStore, folder: Path | None, network: str, quick: bool) -> Efficiency:
    """Samples to the target by batch size; ValueError where Zeus is needed and not there."""
    if network in SCRIPTS:
        runs = trained(store, network, quick)
        return runs.efficiency(runs.targets[0])
    if folder is None:
        raise ValueError("EDGETWIN_DATA names no folder with zeus_gpu.")
    epochs = grids.efficiency_of(folder, *ZEUS)
    kept = replace(
        epochs,
        needed={b: n for b, n in epochs.needed.items() if b <= max(BATCHES) * 2},
        share={b: n for b, n in epochs.share.items() if b <= max(BATCHES) * 2},
        source=f"{ZEUS[0]} at {ZEUS[1]} of Zeus, {EPOCH_SAMPLES:g} samples an epoch (assumed)",
    )
    return in_samples(kept, EPOCH_SAMPLES)


def task(board: str, network: str, needed: Efficiency) -> Task:
    """A network on a board with all batch sizes that fit its memory."""
    return board_task(load_board(board), load_network(network), needed)


def as_text(by_batch: Mapping[int, float]) -> dict[str, float]:
    """Numbers by batch size as a key of the store can say them: JSON knows names only."""
    return {str(batch): float(value) for batch, value in by_batch.items()}
