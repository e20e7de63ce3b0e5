"""Time of a step at measured clocks, with its slopes: the roofline of the performance model."""

import numpy as np
from numpy.typing import NDArray

from hw_models.compiled import jit
from hw_models.performance import roof_s

Array = NDArray[np.float64]

COMPUTE, MEMORY, EXPONENT, OVERHEAD = range(4)


@jit
def ln_roofline(
    compute_s: Array, memory_s: Array, q: float, overhead_s: Array
) -> tuple[Array, Array]:
    """ln of overhead_s + roof_s(compute_s, memory_s, q), (n,), and its slopes (n, 4).

    Slopes are against ln of compute_s, memory_s, q and overhead_s, in this order. The times are
    (n,) and positive.
    """
    n = len(compute_s)
    ln, slopes = np.empty(n), np.empty((n, 4))
    for i in range(n):
        busy_s = roof_s(compute_s[i], memory_s[i], q)
        to_compute, to_memory = compute_s[i] / busy_s, memory_s[i] / busy_s
        by_compute, by_memory = to_compute**q, to_memory**q
        total_s = busy_s + overhead_s[i]
        ln[i] = np.log(total_s)
        share = busy_s / total_s
        slopes[i, COMPUTE] = share * by_compute
        slopes[i, MEMORY] = share * by_memory
        bend = by_compute * np.log(to_compute) if by_compute > 0.0 else 0.0
        bend += by_memory * np.log(to_memory) if by_memory > 0.0 else 0.0
        slopes[i, EXPONENT] = share * bend
        slopes[i, OVERHEAD] = overhead_s[i] / total_s
    return ln, slopes
