"""How the cost of a batch size can be told from one short run: the gradient noise scale.

With true gradient G and the covariance C of one sample's gradient, batches are worth their size up
to about b_noise = tr(C) / |G|^2. Where every batch has a learning rate that suits it, samples to
the target go as N(b) ~ 1 + b / b_noise (McCandlish et al. 2018, arXiv:1812.06162). Only ratios are
predicted, and only ratios matter for a choice.

Steps of training follow one another with little change of G, so the product of neighbouring
gradients estimates |G|^2 without bias, and the mean square of one gradient |G|^2 + tr(C) / b.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FEWEST: Final = 20
_LEAST_SIGNAL: Final = 1e-3  # of the mean square: a product below is noise


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseScale:
    """The noise scale in samples, its standard error as a share, and what it rests on."""

    samples: float
    share: float
    batch: int
    steps: int

    def needed(self, batches: Sequence[int], base: int) -> Array:
        """Samples to the target of batch sizes, relative to those of the base batch, (n,)."""
        b = np.asarray(batches, float)
        return np.asarray((1.0 + b / self.samples) / (1.0 + base / self.samples))


@final
class NoiseMeter:
    """Gathers gradients of successive steps at one batch size."""

    def __init__(self) -> None:
        self._last: Any = None
        self._squares: list[float] = []
        self._products: list[float] = []
        self._batch = 0

    def add(self, batch: int, parameters: Iterable[Any]) -> None:
        """The gradients that parameters hold after a step."""
        import torch

        grads = [p.grad.detach().flatten() for p in parameters if p.grad is not None]
        if not grads:
            raise ValueError(
                "no parameter holds a gradient; call hook.step(model.parameters()) after "
                "optimizer.step() and before the gradients are set to zero."
            )
        flat = torch.cat(grads)
        self._batch = batch
        self._squares.append(float(flat @ flat))
        if self._last is not None:
            self._products.append(float(flat @ self._last))
        self._last = flat.clone()

    def result(self) -> NoiseScale:
        """The noise scale of all steps so far; ValueError for too few."""
        n = len(self._products)
        if n < _FEWEST:
            raise ValueError(f"{n} steps; the noise scale needs {_FEWEST}, better 100.")
        squares, products = np.array(self._squares[1:]), np.array(self._products)
        signal = max(float(products.mean()), _LEAST_SIGNAL * float(squares.mean()))
        noise = max(float(squares.mean()) - signal, 0.0)
        spread = float(products.std(ddof=1)) / np.sqrt(n)
        return NoiseScale(
            samples=max(self._batch * noise / signal, 1e-6),
            share=spread / signal,
            batch=self._batch,
            steps=n,
        )
