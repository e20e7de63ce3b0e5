"""The study: one row per line of the table of speed, and some more."""

from importlib import import_module
from typing import Any

from benchmarks.speed.page import write_speed_page
from edgetwin.studies import Measure, Study


def _late(module: str, function: str) -> Measure:
    """What measures a row; its module is imported when its turn comes."""

    def measure(quick: bool) -> dict[str, Any]:
        room = import_module(f"benchmarks.speed.{module}")
        found: dict[str, Any] = getattr(room, function)(quick)
        return found

    return measure


ROWS = {
    "vector_50ms": ("Thermal-v0, 1024 boards, 50 ms steps", _late("batch", "measure_50ms")),
    "vector_500ms": ("the same at 500 ms steps", _late("batch", "measure_500ms")),
    "thermal_step_bound": ("thermal step against the FLOP bound", _late("batch", "measure_bound")),
    "two_cores": ("two cores against one", _late("batch", "measure_two_cores")),
    "exact_step": ("exact thermal step against the alternatives", _late("thermal", "measure")),
    "posterior": ("a posterior sample per block of 32", _late("batch", "measure_posterior")),
    "equality": ("vector board against scalar board", _late("equality", "measure")),
    "memory": ("memory per board", _late("memory", "measure")),
    "float32": ("float32 mode against float64", _late("float32", "measure")),
    "fleet": ("1000 boards in federated rounds", _late("fleet", "measure")),
    "sweep_resume": ("a sweep killed three times", _late("resume", "measure")),
}

MORE = {
    "peers": ("scalar Thermal-v0 beside other environments", _late("against_peers", "measure")),
    "simpy_events": ("simpy loop against polling processes", _late("events", "measure")),
    "scaling": ("over boards, nodes and cores", _late("scaling", "measure")),
    "roofline": ("a board step against what the machine sustains", _late("roofline", "measure")),
    "gpu": ("the batch in torch on a GPU against one core", _late("gpu", "measure")),
}

STUDY = Study(name="speed", rows=ROWS, more=MORE, draw=write_speed_page)
