"""Whether a board file describes something that could stand on a desk."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.checks.promise import keep, require
from hw_models.board import Board, load_board
from hw_models.power import powers_w
from hw_models.thermal import Network, leakage_law

Array = NDArray[np.float64]
Levels = NDArray[np.int64]

COLDEST_C, HOTTEST_C = 0.0, 150.0
SLOWEST_S: Final = 1e5


def lowers_to_arrays(board: Board) -> None:
    """The simulator can hold it."""
    board.lower()


def warms_and_cools_in_finite_time(board: Board) -> None:
    """Every time constant is positive and under a day or so, at each fan level."""
    for fan in _fan_levels(board):
        slowest_s = 1.0 / float(Network.of(board, fan).rate_hz.min())
        fits = 0.0 < slowest_s < SLOWEST_S
        require(fits, f"{slowest_s:.4g} s with the fan at level {fan}")


def rests_within_limits(board: Board) -> None:
    """At rest it settles between 0 and 150 degC, below every throttle and shutdown trip."""
    temps_c = _steady_c(board, _lowest(board), busy=0.0, fan=0)
    _within(temps_c)
    at_node = dict(zip(board.thermal.nodes, temps_c, strict=True))
    for trip in board.limits.trips:
        rest_c = at_node[board.sensors.zones[trip.zone].node]
        fits = trip.kind == "fan" or rest_c < trip.temp_c.value
        require(fits, f"{trip.zone} rests at {rest_c:.1f} degC, {trip.kind} {trip.temp_c.value}")


def survives_full_load(board: Board) -> None:
    """Fully loaded it stays under 150 degC, if need be by throttling to its lowest clocks."""
    best = _fan_levels(board)[-1]
    throttles = any(trip.kind == "throttle" for trip in board.limits.trips)
    level = _lowest(board) if throttles else _highest(board)
    _within(_steady_c(board, level, busy=1.0, fan=best))


def draws_more_at_higher_clocks(board: Board) -> None:
    """A higher clock never draws less, idle or busy."""
    for d, (domain, clock) in enumerate(board.clocks.items()):
        for busy in (0.0, 1.0):
            level, watts = _lowest(board), []
            for point in range(len(clock.freqs_hz.value)):
                level[d] = point
                watts.append(sum(map(np.sum, _power(board, level, busy))))
            falls = np.flatnonzero(np.diff(watts) < 0.0)
            at_hz = [clock.freqs_hz.value[i + 1] for i in falls[:1]]
            require(not len(falls), f"{domain} draws less at {at_hz} Hz than below, busy {busy}")


def is_cooled_by_its_fan(board: Board) -> None:
    """More fan never makes the same power hotter."""
    power_w, _ = _power(board, _highest(board), 1.0)
    ambient_c = board.thermal.ambient_c.value
    hottest_c = [
        float(Network.of(board, fan).steady(power_w, ambient_c).max()) for fan in _fan_levels(board)
    ]
    rises = np.flatnonzero(np.diff(hottest_c) > 1e-9)
    require(not len(rises), f"fan levels 0, 1, ... give {np.round(hottest_c, 1).tolist()} degC")


BOARD_CHECKS: Final = (
    lowers_to_arrays,
    warms_and_cools_in_finite_time,
    rests_within_limits,
    survives_full_load,
    draws_more_at_higher_clocks,
    is_cooled_by_its_fan,
)


def check_board(board: str | Path | Board) -> None:
    """Go through what the physics of a board must do; stop at the first that fails.

    board is a name, a file or a Board. ConformanceError, in one line, for a broken promise;
    KeyError, FileNotFoundError or ValueError where there is no valid board to check.
    """
    made = load_board(board)
    for check in BOARD_CHECKS:
        keep(made.name, check, made)


def _fan_levels(board: Board) -> range:
    return range(len(board.limits.fan.pwm) if board.limits.fan else 1)


def _lowest(board: Board) -> Levels:
    return np.zeros(len(board.clocks), dtype=np.int64)


def _highest(board: Board) -> Levels:
    return np.array([len(c.freqs_hz.value) - 1 for c in board.clocks.values()], dtype=np.int64)


def _power(board: Board, level: Levels, busy: float, fan: int = 0) -> tuple[Array, Array]:
    """Switching power and leakage gain of the parts, all units and the memory equally busy."""
    memory, traffic = board.power.memory, 0.0
    if memory is not None:
        clock_hz = board.clocks[memory.domain].freqs_hz.value
        hz = clock_hz[level[list(board.clocks).index(memory.domain)]]
        traffic = busy * hz * board.performance.bandwidth_bytes_per_cycle.value
    load = np.full(len(board.unit_list), busy)
    return powers_w(board, level=level, busy=load, traffic=traffic, fan=fan)


def _steady_c(board: Board, level: Levels, *, busy: float, fan: int) -> Array:
    power_w, gain_w = _power(board, level, busy, fan)
    ambient_c = board.thermal.ambient_c.value
    return Network.of(board, fan).steady(power_w, ambient_c, gain_w, leakage_law(board))


def _within(temps_c: Array) -> None:
    low_c, high_c = float(temps_c.min()), float(temps_c.max())
    fits = low_c >= COLDEST_C and high_c <= HOTTEST_C
    require(fits, f"it settles between {low_c:.1f} and {high_c:.1f} degC")
