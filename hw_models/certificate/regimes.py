"""What a board was doing at each reading: at rest, warming up, cooling down, held back by heat."""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.recorded import Recorded

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]

REGIMES: Final = ("idle", "heat", "cool", "steady", "throttle")
# Faster than this over two minutes is warming up or cooling down, in K/s (half a kelvin a minute).
_SLOPE_K_PER_S: Final = 0.5 / 60.0
_HALF_WINDOW_S: Final = 60.0
_AT_REST: Final = 0.05


def regimes(board: "Board", seen: Recorded) -> NDArray[np.str_]:
    """The regime of every reading, (rows,): throttle where a zone is at a throttling trip; else
    heat or cool where the zones' mean moves by more than 0.5 K a minute; else idle where no unit
    is busy for 5 % of two minutes, and steady load otherwise."""
    found = np.where(_rests(seen), "idle", "steady").astype("<U8")
    slope = _slope_k_per_s(seen)
    found[slope > _SLOPE_K_PER_S] = "heat"
    found[slope < -_SLOPE_K_PER_S] = "cool"
    found[_throttles(board, seen)] = "throttle"
    return found


def _rests(seen: Recorded) -> NDArray[np.bool_]:
    return np.asarray(_smooth(seen.t_s, seen.busy.max(axis=1)) <= _AT_REST)


def _slope_k_per_s(seen: Recorded) -> Array:
    """How fast the mean of the measured zones moves, (rows,); 0 where none is measured."""
    if not seen.zones_c:
        return np.zeros(len(seen.t_s))
    mean_c = np.mean([_bridged(values) for values in seen.zones_c.values()], axis=0)
    smooth_c = _smooth(seen.t_s, mean_c)
    ahead_s, behind_s = seen.t_s + _HALF_WINDOW_S, seen.t_s - _HALF_WINDOW_S
    rise_k = np.interp(ahead_s, seen.t_s, smooth_c) - np.interp(behind_s, seen.t_s, smooth_c)
    first_s, last_s = seen.t_s[0], seen.t_s[-1]
    span_s = np.minimum(ahead_s, last_s) - np.maximum(behind_s, first_s)
    return np.asarray(rise_k / np.maximum(span_s, 1e-9)) if last_s > first_s else rise_k * 0.0


def _throttles(board: "Board", seen: Recorded) -> NDArray[np.bool_]:
    at_trip = np.zeros(len(seen.t_s), dtype=bool)
    for trip in board.limits.trips:
        if trip.kind == "throttle" and trip.zone in seen.zones_c:
            hot_c = trip.temp_c.value - trip.hysteresis_k.value
            at_trip |= np.nan_to_num(seen.zones_c[trip.zone], nan=-np.inf) >= hot_c
    return at_trip


def _smooth(t_s: Array, values: Array) -> Array:
    """Means over the readings within a minute before and after each, (rows,)."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    first = np.searchsorted(t_s, t_s - _HALF_WINDOW_S, side="left")
    last = np.searchsorted(t_s, t_s + _HALF_WINDOW_S, side="right")
    return np.asarray((total[last] - total[first]) / (last - first))


def _bridged(values: Array) -> Array:
    rows, known = np.arange(len(values)), ~np.isnan(values)
    return np.asarray(np.interp(rows, rows[known], values[known]))
