"""What the checkout promises of its behaviour: a light import, clear errors, four traps avoided."""

import json
from statistics import median
from typing import Any

from benchmarks.frame.children import run_python, run_tests
from benchmarks.frame.side_by_side import median_ratio, side_by_side
from edgetwin.studies import Figure, row

HEAVY = ("torch", "scipy.optimize", "pyarrow", "typer", "rich", "joblib")
PEERS = "numpy, numba, pydantic, simpy, gymnasium"
LEAST_CASES = 40
BAD_INPUT, TRAPS_FILE = "tests/e2e/test_bad_input.py", "tests/properties/test_traps.py"
TRAPS = (
    "test_heat_and_energy_settle_before_inputs_change",
    "test_clock_change_retimes_running_jobs",
    "test_energy_is_a_counter_not_an_integral_of_samples",
    "test_time_is_integer_and_never_waits_for_a_remainder",
)
_TIMED = """
import json, sys, time
start_s = time.perf_counter()
import {modules}
taken_s = time.perf_counter() - start_s
print(json.dumps([taken_s, [name for name in {heavy!r} if name in sys.modules]]))
"""


def measure_import(quick: bool) -> dict[str, Any]:
    """Warm starts of `import edgetwin` and of what it rests on, in turn; the import alone."""
    starts = 5 if quick else 15
    contest = side_by_side(
        {"edgetwin": lambda _: import_s("edgetwin")[0], "peers": lambda _: import_s(PEERS)[0]},
        starts,
    )
    return row(
        {
            "times_as_long": Figure(value=median_ratio(contest, "edgetwin", "peers"), bar=1.3),
            "heavy_packages_loaded": Figure(value=float(len(import_s("edgetwin")[1])), bar=0.0),
        },
        n={"starts": starts},
        median_s={name: median(times_s) for name, times_s in contest.items()},
        method=f"time of the import statement in a fresh interpreter, against: {PEERS}",
    )


def import_s(modules: str) -> tuple[float, list[str]]:
    """(seconds that importing took in a fresh interpreter, heavy packages found loaded)."""
    taken_s, heavy = json.loads(run_python(_TIMED.format(modules=modules, heavy=HEAVY)))
    return float(taken_s), list(heavy)


def measure_bad_input(quick: bool) -> dict[str, Any]:
    """Cases of bad input that end in one clear line; every case runs, quick or not."""
    verdicts = run_tests(BAD_INPUT)
    wrong = len(verdicts.ran) - len(verdicts.passed)
    return row(
        {
            "cases_passed": Figure(
                value=float(len(verdicts.passed)), bar=float(LEAST_CASES), at_least=True
            ),
            "cases_failed": Figure(value=float(wrong), bar=0.0),
        },
        n={"cases": len(verdicts.ran)},
        method=f"pytest {BAD_INPUT}",
    )


def measure_traps(quick: bool) -> dict[str, Any]:
    """The four traps of the architecture page, each with a test that bears its name."""
    passed = run_tests(TRAPS_FILE).passed
    found = {trap: any(name.split("[")[0] == trap for name in passed) for trap in TRAPS}
    return row(
        {
            "traps_avoided": Figure(
                value=float(sum(found.values())), bar=float(len(TRAPS)), at_least=True
            )
        },
        n={"traps": len(TRAPS)},
        tests=found,
        method=f"pytest {TRAPS_FILE}",
    )
