"""The page of a long run: its size, its first paint in Chromium, and whether all is drawn."""

import tempfile
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.frame.browser import CHROMIUM, NO_BROWSER, Browser
from edgetwin.backend import FunctionPolicy, run
from edgetwin.factory import make_backend
from edgetwin.report.compare_page import write_kept_page
from edgetwin.report.kept import read_kept
from edgetwin.scenario import load_scenario
from edgetwin.studies import Figure, absent, row
from hw_models.board import Knobs

PANELS: Final = (
    "temperature", "power", "clocks", "load of the units", "placement", "quality of service",
    "jobs", "events", "calibration and validity",
)  # fmt: skip
HOUR_S: Final = 3600.0
PERIOD_S: Final = 0.1
READY = "document.querySelectorAll('.chart:not([data-drawn])').length === 0"
PAINT = "performance.getEntriesByType('paint').find(e => e.name === 'first-contentful-paint')"
TITLES = "[...document.querySelectorAll('h2')].map(h => h.textContent)"


def measure(quick: bool) -> dict[str, Any]:
    """An hour of a Jetson TX2 at 10 Hz under eight programs that never end."""
    if CHROMIUM is None:
        return absent(NO_BROWSER)
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "hour.parquet"
        readings = _record(trace)
        page = write_kept_page(read_kept(trace), Path(folder) / "hour.html")
        size_bytes, trace_bytes = page.stat().st_size, trace.stat().st_size
        paints_s, drawn_s, busy_s, missing, errors = _look(page, 3 if quick else 7)
    return row(
        {
            "page_mb": Figure(value=size_bytes / 1e6, bar=6.0),
            "first_paint_s": Figure(value=median(paints_s), bar=2.0),
            "panels_missing": Figure(value=float(len(missing)), bar=0.0),
            "console_errors": Figure(value=float(len(errors)), bar=0.0),
        },
        readings=readings,
        parquet_mb=trace_bytes / 1e6,
        all_drawn_s=median(drawn_s),
        busy_until_drawn_s=median(busy_s),
        loads=len(paints_s),
        paints_s=paints_s,
        missing=missing,
        errors=errors,
    )


def _record(path: Path) -> int:
    """Every reading of an hour, in Parquet."""
    programs = ("adi", "lu", "gemm", "cholesky", "atax", "bicg", "seidel-2d", "jacobi-2d")
    jobs = tuple(
        {"kind": "application", "program": name, "instructions": "endless", "target_share": 0.3,
         "at_s": 60.0 * i, "pass_instructions": 1e10}
        for i, name in enumerate(programs)
    )  # fmt: skip
    cap = [(0.0, 15.0), (1200.0, 9.0), (2400.0, 12.0)]
    scenario = load_scenario("single-app").with_(
        jobs=jobs, duration_s=HOUR_S, until="duration", cap=cap
    )
    backend = make_backend("sim", board="jetson-tx2", scenario=scenario)
    cores = [unit.name for unit in backend.board.unit_list if unit.host is None]
    turn = iter(range(10**9))

    def moves(reading: Any) -> Knobs:
        """One application moves every ten seconds, so that there is something to draw."""
        at = next(turn)
        running = list(reading.jobs)
        if at % 100 or not running:
            return Knobs()
        job = running[at // 100 % len(running)]
        return Knobs(placement={job: cores[at // 100 % len(cores)]})

    found = run(backend, FunctionPolicy(moves, PERIOD_S), duration_s=HOUR_S)
    found.trace.to_parquet(path)
    return len(found.trace)


def _look(
    page: Path, loads: int
) -> tuple[list[float], list[float], list[float], list[str], list[str]]:
    """First paint, last chart and work of every load, panels that are missing, what went wrong."""
    paints_s, drawn_s, busy_s = [], [], []
    with Browser() as browser:
        for _ in range(loads):
            browser.open(page.as_uri())
            browser.wait_for(READY)
            busy_s.append(browser.busy_s())
            drawn_s.append(float(browser.value("performance.now()")) / 1e3)
            paints_s.append(float(browser.wait_for(f"{PAINT}?.startTime")) / 1e3)
        titles = browser.value(TITLES)
        missing = [name for name in PANELS if name not in titles]
        return paints_s, drawn_s, busy_s, missing, list(browser.errors)
