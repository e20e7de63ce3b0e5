"""Handwritten digits and a residual perceptron: small enough for many seeds of every method."""

from collections.abc import Mapping
from typing import Any

import numpy as np

BATCH = 32
LOOK_FLOPS = 0.2e9  # between two looks at the test accuracy, the same for every method


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

    from edgetwin.systems.federated.batch import moved
    from edgetwin.systems.federated.data.digits import digits
    from edgetwin.systems.federated.methods import make_method
    from edgetwin.systems.federated.mlp import ResidualMLP
    from edgetwin.systems.federated.noise.bits import derived_seed

    train, test = digits()
    looked_at = moved(test.batch(np.arange(len(test.labels))), device)
    model = ResidualMLP(seed=seed)
    for block in model.blocks:
        block.to(device)
    made = make_method(method, model, **settings)
    rng = np.random.default_rng([seed, 10])
    spent, looked, best = 0.0, 0.0, 0.0
    step = 0
    while spent < budget_flops:
        rows = rng.integers(0, len(train.labels), BATCH)
        batch = moved(train.batch(rows), device)
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
                right = (model(looked_at).argmax(1) == looked_at.labels).float().mean()
            best = max(best, float(right))
            if right >= target:
                return {"flops": spent, "best": best}
    return {"flops": None, "best": best}
