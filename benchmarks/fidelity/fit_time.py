"""How long the full fit of a trace of two hours takes, covariance and findings included."""

import time
from typing import Any, Final

from benchmarks.fidelity.truths import truth
from edgetwin.studies import Figure, row
from hw_models.fit import fit_joint

SECONDS: Final = 7200
QUICK_SECONDS: Final = 1800
_WARM_UP_S: Final = 60


def measure(quick: bool) -> dict[str, Any]:
    """Seconds of a core, over all threads; the compiled physics are loaded before the count."""
    seconds = QUICK_SECONDS if quick else SECONDS
    warm = truth(0, seconds=_WARM_UP_S, n_runs=1)
    fit_joint(warm.board, warm.runs)
    known = truth(0, seconds=seconds, n_runs=1)
    wall_s, core_s = time.perf_counter(), time.process_time()
    result = fit_joint(known.board, known.runs)
    core_s = time.process_time() - core_s
    return row(
        {"core_s": Figure(value=core_s, bar=60.0)},
        wall_s=time.perf_counter() - wall_s,
        board=known.board.name,
        trace_s=seconds,
        residuals=result.n,
        parameters=len(result.parameters),
        pinned=sum(p.status == "pinned" for p in result.parameters),
    )
