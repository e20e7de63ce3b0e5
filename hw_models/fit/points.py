"""Fits of few points: robust least squares of positive parameters with weak priors.

Parameters are positive and fitted as logarithms, predictions are compared as logarithms, so every
residual is a share of what was measured. A prior says within which factor a parameter is expected;
it decides only what the points leave open, and `hw_models.fit.verdicts` says where it did.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.solver import Linear, minimise

Array = NDArray[np.float64]
# ln of the parameters (p,) -> ln of the predictions (m,) and their slopes (m, p)
Evaluate = Callable[[Array], tuple[Array, Array]]

WIDEST: Final = 5.0  # bounds lie so many prior deviations away from the prior
_TAIL: Final = 2.5  # residuals beyond so many deviations count in proportion, not squared
_KEPT: Final = 0.714  # share of a normal variance that is left when tails are cut like that


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A positive parameter: its path, the centre of its prior, and the prior's std of ln."""

    path: str
    prior: float
    spread: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """ln of the parameters (p,), their covariance (p, p), noise (a share), residuals (m,).

    information (p,) is what the points alone say about each parameter with the others held.
    """

    unknowns: tuple[Unknown, ...]
    ln: Array
    covariance: Array
    information: Array
    noise: float
    residuals: Array

    @property
    def values(self) -> Array:
        """The parameters, (p,)."""
        return np.exp(self.ln)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Points:
    """Half the sum of squares of residuals, heavy tails cut down, and of the priors."""

    evaluate: Evaluate
    ln_measured: Array
    centre: Array
    spread: Array
    noise: Array

    def cost(self, z: Array) -> float:
        r = (self.evaluate(z)[0] - self.ln_measured) / self.noise
        return self._cost(r, z)

    def _cost(self, r: Array, z: Array) -> float:
        if not np.all(np.isfinite(r)):
            return np.inf
        tails = _TAIL**2 * (np.sqrt(1 + (r / _TAIL) ** 2) - 1)
        return float(tails.sum() + 0.5 * (((z - self.centre) / self.spread) ** 2).sum())

    def linear(self, z: Array) -> Linear:
        ln, slopes = self.evaluate(z)
        r, j = (ln - self.ln_measured) / self.noise, slopes / self.noise[:, None]
        weight = 1 / np.sqrt(1 + (r / _TAIL) ** 2)
        pull = (z - self.centre) / self.spread**2
        return Linear(
            cost=self._cost(r, z),
            gradient=j.T @ (weight * r) + pull,
            gram=j.T @ (weight[:, None] * j) + np.diag(self.spread**-2),
        )


def solve(
    evaluate: Evaluate,
    measured: Array,
    unknowns: Sequence[Unknown],
    *,
    seed: int,
    noise: float = 0.01,
    starts: int = 4,
    begin: Array | None = None,
    is_noise_known: bool = False,
) -> Solution:
    """The best of several starts, deterministic by seed; ValueError where none gives a number.

    measured (m,) is positive; begin (p,) is where the first start begins (default: the priors'
    centre). noise is the share by which a point is expected to be off; unless it is known it is
    estimated from the residuals, with the weight of two points for `noise`.
    """
    centre = np.log([u.prior for u in unknowns])
    spread = np.array([u.spread for u in unknowns])
    rng = np.random.default_rng(seed)
    others = centre + 0.5 * spread * rng.standard_normal((starts - 1, len(centre)))
    begin = centre if begin is None else begin
    low, high = centre - WIDEST * spread, centre + WIDEST * spread

    def problem(share: float) -> _Points:
        return _Points(
            evaluate=evaluate, ln_measured=np.log(measured), centre=centre, spread=spread,
            noise=np.full(len(measured), share),
        )  # fmt: skip

    first = [minimise(problem(noise), z, low, high) for z in (begin, *others)]
    best = min(first, key=lambda found: found.linear.cost)
    share = noise
    for _ in range(0 if is_noise_known else 3):
        share = _noise(problem(share), best.z, noise)
        best = minimise(problem(share), best.z, low, high)
    return _solution(problem(share), best.z, tuple(unknowns), share)


def _noise(points: _Points, z: Array, expected: float) -> float:
    """Noise as a share, by Huber's second proposal, and the degrees of freedom that are left."""
    here = points.linear(z)
    prior = np.diag(points.spread**-2)
    used = float(np.trace(np.linalg.solve(here.gram, here.gram - prior)))
    r = points.evaluate(z)[0] - points.ln_measured
    pulled = r / np.sqrt(1 + (r / points.noise / _TAIL) ** 2)
    left = max(len(r) - used, 0.0)
    return float(np.sqrt((2 * expected**2 + (pulled**2).sum() / _KEPT) / (2 + left)))


def _solution(points: _Points, z: Array, unknowns: tuple[Unknown, ...], share: float) -> Solution:
    gram = points.linear(z).gram
    return Solution(
        unknowns=unknowns,
        ln=z,
        covariance=np.asarray(np.linalg.inv(gram), dtype=np.float64),
        information=np.diag(gram) - points.spread**-2,
        noise=share,
        residuals=points.evaluate(z)[0] - points.ln_measured,
    )
