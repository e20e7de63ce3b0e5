"""The study: one row per line of the table of fidelity; each row is a module of this folder."""

from importlib import import_module
from typing import Any

from edgetwin.studies import Measure, Study


def late(module: str, function: str = "measure", room: str = "fidelity") -> Measure:
    """A row whose module is imported when it is measured: fits pull scipy, some rows torch."""

    def measure(quick: bool) -> dict[str, Any]:
        found: dict[str, Any] = getattr(import_module(f"benchmarks.{room}.{module}"), function)(
            quick
        )
        return found

    return measure


ROWS = {
    "recovery": ("known truth of 50 random boards", late("recovery")),
    "latency": ("TX2 inference latency, 60 % of the points", late("latency")),
    "tx2_power": ("TX2 input power, held-out part", late("tx2", "measure_power")),
    "tx2_temperature": ("TX2 temperatures, held-out stretches", late("tx2", "measure_temperature")),
    "orin_temperature": ("Orin Nano temperatures, other runs", late("orin")),
    "hikey960": ("HiKey 960 power, a frequency left out", late("hikey960")),
    "zeus": ("V100 and A40 grids from 15 points", late("zeus")),
    "fit_time": ("full fit of a trace of 2 h", late("fit_time")),
    "dirty_data": ("dirty traces named or refused", late("dirty_data")),
}

MORE = {"transfer": ("transfer from k points", late("transfer"))}

STUDY = Study(name="fidelity", rows=ROWS, more=MORE)
