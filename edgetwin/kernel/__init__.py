"""The compiled physics and control of a board."""

from edgetwin.kernel.loop import REACHED, SHUT_DOWN, advance
from edgetwin.kernel.orders import (
    free_job,
    migrate,
    request_level,
    set_ambient,
    set_fan_level,
    start_job,
    unsettle,
)
from edgetwin.kernel.state import QOS_SHARE, SLOTS, State, new_state

__all__ = [
    "QOS_SHARE",
    "REACHED",
    "SHUT_DOWN",
    "SLOTS",
    "State",
    "advance",
    "free_job",
    "migrate",
    "new_state",
    "request_level",
    "set_ambient",
    "set_fan_level",
    "start_job",
    "unsettle",
]
