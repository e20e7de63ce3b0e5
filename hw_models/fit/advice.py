"""Paths in words, and the excitation that would tell a number."""

import re
from typing import Final

_WORDS: Final = {
    "active_capacitance_f": "power per load of {0}",
    "byte_capacitance_f": "power per load and traffic of {0}",
    "kernel_capacitance_f": "power of kernels one by one on {0}",
    "stalled_capacitance_f": "power of kernels on {0} that wait for memory",
    "idle_capacitance_f": "clock power of idle {0}",
    "leakage_w": "leakage of {0}",
    "energy_j_per_byte": "energy per byte of {0}",
    "power_w": "constant power of {0}",
    "share": "loss of the regulators",
    "capacity_j_per_k": "heat capacity {0}",
    "conductance_w_per_k": "heat conductance {0}",
    "offset_k": "offset of sensor {0}",
    "volts_v": "voltage {0}",
}
_CURES: Final = (
    (r"power\.memory\.energy.*", "load the memory at several shares of its bandwidth"),
    (r"power\.(memory|domains)\..*idle_cap.*", "sweep that clock while everything rests"),
    (r".*byte_capacitance_f", "load that unit and the memory together, and apart"),
    (r".*(kernel|stalled)_capacitance_f", "log a search of kernels (TensorRT building an engine)"),
    (r".*active_capacitance_f", "run that unit alone at several loads, at two clocks or more"),
    (r".*idle_capacitance_f", "let the board rest at the lowest and at the highest clock"),
    (r".*leakage_w", "repeat the same load on a cold and on a hot board"),
    (r"power\.baseline\..*", "let the board rest at its lowest clocks, with that rail recorded"),
    (r"power\.conversion\..*", "record the input rail together with the rails it feeds"),
    (r"limits\.fan\..*", "step the fan through its levels while everything rests"),
    (r"thermal\.capacity.*", "step the load of what sits there and record every second"),
    (r"thermal\.links.*", "load one unit at a time, with a sensor on either side"),
    (r"thermal\.cooling.*", "hold a constant load at that fan level until temperatures settle"),
    (r"sensors\.zones\..*", "read the sensors of a board that has been off for an hour"),
    (r"runs\..*", "note the temperature of the room, and let the board settle before the run"),
    (r"clocks\..*volts_v.*", "measure the voltage, or record the rail of that domain"),
)


def plain(path: str) -> str:
    """A path in words, with the path itself behind them."""
    key = path.split("[", maxsplit=1)[0] if path.endswith("]") else path
    parts = key.split(".")
    words = _WORDS.get(parts[-1])
    if path.startswith("runs.") or words is None:
        return path
    return f"{words.format(_what(path, parts))} ({path})"


def _what(path: str, parts: list[str]) -> str:
    entry = re.search(r"\[(\d+)\](?!.*\[)", path)
    if parts[0] == "thermal":
        return entry[1] if entry else parts[1]
    return parts[-2]


def cure(path: str) -> str:
    """The excitation or the data that would tell the number at a path."""
    for pattern, words in _CURES:
        if re.fullmatch(pattern, path):
            return words
    return "vary what this number acts on while everything else holds still"
