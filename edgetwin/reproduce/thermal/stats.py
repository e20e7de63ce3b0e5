"""Paired differences over workload seeds, with bootstrap intervals."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

DRAWS: Final = 2000
LOW, HIGH = 2.5, 97.5

Pick = Callable[[NDArray[np.int64]], float]


def bootstrap(figure: Pick, blocks: NDArray[Any], rng_seed: int = 0) -> dict[str, float]:
    """A figure of runs and its 95 % interval: whole blocks of runs are drawn with replacement.

    figure takes indices of runs; blocks (n,) tells which runs are drawn together: those of one
    workload seed share their arrivals.
    """
    everyone = np.arange(len(blocks))
    members = [everyone[blocks == one] for one in np.unique(blocks)]
    rng = np.random.default_rng(rng_seed)
    drawn = [
        figure(np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))]))
        for _ in range(DRAWS if len(members) > 1 else 0)
    ]
    if not drawn:
        return {"value": figure(everyone), "low": float("nan"), "high": float("nan")}
    low, high = np.nanpercentile(drawn, [LOW, HIGH])
    return {"value": figure(everyone), "low": float(low), "high": float(high)}


def kendall_tau(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Kendall's tau-b between two rankings of the same managers."""
    from scipy.stats import kendalltau

    return float(kendalltau(a, b).statistic)
