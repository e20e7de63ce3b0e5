"""How the cost of a batch size can be told from one short run: the gradient noise scale.

With true gradient G and the covariance C of one sample's gradient, batches are worth their size up
to about b_noise = tr(C) / |G|^2 (McCandlish et al. 2018, arXiv:1812.06162). At a learning rate e
one step lowers the loss by e |G|^2 (1 - x / 2) with x = e / e_best(b) and e_best(b) =
e_max / (1 + b_noise / b). So samples to the target go as

    N(b) ~ b / (e(b) (2 - x(b)))

where e(b) is the rule by which the learning rate follows the batch, tuned at the base batch
(x = 1 there). At e = e_best everywhere this is the known N ~ 1 + b / b_noise. Only ratios matter.

Steps of training follow one another with little change of G, so the product of neighbouring
gradients estimates |G|^2 without bias, and the mean square of one gradient |G|^2 + tr(C) / b.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_UNSTABLE: Final = 1.9  # of the best learning rate: from 2 on steps go uphill


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseScale:
    """The noise scale in samples, its standard error as a share, and what it rests on."""

    samples: float
    share: float
    batch: int
    steps: int

    def needed(self, batches: Sequence[int], rate: Array, base: int) -> Array:
        """Samples to the target relative to the base batch, (n,).

        rate (n,) is the learning rate at each batch over that at the base, where it is tuned.
        """
        b = np.asarray(batches, float)
        best = (1.0 + self.samples / base) / (1.0 + self.samples / b)
        x = np.minimum(rate / best, _UNSTABLE)
        return np.asarray(b / (rate * (2.0 - x)) / base)


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
        """The noise scale of all steps so far; ValueError for fewer than 20."""
        n = len(self._products)
        if n < 20:
            raise ValueError(f"{n} steps; the noise scale needs 20, better 100.")
        squares, products = np.array(self._squares[1:]), np.array(self._products)
        signal = max(float(products.mean()), 1e-3 * float(squares.mean()))
        noise = max(float(squares.mean()) - signal, 0.0)
        spread = float(products.std(ddof=1)) / np.sqrt(n)
        return NoiseScale(
            samples=self._batch * noise / signal, share=spread / signal, batch=self._batch, steps=n
        )
