"""Handwritten digits and a residual perceptron: small enough for many seeds of every method."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from edgetwin.systems.federated.batch import Batch

TRAIN = 1297  # of 1797; the rest are for the test
BATCH = 32
LOOK_FLOPS = 0.2e9  # between two looks at the test accuracy, the same for every method


@cache
def digits() -> tuple["Batch", "Batch"]:
    """Training and test digits (Alpaydin and Kaynak, UCI, as scikit-learn ships them), 8 x 8."""
    import torch
    from sklearn.datasets import load_digits

    from edgetwin.systems.federated.batch import Batch

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(pixels))
    x = torch.from_numpy((pixels[order] / 8 - 1).astype(np.float32))
    y = torch.from_numpy(labels[order].astype(np.int64))
    train = Batch(inputs={"x": x[:TRAIN]}, labels=y[:TRAIN])
    return train, Batch(inputs={"x": x[TRAIN:]}, labels=y[TRAIN:])


def reach(
    method: str,
    settings: Mapping[str, Any],
    seed: int,
    budget_flops: float,
    target: float = 0.9,
    device: str = "cpu",
) -> dict[str, float | None]:
    """FLOPs at which one client's test accuracy first reaches the target, and its best accuracy.

    The FLOPs are those of the method's forward passes; None where the budget ends first or the
    weights leave the grid. Weights and batches are drawn from the seed.
    """
    import torch

    from edgetwin.systems.federated.batch import Batch, moved
    from edgetwin.systems.federated.methods import make_method
    from edgetwin.systems.federated.mlp import ResidualMLP
    from edgetwin.systems.federated.noise.bits import derived_seed

    train, test = (moved(part, device) for part in digits())
    model = ResidualMLP(seed=seed)
    for block in model.blocks:
        block.to(device)
    made = make_method(method, model, **settings)
    rng = np.random.default_rng([seed, 10])
    spent, looked, best = 0.0, 0.0, 0.0
    step = 0
    while spent < budget_flops:
        rows = torch.from_numpy(rng.integers(0, TRAIN, BATCH)).to(device)
        batch = Batch(inputs={"x": train.inputs["x"][rows]}, labels=train.labels[rows])
        packet = made.estimate(batch, derived_seed(seed, step))
        spent += made.flops(batch)
        try:
            made.apply(packet, 1.0)
        except (ValueError, OverflowError):
            return {"flops": None, "best": best}
        step += 1
        if spent - looked >= LOOK_FLOPS:
            looked = spent
            with torch.inference_mode():
                right = (model(test).argmax(1) == test.labels).float().mean()
            best = max(best, float(right))
            if right >= target:
                return {"flops": spent, "best": best}
    return {"flops": None, "best": best}
