"""A small neural network learned on one grid and carried to another: the idea of PowerTrain.

PowerTrain (arXiv:2407.13944) trains a network on all power modes of one workload, then replaces
its last layer and trains again on about 50 modes of a new one. Here the last layer is refitted in
closed form by ridge regression towards the weights it had, the ridge chosen by leave-one-out.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_WIDTHS: Final = (32, 16)
_DECAY: Final = 1e-5
_STEPS, _RATE = 1500, 0.02
_RIDGES: Final = np.geomspace(1e-4, 1e3, 15)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Two hidden layers of tanh units and a linear last layer, on standardised features."""

    layers: tuple[tuple[Array, Array], ...]
    centre: Array
    scale: Array

    def hidden(self, features: Array) -> Array:
        """What the last layer sees, (n, width + 1): hidden units and a one."""
        a = (features - self.centre) / self.scale
        for weights, bias in self.layers[:-1]:
            a = np.tanh(a @ weights + bias)
        return np.column_stack([a, np.ones(len(a))])

    @property
    def last(self) -> Array:
        """Weights of the last layer, its bias behind them, (width + 1,)."""
        weights, bias = self.layers[-1]
        return np.append(weights[:, 0], bias[0])


def learn(features: Array, ln_response: Array, *, seed: int) -> Learned:
    """The network that fits ln of a response (n,) over features (n, d); deterministic by seed."""
    rng = np.random.default_rng(seed)
    centre, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)
    sizes = (features.shape[1], *_WIDTHS, 1)
    x = (features - centre) / scale
    middle, spread = float(ln_response.mean()), max(float(ln_response.std()), 1e-9)
    y = (ln_response - middle) / spread
    start = np.concatenate(
        [np.append(rng.normal(size=m * n) / np.sqrt(m), np.zeros(n)) for m, n in pairwise(sizes)]
    )
    *hidden, (weights, bias) = _unpacked(_trained(start, x, y, sizes), sizes)
    layers = (*hidden, (weights * spread, bias * spread + middle))
    return Learned(layers=layers, centre=centre, scale=scale)


def refit(learned: Learned, features: Array, ln_response: Array, at: Array) -> Array:
    """ln of the response at places (n, d), the last layer refitted on a few points (k, d)."""
    seen, last = learned.hidden(features), learned.last
    left = ln_response - seen @ last
    shift = float(left.mean())  # another workload is first of all longer or shorter
    best, change = np.inf, np.zeros(len(last))
    for ridge in _RIDGES:
        solve = np.linalg.solve(seen.T @ seen + ridge * np.eye(len(last)), seen.T)
        error = (left - shift) - seen @ (solve @ (left - shift))
        leverage = np.minimum(np.einsum("kp,pk->k", seen, solve), 0.999)
        out = float(np.mean((error / (1 - leverage)) ** 2))
        if out < best:
            best, change = out, solve @ (left - shift)
    return np.asarray(learned.hidden(at) @ (last + change) + shift)


def _trained(start: Array, x: Array, y: Array, sizes: tuple[int, ...]) -> Array:
    """Adam (arXiv:1412.6980) over all points, its rate falling to nothing as a half cosine."""
    flat, mean, square = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for step in range(1, _STEPS + 1):
        gradient = _loss(flat, x, y, sizes)[1]
        mean += 0.1 * (gradient - mean)
        square += 0.01 * (gradient**2 - square)
        rate = 0.5 * _RATE * (1 + np.cos(np.pi * step / _STEPS))
        flat -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-8)
    return flat


def _unpacked(flat: Array, sizes: tuple[int, ...]) -> tuple[tuple[Array, Array], ...]:
    layers, at = [], 0
    for m, n in pairwise(sizes):
        weights = flat[at : at + m * n].reshape(m, n)
        layers.append((weights, flat[at + m * n : at + m * n + n]))
        at += m * n + n
    return tuple(layers)


def _loss(flat: Array, x: Array, y: Array, sizes: tuple[int, ...]) -> tuple[float, Array]:
    """Mean square error with weight decay, and its gradient by back-propagation."""
    layers, outputs = _unpacked(flat, sizes), [x]
    for weights, bias in layers[:-1]:
        outputs.append(np.tanh(outputs[-1] @ weights + bias))
    weights, bias = layers[-1]
    error = (outputs[-1] @ weights + bias)[:, 0] - y
    gradients = []
    back = 2 * error[:, None] / len(y)
    for (weights, _), output in zip(layers[::-1], outputs[::-1], strict=True):
        gradients.append((output.T @ back, back.sum(axis=0)))
        back = (back @ weights.T) * (1 - output**2)
    flat_gradient = np.concatenate([np.append(w.ravel(), b) for w, b in gradients[::-1]])
    decay = _DECAY * flat
    return float(np.mean(error**2) + 0.5 * decay @ flat), flat_gradient + decay
