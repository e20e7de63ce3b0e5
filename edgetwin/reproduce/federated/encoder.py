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

if TYPE_CHECKING:
    from edgetwin.systems.federated.setup import Setup
    from edgetwin.systems.federated.sources import Material

Curve = Sequence[Sequence[float]]
"""Points (FLOPs, held-out loss, accuracy)."""

TASKS: Final = ("docstrings", "sst2")
LOOKS: Final = 8
TUNING_SEED: Final = 1000


def setup_of(task: str, method: str, settings: Mapping[str, Any], seed: int) -> "Setup":
    """Two layers and the head, four clients with uneven classes, two of them a round."""
    from edgetwin.systems.federated.setup import Setup

    files = {name: str(path) for name, path in sst2_files().items()} if task == "sst2" else {}
    return Setup(
        method=method, settings=dict(settings), model="minilm", task=task, trained="last:3",
        longest=24, most=800, clients=4, per_round=2, batch=8, alpha=1.0, seed=seed, **files,
    )  # fmt: skip


def sst2_files() -> dict[str, Path]:
    """Where SST-2 lies; FileNotFoundError without EDGETWIN_DATA."""
    folder = Path(os.environ.get("EDGETWIN_DATA", "")) / "sst2"
    found = {"train": folder / "train.tsv", "test": folder / "dev.tsv"}
    if not os.environ.get("EDGETWIN_DATA") or not all(p.is_file() for p in found.values()):
        raise FileNotFoundError("SST-2 needs EDGETWIN_DATA with sst2/train.tsv and sst2/dev.tsv")
    return found


@cache
def material(task: str) -> "Material":
    from edgetwin.systems.federated.sources import load_material

    s = setup_of(task, "fedzo", {}, 0)
    return load_material(
        s.model, s.task, s.train, s.test, trained=s.trained, longest=s.longest, most=s.most
    )


def learn(
    task: str,
    method: str,
    settings: Mapping[str, Any],
    seed: int,
    budget_flops: float,
    most_rounds: int | None = None,
) -> list[list[float]]:
    """The curve of one federation until its clients have spent the budget, or rounds are over."""
    from edgetwin.systems.federated.setup import build

    model, train, test = material(task)
    shop = build(setup_of(task, method, settings, seed), (copy.deepcopy(model), train, test))
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
        if spent >= budget_flops * len(curve) / LOOKS or server.version == most_rounds:
            curve.append([spent, *shop.score().values()])
    return curve


def flops_to(curve: Curve, loss: float) -> float:
    """FLOPs at which a curve, made to fall only, first reaches a loss; infinite if never."""
    from scipy.optimize import isotonic_regression

    flops, losses, _ = np.array(curve).T
    smooth = isotonic_regression(np.minimum(losses, 1e3), increasing=False).x
    below = np.flatnonzero(smooth <= loss)
    if not len(below):
        return float("inf")
    k = int(below[0])
    if k == 0:
        return float(flops[0])
    share = (smooth[k - 1] - loss) / (smooth[k - 1] - smooth[k])
    return float(flops[k - 1] + share * (flops[k] - flops[k - 1]))


def gain(ours: Curve, other: Curve) -> float:
    """How many times the FLOPs the other needs to reach the loss that both reach.

    That loss is the worse of the two ends, so that one of the two spends its whole budget.
    """
    from scipy.optimize import isotonic_regression

    ends = [
        isotonic_regression(np.minimum(np.array(c).T[1], 1e3), increasing=False).x[-1]
        for c in (ours, other)
    ]
    return flops_to(other, max(ends)) / flops_to(ours, max(ends))


def interval(gains: Sequence[float], confidence: float = 0.9) -> dict[str, float]:
    """Geometric mean of ratios and its Student-t interval."""
    from scipy.special import stdtrit

    logs = np.log(gains)
    n, mean = len(logs), float(logs.mean())
    half = float(stdtrit(n - 1, 0.5 + confidence / 2) * logs.std(ddof=1) / np.sqrt(n))
    found = {"value": mean, "low": mean - half, "high": mean + half}
    return {name: float(np.exp(value)) for name, value in found.items()}
