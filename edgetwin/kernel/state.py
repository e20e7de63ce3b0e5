"""The whole state of one simulated board: one record of plain numbers, copied in a microsecond."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw_models.lowering import DOMAINS, NODES, PARTS, RAILS, UNITS, ZONES, Lowered

State = NDArray[Any]

SLOTS = 24
NEVER = 2**62
HEALTHY, STUCK, DROPPED = range(3)
# An application counts as below its target when it is slower than this share of it.
QOS_SHARE = 0.98

STATE_DTYPE = np.dtype(
    [
        # clock: integers, so that no remainder of a float is ever waited for
        ("t_ns", "i8"), ("tick", "i8"), ("sampled", "i8"), ("calm", "i8"),
        ("dirty", "i8"), ("steady", "i8"), ("off", "i8"), ("key", "u8"), ("may_coast", "i8"),
        # what others set
        ("ambient_c", "f8"), ("cap_w", "f8"), ("fan_manual", "i8"), ("governor", "i8", DOMAINS),
        ("fixed", "i8", DOMAINS), ("ceiling", "i8", DOMAINS), ("refused", "i8", DOMAINS),
        ("online", "i8", UNITS), ("trip_forced", "i8"),
        # clocks and fan
        ("level", "i8", DOMAINS), ("target", "i8", DOMAINS), ("switch_ns", "i8", DOMAINS),
        ("trip_cap", "i8", DOMAINS), ("domain_busy", "f8", DOMAINS),
        ("domain_need_hz", "f8", DOMAINS), ("skip", "i8", DOMAINS), ("fan", "i8"),
        ("throttled", "i8"),
        # jobs; serial 0 is a free slot, unit -1 a finished job
        ("slots", "i8"), ("job_serial", "i8", SLOTS), ("job_unit", "i8", SLOTS),
        ("job_first", "i8", SLOTS), ("job_rows", "i8", SLOTS), ("job_row", "i8", SLOTS),
        ("job_hold_ns", "i8", SLOTS), ("job_event_ns", "i8", SLOTS), ("job_ends", "i8", SLOTS),
        ("job_left", "f8", SLOTS), ("job_phase_left", "f8", SLOTS), ("job_rate", "f8", SLOTS),
        ("job_target", "f8", SLOTS), ("job_done", "f8", SLOTS), ("job_alive_s", "f8", SLOTS),
        ("job_below_s", "f8", SLOTS), ("job_l2d_rate", "f8", SLOTS), ("job_total", "f8", SLOTS),
        # units and traffic between events
        ("busy", "f8", UNITS), ("busy_s", "f8", UNITS), ("busy_mark_s", "f8", UNITS),
        ("traffic", "f8"), ("activity", "f8", PARTS), ("peak_activity", "f8", UNITS),
        # heat
        ("modes", "f8", NODES), ("push", "f8", NODES), ("power_w", "f8", PARTS),
        ("gain_w", "f8", PARTS), ("leak_w", "f8", PARTS), ("change_w", "f8", PARTS),
        ("energy_j", "f8", PARTS), ("peak_extra_w", "f8"),
        # integrals until ambient_since_ns, and where heat stood then: see `flush_heat`
        ("modes_mark", "f8", NODES), ("energy_mark_j", "f8", PARTS), ("zone_integral", "f8", ZONES),
        ("heat_out_j", "f8"), ("ambient_since_ns", "i8"),
        # sensors; seen_c is what trips go by: zone_c, infinite where a fault forces them
        ("zone_c", "f8", ZONES), ("zone_fault", "i8", ZONES), ("seen_c", "f8", ZONES),
        ("rail_w", "f8", RAILS),
        ("rail_fault", "i8", RAILS), ("rail_mark_j", "f8", RAILS), ("rail_mark_ns", "i8", RAILS),
        # counters
        ("migrations", "i8"), ("transitions", "i8"), ("aimed_s", "f8"), ("below_s", "f8"),
        ("throttled_s", "f8"), ("over_cap_s", "f8"), ("overshoot", "f8"),
        ("mark_below_s", "f8"), ("mark_aimed_s", "f8"), ("mark_over_cap_s", "f8"),
        ("mark_ns", "i8"), ("peak_w", "f8"), ("peak_c", "f8", ZONES),
    ]
)  # fmt: skip


def new_state(lowered: Lowered, *, ambient_c: float, key: int, fan: int = 0) -> State:
    """A board at rest and at ambient temperature: state record (1,) of STATE_DTYPE."""
    state = np.zeros(1, STATE_DTYPE)
    s, b = state[0], lowered.record[0]
    s["key"] = key
    s["dirty"] = 1
    s["ambient_c"] = ambient_c
    s["cap_w"] = np.inf
    s["fan"] = fan
    s["fan_manual"] = -1
    s["online"][: len(lowered.units)] = 1
    top = b["levels"] - 1
    s["ceiling"][:] = top
    s["trip_cap"][:] = top
    s["switch_ns"][:] = NEVER
    s["job_unit"][:] = -1
    s["job_event_ns"][:] = NEVER
    n = len(lowered.nodes)
    temps_c = np.full(n, ambient_c)
    set_temps(state, lowered, temps_c)
    s["peak_c"][:] = -np.inf
    return state


def copied(state: State) -> State:
    """The same states, copied as words: numpy would copy a record field by field."""
    return state.view(np.int64).copy().view(STATE_DTYPE)


def put_into(state: State, other: State) -> None:
    """Make states equal to others, as words."""
    state.view(np.int64)[:] = other.view(np.int64)


def set_temps(state: State, lowered: Lowered, temps_c: NDArray[np.float64]) -> None:
    """Give every thermal node a temperature, (n_nodes,), at once."""
    s, b = state[0], lowered.record[0]
    n = len(lowered.nodes)
    modes = b["to_modes"][s["fan"], :n, :n] @ temps_c
    s["modes_mark"][:n] += modes - s["modes"][:n]
    s["modes"][:n] = modes
    s["dirty"] = 1


def node_temps_c(state: State, lowered: Lowered) -> NDArray[np.float64]:
    """True temperature of every thermal node, (n_nodes,)."""
    s, b = state[0], lowered.record[0]
    n = len(lowered.nodes)
    return np.asarray(b["from_modes"][s["fan"], :n, :n] @ s["modes"][:n])
