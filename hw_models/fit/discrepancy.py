"""What a physical form leaves over: a Gaussian process, averaged over how it may look.

ln y = form(theta) + discrepancy(x) + noise. The form enters with its slopes, so that its parameters
and the discrepancy are told apart together (Kennedy and O'Hagan 2001, DOI 10.1111/1467-9868.00294).
Size, lengths and noise of the discrepancy are not chosen: every combination of a small set counts
with its marginal likelihood times a prior.
"""

from dataclasses import dataclass
from itertools import product
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Of the unit square of cells: lengths along batch (Matern 3/2) and along the setting (Gaussian).
_LENGTHS: Final = tuple(product((0.15, 0.35, 0.8), (0.3, 0.8)))
_SIZES: Final = np.array([0.002, 0.02, 0.05, 0.12, 0.25])  # ln
_NOISES: Final = np.array([0.005, 0.01, 0.02, 0.04, 0.08])  # ln
# The priors' centres and stds of ln: physics is good to 4 %, a measurement to 2 %, by a factor 2-3.
_SIZE, _SIZE_SPREAD = 0.04, 1.0
_NOISE, _NOISE_SPREAD = 0.02, 0.8


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """Gaussian processes of one response: where it was measured and what was left over.

    places (m, 2) in the unit square; slopes (m, p) of the form per prior deviation; solved (g, m)
    and whitener (g, m, m) by hyperparameter; sizes, noises (g,), weights (g,).
    """

    places: Array
    slopes: Array
    lengths: Array
    sizes: Array
    noises: Array
    weights: Array
    whitener: Array
    solved: Array

    def at(self, places: Array, slopes: Array) -> tuple[Array, Array]:
        """Mean and variance (n,) that are added to the form linearised at the prior's centre.

        places (n, 2) and slopes (n, p) as above; the variance includes the noise.
        """
        shapes = _shapes(places, self.places, self.lengths)
        cross = slopes @ self.slopes.T + self.sizes[:, None, None] ** 2 * shapes
        white = self.whitener @ np.swapaxes(cross, 1, 2)
        mean = (self.solved[:, None, :] @ white)[:, 0]
        own = (slopes**2).sum(axis=1) + (self.sizes**2 + self.noises**2)[:, None]
        variance = own - (white**2).sum(axis=1)
        centre = self.weights @ mean
        spread = self.weights @ (variance + (mean - centre) ** 2)
        return centre, np.maximum(spread, 0.0)


def fit_residual(places: Array, slopes: Array, left: Array) -> Residual:
    """The residual process of left (m,), ln measured less the form at the prior's centre."""
    every = [(*lengths, s, n) for lengths in _LENGTHS for s in _SIZES for n in _NOISES]
    hyper = np.array(every)
    lengths, sizes, noises = hyper[:, :2], hyper[:, 2], hyper[:, 3]
    shared = slopes @ slopes.T
    covariance = shared + sizes[:, None, None] ** 2 * _shapes(places, places, lengths)
    covariance += noises[:, None, None] ** 2 * np.eye(len(left))
    root = np.linalg.cholesky(covariance)
    whitener = np.linalg.inv(root)
    solved = whitener @ left
    ln_weight = -0.5 * (solved**2).sum(axis=1)
    ln_weight -= np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    ln_weight -= 0.5 * (np.log(sizes / _SIZE) / _SIZE_SPREAD) ** 2
    ln_weight -= 0.5 * (np.log(noises / _NOISE) / _NOISE_SPREAD) ** 2
    weights = np.exp(ln_weight - ln_weight.max())
    kept = weights > 1e-3
    weights = weights[kept] / weights[kept].sum()
    return Residual(
        places=places, slopes=slopes, lengths=lengths[kept], sizes=sizes[kept],
        noises=noises[kept], weights=weights, whitener=whitener[kept], solved=solved[kept],
    )  # fmt: skip


def _shapes(a: Array, b: Array, lengths: Array) -> Array:
    """Correlation (g, n, m) of places a (n, 2) and b (m, 2).

    Half belongs to the batch size alone (what is odd about a batch is odd at every clock), half to
    both.
    """
    kinds = np.unique(lengths, axis=0)
    along = np.sqrt(3.0) * np.abs(a[:, None, 0] - b[None, :, 0]) / kinds[:, 0, None, None]
    across = (a[:, None, 1] - b[None, :, 1]) / kinds[:, 1, None, None]
    by_kind = (1 + along) * np.exp(-along) * (0.5 + 0.5 * np.exp(-0.5 * across**2))
    which = (lengths[:, None, :] == kinds[None]).all(axis=2).argmax(axis=1)
    return np.asarray(by_kind[which])
