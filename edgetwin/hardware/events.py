"""What a scenario still has in store for a board, in order of time."""

from dataclasses import dataclass
from typing import final

from edgetwin.scenario import Arrival, Change, Plan


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A job is stopped at t_s unless it has ended by itself."""

    t_s: float
    ident: str


Event = Arrival | Change | Stop

IDLE = Plan(
    arrivals=(), changes=(), ambient_c=25.0, cap_w=None, fan=None, mode=None, initial="steady"
)


def events_of(plan: Plan) -> list[Event]:
    """Arrivals, and the changes that a host can make: caps and knobs. Air and faults it cannot."""
    able: list[Event] = [change for change in plan.changes if change.what in ("cap", "knobs")]
    return sorted([*able, *plan.arrivals], key=lambda event: event.t_s)


def kept_until(event: Arrival) -> Stop | None:
    """The end of an arrival's life, where it has one."""
    if event.lifetime_s is None:
        return None
    return Stop(t_s=event.t_s + event.lifetime_s, ident=event.id)
