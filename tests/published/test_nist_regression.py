"""Certified results of nonlinear regression, by the solver that the fits use.

NIST Statistical Reference Datasets, nonlinear regression: Misra1a (lower difficulty) and MGH09
(higher difficulty), https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
import pytest
from numpy.typing import NDArray

from hw_models.fit.solver import Linear, minimise

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """A data set, its model, two starts, and what NIST certifies."""

    model: Callable[[Array, Array], Array]
    x: Array
    y: Array
    starts: tuple[Array, Array]
    values: Array
    std: Array
    sum_of_squares: float


MISRA1A = Certified(
    model=lambda b, x: b[0] * (1.0 - np.exp(-b[1] * x)),
    x=np.array(
        [
            *(77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8),
            *(378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0),
        ]
    ),
    y=np.array(
        [
            *(10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02),
            *(44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78),
        ]
    ),
    starts=(np.array([500.0, 1e-4]), np.array([250.0, 5e-4])),
    values=np.array([2.3894212918e02, 5.5015643181e-04]),
    std=np.array([2.7070075241e00, 7.2668688436e-06]),
    sum_of_squares=1.2455138894e-01,
)
MGH09 = Certified(
    model=lambda b, x: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
    x=np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]),
    y=np.array(
        [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
    ),
    starts=(np.array([25.0, 39.0, 41.5, 39.0]), np.array([0.25, 0.39, 0.415, 0.39])),
    values=np.array([1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01]),
    std=np.array([1.1435312227e-02, 1.9633220911e-01, 8.0842031232e-02, 9.0025542308e-02]),
    sum_of_squares=3.0750560385e-04,
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """A data set as a problem: parameters in units of their start."""

    data: Certified
    scale: Array

    def _residuals(self, z: Array) -> Array:
        return self.data.model(z * self.scale, self.data.x) - self.data.y

    def cost(self, z: Array) -> float:
        """Half the sum of squares."""
        return 0.5 * float(np.sum(self._residuals(z) ** 2))

    def linear(self, z: Array) -> Linear:
        """Central differences of the residuals."""
        steps = np.diag(1e-6 * np.maximum(np.abs(z), 1e-3))
        slopes = np.stack(
            [(self._residuals(z + h) - self._residuals(z - h)) / (2.0 * h.sum()) for h in steps],
            axis=1,
        )
        r = self._residuals(z)
        return Linear(cost=0.5 * float(r @ r), gradient=slopes.T @ r, gram=slopes.T @ slopes)


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("data", [MISRA1A, MGH09], ids=["misra1a", "mgh09"])
def test_certified_values_and_errors_are_found(data: Certified, start: int) -> None:
    problem = Regression(data=data, scale=data.starts[start])
    free = np.full(len(data.values), np.inf)
    found = minimise(problem, np.ones(len(free)), -free, free, most=300)
    assert found.has_converged
    assert found.z * problem.scale == pytest.approx(data.values, rel=1e-4)
    assert 2.0 * found.linear.cost == pytest.approx(data.sum_of_squares, rel=1e-7)
    variance = data.sum_of_squares / (len(data.y) - len(data.values))
    covariance = variance * np.linalg.inv(found.linear.gram)
    std = np.sqrt(np.diag(covariance)) * np.abs(problem.scale)
    assert std == pytest.approx(data.std, rel=1e-3)


def test_a_bound_holds_and_the_rest_makes_do() -> None:
    problem = Regression(data=MISRA1A, scale=MISRA1A.starts[1])
    low, high = np.array([-np.inf, 1.2]), np.array([np.inf, 2.0])
    found = minimise(problem, np.array([1.0, 1.5]), low, high, most=300)
    assert found.z[1] == pytest.approx(1.2)
    at_bound = found.z[1] * problem.scale[1]
    shape = 1.0 - np.exp(-at_bound * MISRA1A.x)
    assert found.z[0] * problem.scale[0] == pytest.approx(
        shape @ MISRA1A.y / (shape @ shape), rel=1e-6
    )


def test_a_start_without_a_finite_cost_is_refused() -> None:
    problem = Regression(data=MISRA1A, scale=np.array([np.nan, 1.0]))
    with pytest.raises(ValueError, match="no finite residual"):
        minimise(problem, np.ones(2), np.full(2, -np.inf), np.full(2, np.inf))
