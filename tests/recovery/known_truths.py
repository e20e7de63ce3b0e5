"""Runs of a tiny board whose true numbers are known: what its sensors would have recorded."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from tiny_board import tiny_board

from hw_models.board import Board
from hw_models.fit.runs import Run
from hw_models.openloop import driven
from hw_models.parameters import paths, replaced, value_at, with_values
from hw_models.recorded import Recorded

Array = NDArray[np.float64]

# What the file of the tiny board does not know, as shares of its values.
UNKNOWN = {
    "power.units.slow.active_capacitance_f": 0.2,
    "power.units.fast.active_capacitance_f": 0.2,
    "power.units.gpu.active_capacitance_f": 0.2,
    "power.units.gpu.idle_capacitance_f": 0.5,
    "power.units.gpu.leakage_w": 0.5,
    "power.memory.energy_j_per_byte": 0.2,
    "power.baseline.rest.power_w": 0.2,
    "thermal.capacity_j_per_k[3]": 0.3,
    "thermal.capacity_j_per_k[4]": 0.3,
    "thermal.links[4].conductance_w_per_k": 0.3,
    "thermal.cooling[1].conductance_w_per_k[0]": 0.3,
    "thermal.cooling[1].conductance_w_per_k[1]": 0.3,
}
NOISE_K, NOISE_SHARE = 0.1, 0.01


def board(extra: Mapping[str, float] | None = None) -> Board:
    """The tiny board with honest sensors, and a std for what it does not know."""
    tiny = tiny_board()
    share = UNKNOWN | dict(extra or {})
    std = {path: s * value_at(tiny, path) for path, s in share.items()}
    sensors = {
        "sensors.zones.cpu.noise_k": NOISE_K,
        "sensors.zones.skin.noise_k": NOISE_K,
        "sensors.zones.skin.resolution_k": 0.1,
        "sensors.zones.skin.offset_k": 0.0,
        "sensors.rails.vdd_in.noise": NOISE_SHARE,
        "sensors.rails.vdd_cpu.noise": NOISE_SHARE,
        "thermal.ambient_c": 25.0,
    }
    return with_values(tiny, sensors, std=std | {"thermal.ambient_c": 3.0})


def everything(tiny: Board) -> dict[str, float]:
    """A third of every power, capacity and conductance of a board, as what its file cannot say."""
    known = (path for path in paths(tiny) if path.startswith(("power.", "thermal.", "limits.fan")))
    return {
        path: 0.3
        for path in known
        if not path.startswith(("power.leakage", "thermal.ambient")) and value_at(tiny, path) > 0
    }


def truth(nominal: Board, rng: np.random.Generator) -> dict[str, float]:
    """True numbers by path, drawn from what the file does not know."""
    return {
        path: value_at(nominal, path) * float(np.exp(rng.normal(0.0, 0.7 * share)))
        for path, share in UNKNOWN.items()
    }


def inputs(nominal: Board, rows: int, rng: np.random.Generator) -> Recorded:
    """Clocks, loads, traffic and fan that step every twenty to a hundred seconds."""
    level = np.zeros((rows, len(nominal.clocks)), dtype=np.int64)
    busy, traffic = np.zeros((rows, len(nominal.unit_list))), np.zeros(rows)
    row = 0
    while row < rows:
        part = slice(row, row + int(rng.integers(20, 100)))
        level[part] = [rng.integers(len(c.freqs_hz.value)) for c in nominal.clocks.values()]
        busy[part] = rng.random(busy.shape[1]) * (rng.random(busy.shape[1]) < 0.6)
        traffic[part] = rng.uniform(0.0, 3e9)
        row = part.stop
    return Recorded(
        t_s=np.arange(float(rows)),
        level=level,
        busy=busy,
        loop=np.ones(busy.shape),
        online=np.ones((rows, busy.shape[1]), dtype=np.int64),
        traffic=traffic,
        fan=np.asarray((np.arange(rows) > rows // 2).astype(np.int64)),
        zones_c={},
        rails_w={},
        notes=(),
    )


def run(
    nominal: Board,
    values: Mapping[str, float],
    rng: np.random.Generator,
    *,
    rows: int = 900,
    ambient_c: float = 24.0,
    name: str = "run",
    seen: Recorded | None = None,
) -> Run:
    """What the sensors of a board with these true numbers record."""
    real = replaced(nominal, values)
    seen = inputs(nominal, rows, rng) if seen is None else seen
    start_c = np.full(len(nominal.thermal.nodes), ambient_c + 2.0)
    zones_c, rails_w, _ = driven(real.lower(), seen, ambient_c, start_c)
    noisy_c = zones_c + rng.normal(0.0, NOISE_K, zones_c.shape)
    noisy_w = rails_w * (1.0 + rng.normal(0.0, NOISE_SHARE, rails_w.shape))
    said = replace(
        seen,
        zones_c=_named(nominal.sensors.zones, noisy_c),
        rails_w=_named(nominal.sensors.rails, noisy_w),
    )
    return Run(name=name, recorded=said, sha256="", start_s=0.0, findings=())


def _named(names: Mapping[str, object], values: Array) -> dict[str, Array]:
    return {name: values[:, i] for i, name in enumerate(names)}
