"""How far a prediction is from what was measured: the figures, and what they are divided by."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLOCK_S: Final = 20.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignalErrors:
    """The errors of one signal, predicted less measured, in the signal's unit.

    bias is their mean, mae the mean of |error|, rmse the root of the mean square, p95 the 95th
    percentile of |error|. For power, as shares: mape the mean of |error| / |measured| (None when
    a measured value is 0), nmbe the bias and cvrmse the rmse divided by the mean of the n measured
    values (None when that is 0). Temperatures have no such shares: their zero is arbitrary.
    """

    n: int
    bias: float
    mae: float
    rmse: float
    p95: float
    mape: float | None
    nmbe: float | None
    cvrmse: float | None

    def figures(self) -> dict[str, float | None]:
        """All figures by name."""
        return asdict(self)


def signal_errors(measured: Array, predicted: Array, *, has_shares: bool) -> SignalErrors:
    """Figures over all readings, (n,) each; a measured NaN is left out, ValueError if all are."""
    known = ~np.isnan(measured)
    real, error = measured[known], (predicted - measured)[known]
    if not len(real):
        raise ValueError("no measured value to compare with; every reading is missing.")
    size, bias = np.abs(error), float(error.mean())
    rmse, mean = float(np.sqrt(np.mean(error**2))), float(real.mean())
    has_mean = has_shares and mean != 0.0
    has_mape = has_shares and bool(np.all(real != 0.0))
    return SignalErrors(
        n=len(real),
        bias=bias,
        mae=float(size.mean()),
        rmse=rmse,
        p95=float(np.percentile(size, 95)),
        mape=float(np.mean(size / np.abs(real))) if has_mape else None,
        nmbe=bias / mean if has_mean else None,
        cvrmse=rmse / mean if has_mean else None,
    )


def block_means(t_s: Array, series: Sequence[Array], block_s: float = BLOCK_S) -> list[Array]:
    """Means over consecutive blocks of time of the readings at which every series has a value.

    t_s and each series are (n,); each mean is (n_blocks,), blocks without readings left out.
    """
    known = ~np.isnan(np.stack(series)).any(axis=0)
    block = np.floor((t_s[known] - t_s[0]) / block_s + 1e-9).astype(np.int64)
    _, place, count = np.unique(block, return_inverse=True, return_counts=True)
    return [np.bincount(place, values[known], len(count)) / count for values in series]
