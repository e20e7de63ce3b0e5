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
