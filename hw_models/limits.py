"""What the board itself does when it gets warm."""

from typing import Any

from hw_models.compiled import jit
from hw_models.lowering import FAN


@jit
def fan_by_trips(b: Any, zone_c: Any, fan: int) -> int:
    """The fan level that the trips ask for: the highest one reached, or held by its hysteresis.

    b is a board's record, zone_c (zones,) what the sensors say (NaN: nothing), fan the level now.
    """
    wanted = 0
    for i in range(b.trips):
        if b.trip_kind[i] == FAN:
            c = zone_c[b.trip_zone[i]]
            holds = fan >= b.trip_fan[i] and c > b.trip_c[i] - b.trip_hyst_k[i]
            if c >= b.trip_c[i] or holds:
                wanted = max(wanted, b.trip_fan[i])
    return wanted


@jit
def fan_course(board: Any, zones_c: Any, levels: Any) -> None:
    """Fill levels (rows,): the fan under its trips along zones_c (rows, n_zones), from rest.

    board (1,) is a board's record. A zone that says nothing (NaN) keeps what it said before.
    """
    last_c = zones_c[0].copy()
    fan = 0
    for row in range(len(levels)):
        for z in range(len(last_c)):
            if zones_c[row, z] == zones_c[row, z]:
                last_c[z] = zones_c[row, z]
        fan = fan_by_trips(board[0], last_c, fan)
        levels[row] = fan
