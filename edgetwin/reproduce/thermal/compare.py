"""Figures of one manager against another over the same runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetwin.reproduce.thermal.grid import Runs
from edgetwin.reproduce.thermal.stats import bootstrap

Which = NDArray[np.bool_]


def averaged(runs: Sequence[Runs], name: str) -> NDArray[np.float64]:
    """A number per run, averaged over training seeds."""
    return np.asarray(np.mean([getattr(r, name) for r in runs], axis=0))


def drop_k(base: Runs, other: Sequence[Runs], which: Which) -> dict[str, float]:
    """Mean kelvin below the base, with its interval."""
    drop = (base.mean_c - averaged(other, "mean_c"))[which]
    return bootstrap(lambda k: float(drop[k].mean()), base.blocks[which])


def drop_share(base: Runs, other: Sequence[Runs], which: Which) -> dict[str, float]:
    """Kelvin below the base over the base's kelvin above the idle board, with its interval."""
    drop = (base.mean_c - averaged(other, "mean_c"))[which]
    rise = (base.mean_c - base.idle_c)[which]
    return bootstrap(lambda k: float(drop[k].sum() / rise[k].sum()), base.blocks[which])


def violations(runs: Sequence[Runs], which: Which) -> float:
    """Share of programs whose mean rate misses the target."""
    violated, programs = averaged(runs, "violated")[which], averaged(runs, "programs")[which]
    return float(violated.sum() / programs.sum())


def more_violations(base: Runs, other: Sequence[Runs], which: Which) -> dict[str, float]:
    """Share of programs violated beyond the base's, with its interval."""
    more = (averaged(other, "violated") - base.violated)[which]
    programs = base.programs[which]
    return bootstrap(lambda k: float(more[k].sum() / programs[k].sum()), base.blocks[which])


def fewer_violations(base: Sequence[Runs], other: Sequence[Runs], which: Which) -> dict[str, float]:
    """1 - violations of the other over those of the base, with its interval."""
    a, b = averaged(base, "violated")[which], averaged(other, "violated")[which]

    def share(k: NDArray[np.int64]) -> float:
        return float(1.0 - b[k].sum() / a[k].sum()) if a[k].sum() > 0 else float("nan")

    return bootstrap(share, base[0].blocks[which])


def table(runs: Mapping[str, Sequence[Runs]], chosen: Which) -> dict[str, Any]:
    """By manager: mean and peak temperature, violations, slow windows, shortfall, moves."""
    found = {}
    for name, some in runs.items():
        programs = averaged(some, "programs")[chosen].sum()
        found[name] = {
            "mean_c": float(averaged(some, "mean_c")[chosen].mean()),
            "peak_c": float(max(r.peak_c[chosen].max() for r in some)),
            "violations": violations(some, chosen),
            "slow_windows": float(averaged(some, "slow_windows")[chosen].mean()),
            "shortfall": float(averaged(some, "shortfall")[chosen].sum() / programs),
            "migrations": float(averaged(some, "migrations")[chosen].mean()),
            "makespan_s": float(averaged(some, "makespan_s")[chosen].mean()),
        }
    return found
