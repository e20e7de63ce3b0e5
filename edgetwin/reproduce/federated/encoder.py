"""A real encoder: FLOPs to an equal held-out loss, every method tuned by the same search.

The upper layers and the head of the wheel's encoder are trained on two tasks: films (SST-2, where
EDGETWIN_DATA holds it) and docstrings. What is frozen below is computed once. FLOPs are those of
the forward passes of what is trained.
"""

import copy
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from edgetwin.systems.federated.setup import Setup
    from edgetwin.systems.federated.sources import Material

Array = NDArray[np.float64]
Curve = Sequence[Sequence[float]]
"""Points (FLOPs, held-out loss, accuracy)."""

TASKS: Final = ("docstrings", "sst2")
LOOKS: Final = 8
TESTED: Final = 800


def setup_of(
    task: str, method: str, settings: Mapping[str, Any], seed: int, device: str = "cpu"
) -> "Setup":
    """Two layers and the head, four clients with uneven classes, two of them a round."""
    from edgetwin.systems.federated.setup import Setup

    files: dict[str, Any] = {}
    if task == "sst2":
        files = {name: str(path) for name, path in sst2_files().items()}
    return Setup(
        method=method, settings=dict(settings), model="minilm", task=task, trained="last:3",
        longest=24, most=2000, clients=4, per_round=2, batch=16, alpha=1.0, seed=seed,
        device=device, **files,
    )  # fmt: skip


def sst2_files() -> dict[str, Path]:
    """Where SST-2 lies; FileNotFoundError without EDGETWIN_DATA."""
    folder = Path(os.environ.get("EDGETWIN_DATA", "")) / "sst2"
    found = {"train": folder / "train.tsv", "test": folder / "dev.tsv"}
    if not os.environ.get("EDGETWIN_DATA") or not all(p.is_file() for p in found.values()):
        raise FileNotFoundError("SST-2 needs EDGETWIN_DATA with sst2/train.tsv and sst2/dev.tsv")
    return found


@cache
def material(task: str, device: str = "cpu") -> "Material":
    """Model and examples of a task; every run of a process starts from the same."""
    from edgetwin.systems.federated.data.examples import KeptExamples
    from edgetwin.systems.federated.sources import load_material

    s = setup_of(task, "fedzo", {}, 0)
    model, train, test = load_material(
        s.model, s.task, s.train, s.test, trained=s.trained, longest=s.longest, most=s.most,
        device=device,
    )  # fmt: skip
    assert isinstance(test, KeptExamples)
    return model, train, test.first(TESTED)


def learn(
    task: str,
    method: str,
    settings: Mapping[str, Any],
    seed: int,
    budget_flops: float,
    most_rounds: int | None = None,
    looks: int = LOOKS,
    device: str = "cpu",
) -> list[list[float]]:
    """The curve of one federation until its clients have spent the budget, or rounds are over.

    Its points are the start and `looks` more.
    """
    from edgetwin.systems.federated.setup import build

    model, train, test = material(task, device)
    shop = build(
        setup_of(task, method, settings, seed, device), (copy.deepcopy(model), train, test)
    )
    server = shop.server()
    federation = shop.federation(server)
    spent, curve = 0.0, [[0.0, *shop.score().values()]]
    while spent < budget_flops and server.version != most_rounds:
        version, asked = server.version, shop.participants(server.version)
        try:
            federation.round(asked)
        except OverflowError:  # the weights have left the grid: it diverged
            return [*curve, [budget_flops, float("inf"), 0.0]]
        spent += sum(shop.step_flops(client, version) for client in asked)
        if spent >= budget_flops * len(curve) / looks or server.version == most_rounds:
            curve.append([spent, *shop.score().values()])
    return curve


def equal_loss_flops(ours: Curve, other: Curve) -> tuple[float, float]:
    """FLOPs that each needs to the loss that both reach: the worse of the two ends.

    Curves are first made to fall only (isotonic regression), so one of the two spends about its
    whole budget.
    """
    falling = [_falling(curve) for curve in (ours, other)]
    loss = max(float(losses[-1]) for _, losses in falling)
    first, second = (_flops_to(flops, losses, loss) for flops, losses in falling)
    return first, second


def _falling(curve: Curve) -> tuple[Array, Array]:
    from scipy.optimize import isotonic_regression

    flops, losses, _ = np.array(curve, float).T
    return flops, isotonic_regression(np.minimum(losses, 1e3), increasing=False).x


def _flops_to(flops: Array, losses: Array, loss: float) -> float:
    """Where a falling curve first reaches a loss, straight between its points."""
    k = int(np.flatnonzero(losses <= loss)[0])
    if k == 0:
        return float(flops[1])  # no better than untrained: one look
    share = (losses[k - 1] - loss) / (losses[k - 1] - losses[k])
    return float(flops[k - 1] + share * (flops[k] - flops[k - 1]))
