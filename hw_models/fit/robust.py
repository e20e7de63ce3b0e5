"""Gross errors count less: Huber's loss, and the size of residuals without their outliers."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Huber's bound in standard errors: gross errors count linearly, all others fully.
HUBER: Final = 2.5


def loss(r: Array) -> Array:
    """Half the square of a residual, beyond Huber's bound its linear branch."""
    size = np.abs(r)
    return np.where(size <= HUBER, 0.5 * r**2, HUBER * (size - 0.5 * HUBER))


def typical_size(r: Array) -> float:
    """The root mean square of residuals, those beyond three times the median size cut there."""
    size = np.abs(r)
    cut = 3.0 * 1.4826 * float(np.median(size)) or np.inf
    return float(np.sqrt(np.mean(np.minimum(size, cut) ** 2)))
