"""Known truth: boards with numbers of their own, recorded, fitted from the file, and compared."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.fidelity.truths import Truth, truth
from edgetwin.studies import Figure, row
from hw_models.fit import FitResult, fit_joint

BOARDS: Final = 50
QUICK_BOARDS: Final = 5
SECONDS: Final = 900
# Standard errors that bound 90 % and 50 % of a normal distribution.
NINETY: Final = 1.6449
FIFTY: Final = 0.6745
_WORST_SHOWN: Final = 10


def measure(quick: bool) -> dict[str, Any]:
    """Errors of identified parameters in standard errors, over all boards."""
    errors: dict[str, float] = {}
    by_status: dict[str, int] = {}
    for seed in range(QUICK_BOARDS if quick else BOARDS):
        known = truth(seed, seconds=SECONDS)
        result = fit_joint(known.board, known.runs, seed=seed)
        found = _errors(known, result)
        errors |= {f"{seed} {known.board.name} {path}": error for path, error in found.items()}
        for parameter in result.of_board:
            by_status[parameter.status] = by_status.get(parameter.status, 0) + 1
    size = np.abs(np.array(list(errors.values())))
    figures = {
        "within_3_standard_errors": Figure(value=_share(size, 3.0), bar=0.95, at_least=True),
        "off_90_percent_coverage": Figure(value=abs(_share(size, NINETY) - 0.9), bar=0.04),
    }
    worst = sorted(errors, key=lambda name: -abs(errors[name]))[:_WORST_SHOWN]
    return row(
        figures,
        boards=QUICK_BOARDS if quick else BOARDS,
        identified=len(size),
        coverage_90=_share(size, NINETY),
        coverage_50=_share(size, FIFTY),
        statuses=by_status,
        worst={name: errors[name] for name in worst},
    )


def _errors(known: Truth, result: FitResult) -> dict[str, float]:
    """Errors in standard errors of the board's parameters that the fit says it knows, by path."""
    return {
        p.path: (p.value - known.values[p.path]) / p.std
        for p in result.of_board
        if p.status in ("pinned", "traded off")
    }


def _share(size: NDArray[np.float64], most: float) -> float:
    return float((size <= most).mean())
