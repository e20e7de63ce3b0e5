"""Figures beyond the table: parsing, branching, determinism, the first start on a machine."""

import tempfile
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

from benchmarks.foundation.workload import CORES, drawn_j, eight_applications, simulator
from benchmarks.frame.children import run_python
from benchmarks.frame.side_by_side import timed_s
from edgetwin.studies import Figure, row
from hw_models import Knobs

BRANCHES = 10_000
_FIRST = """
import time
start_s = time.perf_counter()
from edgetwin.simulator import Simulator
from hw_models import load_board
Simulator(load_board("hikey970")).advance(1.0)
print(time.perf_counter() - start_s)
"""


def measure_parsing(quick: bool) -> dict[str, Any]:
    """tegrastats parsing against one anchored regular expression and floats per line."""
    from benchmarks.foundation_tegrastats import measure

    found = measure()
    details = {key: value for key, value in found.items() if key not in ("value", "bar", "ok")}
    return row({"times_as_long": Figure(value=float(found["value"]), bar=2.0)}, **details)


def measure_branching(quick: bool) -> dict[str, Any]:
    """Restore a loaded HiKey 970, move an application, advance 500 ms; ten thousand times."""
    rounds = 3 if quick else 7
    taken_s = [branches_s(BRANCHES) for _ in range(rounds)]
    return row(
        {"wall_s": Figure(value=median(taken_s), bar=2.0)},
        n={"rounds": rounds, "branches": BRANCHES},
    )


def branches_s(count: int) -> float:
    """Wall seconds of so many branches. RuntimeError if one did not do its work."""
    sim = simulator(eight_applications(1, 60.0, moved=False))
    sim.advance(30.0)
    snapshot, before_j = sim.snapshot(), drawn_j(sim)
    names = [entry.id for entry in sim.running.values()]
    knobs = [Knobs(placement={n: core}) for n in names for core in CORES]
    energies_j = []

    def branch() -> None:
        for i in range(count):
            sim.restore(snapshot)
            sim.apply(knobs[i % len(knobs)])
            sim.advance(0.5)
            energies_j.append(sim.state[0]["energy_j"].sum())

    wall_s = timed_s(branch)
    drawn = np.array(energies_j) - before_j
    if len(names) < 4 or not (drawn > 0.0).all() or len(np.unique(drawn)) < len(names):
        raise RuntimeError("branches did not move applications of a loaded board.")
    return wall_s


def measure_determinism(quick: bool) -> dict[str, Any]:
    """Two runs with one seed leave the same state, bit for bit."""
    duration_s = 120.0 if quick else 600.0

    def final_bytes() -> bytes:
        sim = simulator(eight_applications(1, duration_s))
        for _ in range(round(duration_s)):
            sim.advance(1.0)
        return bytes(sim.state.tobytes())

    first, second = final_bytes(), final_bytes()
    differing = sum(a != b for a, b in zip(first, second, strict=True))
    return row(
        {"differing_bytes": Figure(value=float(differing), bar=0.0)},
        n={"simulated_s": duration_s, "state_bytes": len(first)},
    )


def measure_first_start(quick: bool) -> dict[str, Any]:
    """From an empty cache to the first simulated second, and once more from the cache."""
    with tempfile.TemporaryDirectory() as folder:
        cold_s, warm_s = (float(run_python(_FIRST, NUMBA_CACHE_DIR=folder)) for _ in range(2))
    return row({"cold_s": Figure(value=cold_s, bar=60.0)}, warm_s=warm_s, n={"starts": 1})


MORE: dict[str, tuple[str, Callable[[bool], dict[str, Any]]]] = {
    "tegrastats_parsing": ("parsing a tegrastats line", measure_parsing),
    "branching": ("10 000 branches of a loaded HiKey 970", measure_branching),
    "determinism": ("same seed, same state", measure_determinism),
    "first_start": ("first start on a machine", measure_first_start),
}
