"""The Odroid logs as traces: two tables of unlike form, with what they do not say filled in."""

import csv
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hw_models.trace import Trace

Array = NDArray[np.float64]

RAILS: Final = {
    "total_watts": "total", "w_big": "vdd_arm", "w_little": "vdd_kfc", "w_gpu": "vdd_g3d",
    "w_mem": "vdd_mem",
}  # fmt: skip
ZONES: Final = {**{f"temp{i}": f"cpu{i}" for i in range(4, 8)}, "temp_gpu": "gpu"}
# Between the halves of the training log every core rests and the clock is raised.
_HALVES_S: Final = 715.0
LOW_HZ, HIGH_HZ, BLACKSCHOLES_HZ = 0.8e9, 2.0e9, 1.3e9


def training_halves(path: Path) -> tuple[Trace, Trace]:
    """The log of single cores in turn, at 800 MHz and then at 2 GHz, with the fan off.

    The log has no clocks: these are those of the campaign's core-by-core runs, and the power of one
    busy core (0.45 and 2 W) agrees with them and with the voltages of the device tree.
    """
    columns = read(path)
    t_s = spread(columns["time"])
    first, second = t_s < _HALVES_S, t_s >= _HALVES_S
    return _trace(columns, t_s, first, LOW_HZ), _trace(columns, t_s, second, HIGH_HZ)


def blackscholes(path: Path) -> Trace:
    """The log of blackscholes on one, then four big cores at 1.0375 V.

    Its clock column is stuck at 200 MHz; 1.3 GHz is what that voltage is for by the device tree,
    less the margin of its speed bin.
    """
    columns = read(path)
    t_s = columns["time"] - columns["time"][0]
    return _trace(columns, t_s, np.ones(len(t_s), dtype=bool), BLACKSCHOLES_HZ)


def read(path: Path) -> dict[str, Array]:
    """Columns of a log by name, (n,) each, NaN for an empty cell.

    The header may be separated by tabs with a stray comma, the rows by tabs or commas.
    """
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    header, *rows = csv.reader(line.replace("\t", ",") for line in lines if line.strip())
    names = [name.strip() for name in header if name.strip()]
    cells = [
        [float(cell) if cell.strip() else np.nan for cell in row[: len(names)]] for row in rows
    ]
    table = np.array([row + [np.nan] * (len(names) - len(row)) for row in cells])
    return {name: table[:, i] for i, name in enumerate(names)}


def spread(stamps_s: Array) -> Array:
    """Whole seconds (n,) as times that increase: readings of one second share it evenly."""
    seconds, first, counts = np.unique(stamps_s, return_index=True, return_counts=True)
    place = np.arange(len(stamps_s)) - np.repeat(first, counts)
    return np.asarray(np.repeat(seconds, counts) - seconds[0] + place / np.repeat(counts, counts))


def _trace(columns: dict[str, Array], t_s: Array, rows: NDArray[np.bool_], big_hz: float) -> Trace:
    n = int(rows.sum())
    said: dict[str, Array] = {"t_s": t_s[rows] - t_s[rows][0]}
    said |= {f"power_w.{rail}": columns[name][rows] for name, rail in RAILS.items()}
    said["power_w.total"] = np.where(said["power_w.total"] > 0.0, said["power_w.total"], np.nan)
    said |= {f"temps_c.{zone}": columns[name][rows] for name, zone in ZONES.items()}
    for core in range(8):
        name = f"usage_c{core}"
        said[f"busy.cpu{core}"] = columns[name][rows] if name in columns else np.zeros(n)
    clocks = {"big": big_hz, "little": 0.2e9, "gpu": 0.6e9, "mem": 0.825e9}
    said |= {f"freq_hz.{domain}": np.full(n, hz) for domain, hz in clocks.items()}
    return Trace({**said, "memory_busy": np.zeros(n), "fan": np.zeros(n)})
