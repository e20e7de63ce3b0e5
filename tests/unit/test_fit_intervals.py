"""Intervals follow the likelihood where it is no parabola."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pytest
from numpy.typing import NDArray

from hw_models.fit.covariance import Spread
from hw_models.fit.profile import NINETY, intervals
from hw_models.fit.solver import Linear

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Curved:
    """One number seen through exp(bend z), with unit prior: r = (exp(bend z) - 1) / (bend std)."""

    bend: float
    std: float

    def cost(self, z: Array) -> float:
        """Half the square of the residual and of the prior's."""
        r = (np.exp(self.bend * z[0]) - 1.0) / (self.bend * self.std)
        return float(0.5 * r**2 + 0.5 * z[0] ** 2)

    def linear(self, z: Array) -> Linear:
        """Cost with its derivatives."""
        grown = np.exp(self.bend * z[0])
        r, slope = (grown - 1.0) / (self.bend * self.std), grown / self.std
        return Linear(
            cost=self.cost(z),
            gradient=np.array([r * slope + z[0]]),
            gram=np.array([[slope**2 + 1.0]]),
        )


def _spread(std: float) -> Spread:
    information = np.array([[1.0 / std**2]])
    return Spread(
        information=information,
        meat=information,
        covariance=np.linalg.inv(information + 1.0),
        n=100,
        effective_n=100.0,
    )


def _found(problem: Curved) -> dict[int, tuple[float, float]]:
    wide = np.array([50.0])
    return intervals(problem, np.zeros(1), _spread(problem.std), -wide, wide, [0])


def test_a_parabola_needs_no_interval_of_its_own() -> None:
    assert _found(Curved(bend=0.05, std=0.1)) == {}


def test_a_lopsided_likelihood_has_a_lopsided_interval() -> None:
    problem = Curved(bend=4.0, std=0.1)
    ((low, high),) = _found(problem).values()
    assert -low > 1.3 * high > 0.0
    for end in (low, high):
        assert problem.cost(np.array([end])) == pytest.approx(0.5 * NINETY**2, rel=0.35)
