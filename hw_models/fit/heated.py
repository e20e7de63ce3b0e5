"""Power of a CPU cluster that warms itself: leakage at the temperature its own power makes."""

import numpy as np
from numpy.typing import NDArray

from hw_models.compiled import jit
from hw_models.power import leakage_shape

Array = NDArray[np.float64]

SLOPES = 5
_RUNAWAY_W = 1e4


@jit
def ln_heated_w(
    switched_w: Array, leaked_w: Array, rest_c: Array, rise_k_per_w: Array, law: Array
) -> tuple[Array, Array]:
    """ln of the power P = switched + leaked * shape(rest_c + rise * P), (n,), and slopes (n, 5).

    switched_w and leaked_w are (n, 2): the part of each busy core, summed, and the shared part;
    leaked at the reference temperature. Slopes are against ln of the four parts and of the rise. P
    is infinite where heat makes more leakage than it can carry off. law (6,) is the leakage law.
    """
    n = switched_w.shape[0]
    ln, slopes = np.empty(n), np.zeros((n, SLOPES))
    for i in range(n):
        switched = switched_w[i, 0] + switched_w[i, 1]
        leaked = leaked_w[i, 0] + leaked_w[i, 1]
        power_w, shape = switched + leaked, 1.0
        for _ in range(500):
            hot_c = rest_c[i] + rise_k_per_w[i] * power_w
            shape = leakage_shape(hot_c, law[0], law[1], law[2], law[3], law[4], law[5])
            change_w = switched + leaked * shape - power_w
            power_w += change_w
            if abs(change_w) < 1e-12 * power_w or power_w > _RUNAWAY_W:
                break
        d = min(max(rest_c[i] + rise_k_per_w[i] * power_w, law[4]), law[5])
        is_inside = law[4] < d < law[5]
        d -= law[0]
        steep = law[1] + d * (2.0 * law[2] + 3.0 * law[3] * d) if is_inside else 0.0
        left = 1.0 - leaked * steep * rise_k_per_w[i]
        is_steady = left > 0.0 and power_w < _RUNAWAY_W
        ln[i] = np.log(power_w) if is_steady else np.inf
        for k in range(2):
            slopes[i, k] = switched_w[i, k] / (left * power_w)
            slopes[i, 2 + k] = leaked_w[i, k] * shape / (left * power_w)
        slopes[i, 4] = leaked * steep * rise_k_per_w[i] / left
    return ln, slopes
