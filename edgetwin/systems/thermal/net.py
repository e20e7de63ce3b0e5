"""The student's network: how its weights are found. The only module that needs torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.thermal.calibration import pooled
from edgetwin.systems.thermal.demos import Rows
from edgetwin.systems.thermal.scores import Score, score

Array32 = NDArray[np.float32]
OUTPUTS: Final = 8
CONTESTED: Final = 4.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained: hidden layers of equal width, Adam with a rate that falls to 0.

    Training ends after `epochs`, or when the checked loss has not fallen for `patience` epochs;
    the weights are those of the epoch with the lowest.
    """

    depth: int = 4
    width: int = 64
    epochs: int = 40
    patience: int = 20
    batch: int = 512
    rate: float = 0.005


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """Weights (n_out, n_in) and biases of every layer, ReLU between; mean and scale of features."""

    weights: tuple[Array32, ...]
    biases: tuple[Array32, ...]
    mean: Array32
    scale: Array32

    def __call__(self, x: Array32) -> Array32:
        """Ratings (rows, 8) of features (rows, 21)."""
        h = (x - self.mean) / self.scale
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = np.maximum(h @ w.T + b, 0.0)
        return np.asarray(h @ self.weights[-1].T + self.biases[-1], np.float32)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A network, the checked loss by epoch, and how it decides on what it was checked with."""

    net: Net
    losses: tuple[float, ...]
    checked: Score


def train(rows: Rows, check: Rows, recipe: Recipe, seed: int) -> Trained:
    """Fit a network to labels by weighted mean square error; the same weights for the same seed."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    mean, scale = rows.x.mean(axis=0), rows.x.std(axis=0)
    scale = np.where(scale > 1e-6, scale, 1.0).astype(np.float32)
    sizes = [rows.x.shape[1], *[recipe.width] * recipe.depth, OUTPUTS]
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
    stack: list[Any] = []
    for layer in layers:
        stack += [layer, torch.nn.ReLU()]
    model = torch.nn.Sequential(*stack[:-1])
    data, checked = (
        tuple(map(torch.from_numpy, ((part.x - mean) / scale, part.y, weights_of(part))))
        for part in (rows, check)
    )
    best, losses = _fit(model, data, checked, recipe, seed)
    model.load_state_dict(best)
    net = Net(
        weights=tuple(layer.weight.detach().numpy().copy() for layer in layers),
        biases=tuple(layer.bias.detach().numpy().copy() for layer in layers),
        mean=mean,
        scale=scale,
    )
    return Trained(
        net=net, losses=tuple(losses), checked=score(pooled(net(check.x), check.x), check)
    )


def weights_of(rows: Rows) -> Array32:
    """Weight of every example, (rows, 1): 4 where clusters compete, that is in one of ten or so."""
    half = OUTPUTS // 2
    little, big = rows.feasible[:, :half].any(axis=1), rows.feasible[:, half:].any(axis=1)
    return np.where(little & big, CONTESTED, 1.0).astype(np.float32)[:, None]


def _fit(
    model: Any, data: Any, checked: Any, recipe: Recipe, seed: int
) -> tuple[dict[str, Any], list[float]]:
    """Weights of the epoch with the lowest checked loss, and that loss by epoch."""
    import torch

    def loss(x: Any, y: Any, weight: Any) -> Any:
        return (weight * (model(x) - y) ** 2).mean() / weight.mean()

    n = len(data[0])
    steps = -(-n // recipe.batch)
    adam = torch.optim.Adam(model.parameters(), lr=recipe.rate)
    falling = torch.optim.lr_scheduler.OneCycleLR(
        adam, max_lr=recipe.rate, total_steps=recipe.epochs * steps
    )
    shuffle = torch.Generator().manual_seed(seed)
    losses: list[float] = []
    best: dict[str, Any] = {}
    for _ in range(recipe.epochs):
        for rows in torch.split(torch.randperm(n, generator=shuffle), recipe.batch):
            adam.zero_grad()
            loss(*(part[rows] for part in data)).backward()
            adam.step()
            falling.step()
        with torch.no_grad():
            losses.append(float(loss(*checked)))
        if losses[-1] == min(losses):
            best = {name: value.clone() for name, value in model.state_dict().items()}
        elif len(losses) - int(np.argmin(losses)) > recipe.patience:
            break
    return best, losses


def search(
    rows: Rows, check: Rows, recipes: Sequence[Recipe], seed: int
) -> list[tuple[Recipe, Trained]]:
    """Every recipe trained once, the best by checked cost first (see `Score.cost_k`)."""
    found = [(recipe, train(rows, check, recipe, seed)) for recipe in recipes]
    return sorted(found, key=lambda one: one[1].checked.cost_k)
