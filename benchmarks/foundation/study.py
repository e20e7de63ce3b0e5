"""The study: one row per line of the foundation's table, and some more."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numba
import numpy as np

from benchmarks.foundation import energy, environments, extras, heat, promises, speed
from benchmarks.foundation.figures import absent, failed
from edgetwin.progress import Progress

Measure = Callable[[bool], dict[str, Any]]
ROWS: dict[str, tuple[str, Measure]] = {
    "thermal_step": ("thermal step against solve_ivp", heat.measure_step),
    "energy": ("energy counter and heat balance", energy.measure),
    "linear_part": ("linear part of the thermal step", heat.measure_linear),
    "against_polling": ("one board against polling simpy processes", speed.measure_polling),
    "coasting": ("quiet stretches jumped over", speed.measure_coasting),
    "environment": ("Thermal-v0 against CartPole-v1", environments.measure),
    "import": ("import edgetwin", promises.measure_import),
    "bad_input": ("bad input", promises.measure_bad_input),
    "traps": ("the four traps", promises.measure_traps),
}


def run_study(quick: bool) -> dict[str, Any]:
    """{"bars": rows of the table, "more": further rows, "quick", "versions"}."""
    with Progress("foundation", len(ROWS) + len(extras.MORE)) as progress:
        bars = measure_all(ROWS, quick, progress)
        more = measure_all(extras.MORE, quick, progress)
    versions = {"numpy": np.__version__, "numba": numba.__version__}
    return {"study": "foundation", "quick": quick, "bars": bars, "more": more, "versions": versions}


def measure_all(
    rows: Mapping[str, tuple[str, Measure]], quick: bool, progress: Progress
) -> dict[str, dict[str, Any]]:
    """Every row, whatever becomes of the others."""
    found = {}
    for name, (title, measure) in rows.items():
        start_s = time.perf_counter()
        found[name] = {"title": title} | outcome(measure, quick)
        found[name]["took_s"] = time.perf_counter() - start_s
        progress.advance()
    return found


def outcome(measure: Measure, quick: bool) -> dict[str, Any]:
    """A row as measured; ok is null where a package is missing and False where it broke down."""
    try:
        return measure(quick)
    except ImportError as e:
        return absent(f"{e}; install it to measure this row.")
    except Exception as e:
        return failed(f"{type(e).__name__}: {e}")


def falls_short(study: Mapping[str, Any]) -> list[str]:
    """Names of the rows of the table that are measured and do not hold."""
    return [name for name, found in study["bars"].items() if found["ok"] is False]


def cells(study: Mapping[str, Any]) -> list[list[str | float | None]]:
    """Rows of the printed table: what, figure, value, bar, verdict."""
    return [
        cell
        for found in (*study["bars"].values(), *study["more"].values())
        for cell in _cells(found)
    ]


def _cells(found: Mapping[str, Any]) -> list[list[str | float | None]]:
    verdict = {True: "holds", False: "falls short", None: "not measured"}[found["ok"]]
    if found["value"] is None:
        return [[found["title"], found["reason"], None, "", verdict]]
    by_name = {
        key: found[key] if isinstance(found["value"], dict) else {"": found[key]}
        for key in ("value", "bar", "sense")
    }
    lines: list[list[str | float | None]] = [
        [
            "",
            name.replace("_", " "),
            value,
            f"{by_name['sense'][name]} {by_name['bar'][name]:.4g}",
            "",
        ]
        for name, value in by_name["value"].items()
    ]
    lines[0][0], lines[0][4] = found["title"], verdict
    return lines
