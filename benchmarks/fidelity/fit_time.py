"""How long the full fit of a trace of two hours takes, covariance and findings included."""

import time
from typing import Any, Final

from benchmarks.fidelity.truths import truth
from benchmarks.frame.figures import Figure, row
from hw_models.fit import fit_joint

SECONDS: Final = 7200
QUICK_SECONDS: Final = 1800
_WARM_UP_S: Final = 60


def measure(quick: bool) -> dict[str, Any]:
    """Wall time of one process; the compiled physics are loaded before the clock starts."""
    seconds = QUICK_SECONDS if quick else SECONDS
    warm = truth(0, seconds=_WARM_UP_S, n_runs=1)
    fit_joint(warm.board, warm.runs)
    known = truth(0, seconds=seconds, n_runs=1)
    start_s = time.perf_counter()
    result = fit_joint(known.board, known.runs)
    took_s = time.perf_counter() - start_s
    return row(
        {"full_fit_s": Figure(value=took_s, bar=60.0)},
        board=known.board.name,
        trace_s=seconds,
        residuals=result.n,
        parameters=len(result.parameters),
        pinned=sum(p.status == "pinned" for p in result.parameters),
    )
