"""Boards whose true numbers are known, and what their sensors would have recorded.

The truth is drawn from what a shipped board file says it does not know; a fit then starts from
the file. Loads, clocks and fan step at random times; readings go through the board's own sensors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.board import Board, load_board
from hw_models.fit.places import OFFSETS, POWER, THERMAL, board_places, usual
from hw_models.fit.runs import Run, check_run
from hw_models.log_work import LOOPS, WORK
from hw_models.openloop import driven
from hw_models.parameters import replaced, std_at, value_at
from hw_models.recorded import Recorded
from hw_models.trace import Trace

Array = NDArray[np.float64]

BOARDS: Final = (
    "jetson-tx2",
    "jetson-orin-nano",
    "odroid-xu3",
    "jetson-nano",
    "hikey960",
    "jetson-tx2-nx",
    "hikey970",
)
SHORTEST_S: Final = 20
LONGEST_S: Final = 240


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """A board as its file has it, its true numbers by path, and runs of the true one."""

    board: Board
    values: Mapping[str, float]
    runs: tuple[Run, ...]


def truth(seed: int, *, seconds: int, n_runs: int = 2) -> Truth:
    """Board number `seed`: a shipped one with numbers of its own, recorded every second."""
    rng = np.random.default_rng([seed, 77])
    board = load_board(BOARDS[seed % len(BOARDS)])
    values = drawn(board, rng)
    real = replaced(board, values)
    runs: list[Run] = []
    for number in range(n_runs):
        ambient_c = board.thermal.ambient_c.value + rng.normal(0.0, 3.0)
        trace = recording(real, excitation(real, seconds, rng), ambient_c, rng)
        runs += check_run(board, trace, name=f"run{number}")
        values[f"runs.run{number}.ambient_c"] = ambient_c
    return Truth(board=board, values=values, runs=tuple(runs))


def drawn(board: Board, rng: np.random.Generator) -> dict[str, float]:
    """True numbers (by path) as a board file's values and standard deviations allow them."""
    found = {}
    for place in board_places(board, usual(board, (*POWER, *THERMAL, *OFFSETS))):
        value, std = value_at(board, place.path), std_at(board, place.path)
        if place.is_log:
            found[place.path] = float(value * np.exp(rng.normal(0.0, min(std / value, 0.5))))
        else:
            found[place.path] = float(max(rng.normal(value, std), place.low))
    return found


def excitation(board: Board, seconds: int, rng: np.random.Generator) -> Recorded:
    """Inputs that step at random: clocks, loads, traffic; each fan level for a part of the run."""
    domains, units = list(board.clocks.values()), len(board.unit_list)
    level = np.zeros((seconds, len(domains)), dtype=np.int64)
    busy, share = np.zeros((seconds, units)), np.zeros(seconds)
    row = 0
    while row < seconds:
        part = slice(row, row + int(rng.integers(SHORTEST_S, LONGEST_S)))
        level[part] = [rng.integers(len(domain.freqs_hz.value)) for domain in domains]
        busy[part] = rng.uniform(0.2, 1.0, units) * (rng.random(units) < 0.5)
        share[part] = rng.uniform(0.0, 0.6) * (rng.random() < 0.7)
        row = part.stop
    return Recorded(
        t_s=np.arange(float(seconds)),
        level=level,
        busy=busy,
        loop=np.ones((seconds, units)),
        online=np.ones((seconds, units), dtype=np.int64),
        traffic=_traffic(board, level, share),
        fan=_fan(board, seconds, rng),
        zones_c={},
        rails_w={},
        notes=(),
    )


def _traffic(board: Board, level: NDArray[np.int64], share: Array) -> Array:
    memory = board.power.memory
    if memory is None:
        return np.zeros(len(share))
    hz = board.clocks[memory.domain].freqs_hz.array
    clock_hz = hz[level[:, list(board.clocks).index(memory.domain)]]
    return np.asarray(share * clock_hz * board.performance.bandwidth_bytes_per_cycle.value)


def _fan(board: Board, seconds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if board.limits.fan is None:
        return np.zeros(seconds, dtype=np.int64)
    order = rng.permutation(len(board.limits.fan.pwm))
    return np.asarray(order[np.arange(seconds) * len(order) // seconds], dtype=np.int64)


def recording(board: Board, inputs: Recorded, ambient_c: float, rng: np.random.Generator) -> Trace:
    """What the sensors of a board say under some inputs: noise, rounding, and their own period."""
    rows = len(inputs.t_s)
    start_c = np.full(len(board.thermal.nodes), ambient_c + rng.uniform(0.0, 10.0))
    zones_c, rails_w, _ = driven(board.lower(), inputs, ambient_c, start_c)
    columns: dict[str, Array] = {"t_s": inputs.t_s}
    for z, (name, zone) in enumerate(board.sensors.zones.items()):
        said_c = zones_c[:, z] + rng.normal(0.0, 1.0, rows) * zone.noise_k.value
        columns[f"temps_c.{name}"] = _held(
            _rounded(said_c, zone.resolution_k.value), zone.period_s.value
        )
    for r, (name, rail) in enumerate(board.sensors.rails.items()):
        said_w = rails_w[:, r] * (1.0 + rng.normal(0.0, 1.0, rows) * rail.noise.value)
        columns[f"power_w.{name}"] = _held(
            _rounded(np.maximum(said_w, 0.0), rail.resolution_w.value), rail.period_s.value
        )
    for d, (name, clock) in enumerate(board.clocks.items()):
        columns[f"freq_hz.{name}"] = clock.freqs_hz.array[inputs.level[:, d]]
    for u, unit in enumerate(board.unit_list):
        columns[f"busy.{unit.name}"] = inputs.busy[:, u]
    columns |= _memory_busy(board, inputs)
    if board.limits.fan:
        columns["fan"] = inputs.fan.astype(np.float64)
    return Trace(columns, {"board": board.name, WORK: LOOPS})


def _memory_busy(board: Board, inputs: Recorded) -> dict[str, Array]:
    ones = _traffic(board, inputs.level, np.ones(len(inputs.t_s)))
    return {"memory_busy": inputs.traffic / ones} if ones.any() else {}


def _rounded(values: Array, step: float) -> Array:
    return np.asarray(np.round(values / step) * step) if step > 0 else values


def _held(values: Array, period_s: float) -> Array:
    """Readings a second apart of a sensor that samples every period_s."""
    every = max(round(period_s), 1)
    return np.asarray(values[np.arange(len(values)) // every * every])
