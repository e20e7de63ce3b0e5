"""A small CNN learns the 8x8 digits of scikit-learn: `edgetwin train digits-cnn --plan plan.json`.

The data of the device are the second half of the training images; the proxy split, on which batch
sizes are tried, is the first half. SGD with momentum, learning rate 0.03 at batch 32.
"""

from typing import Any

import numpy as np
import torch
from torch import nn

from edgetwin.systems.planner.hook import training_hook

NETWORK = "digits-cnn"
TARGET = 0.95
IS_FALLING = False  # the metric is an accuracy
MOST_SAMPLES = 60_000
EVALUATE_EVERY = 512  # samples


def data(is_proxy: bool) -> tuple[torch.Tensor, ...]:
    """Images (n, 1, 8, 8) in [0, 1] and labels, for training and for testing."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    x = torch.tensor(images[order] / 16.0, dtype=torch.float32).reshape(-1, 1, 8, 8)
    y = torch.tensor(labels[order])
    train = slice(0, 700) if is_proxy else slice(700, 1400)
    return x[train], y[train], x[1400:], y[1400:]


def model() -> nn.Module:
    """Two convolutions and two dense layers, as in hw_models.workloads."""
    from hw_models.workloads.nets import NETWORKS

    built: nn.Module = NETWORKS[NETWORK].build()
    return built


def main() -> None:
    """Train until the target accuracy, or until MOST_SAMPLES were seen."""
    hook = training_hook(batch=32)
    torch.manual_seed(hook.seed)
    x, y, test_x, test_y = data(hook.is_proxy)
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.03 * hook.rate_factor, momentum=0.9)
    seen, looked = 0, 0
    while seen < MOST_SAMPLES:
        at = torch.randint(len(x), (hook.batch,))
        loss = nn.functional.cross_entropy(net(x[at]), y[at])
        optimizer.zero_grad()
        backward: Any = loss.backward
        backward()
        optimizer.step()
        hook.step(net.parameters())
        seen += len(at)
        if seen // EVALUATE_EVERY > looked:
            looked = seen // EVALUATE_EVERY
            with torch.no_grad():
                right = (net(test_x).argmax(dim=1) == test_y).float().mean()
            if hook.report(float(right)):
                return


if __name__ == "__main__":
    main()
