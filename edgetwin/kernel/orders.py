"""What the outside may do to a board between two advances; each takes the records (1,)."""

from typing import Any

from edgetwin.kernel.control import request
from edgetwin.kernel.heat import flush_heat, set_fan
from edgetwin.kernel.state import NEVER
from hw_models.compiled import jit


@jit
def migrate(state: Any, board: Any, slot: int, unit: int) -> None:
    """Move a running job; it stands still while caches refill, and DVFS waits a period."""
    s = state[0]
    b = board[0]
    if s.job_unit[slot] == unit:
        return
    s.skip[b.unit_domain[s.job_unit[slot]]] = 1
    s.skip[b.unit_domain[unit]] = 1
    s.job_unit[slot] = unit
    s.job_hold_ns[slot] = s.t_ns + b.migration_ns if b.migration_ns > 0 else 0
    s.migrations += 1
    s.dirty = 1


@jit
def request_level(state: Any, board: Any, domain: int, level: int) -> None:
    """Ask a clock domain for an operating point, as a governor would."""
    request(state[0], board[0], domain, level)


@jit
def set_fan_level(state: Any, board: Any, level: int) -> None:
    """Turn the fan to a level."""
    set_fan(state[0], board[0], level)


@jit
def unsettle(state: Any, board: Any) -> None:
    """Something outside the physics has changed: no jump before sensors and trips saw it."""
    s = state[0]
    b = board[0]
    s.steady = 0
    s.calm = -b.poll_ticks


@jit
def set_ambient(state: Any, board: Any, ambient_c: float) -> None:
    """The air around the board has another temperature from now on."""
    flush_heat(state[0], board[0])
    state[0].ambient_c = ambient_c
    state[0].dirty = 1


@jit
def start_job(
    state: Any, slot: int, serial: int, unit: int, first: int, rows: int, total: float,
    target: float, phase: float, waited_s: float,
) -> None:  # fmt: skip
    """Fill a slot with a job that has waited_s seconds behind it, all below its target."""
    s = state[0]
    s.slots = max(s.slots, slot + 1)
    s.job_serial[slot] = serial
    s.job_unit[slot] = unit
    s.job_first[slot] = first
    s.job_row[slot] = first
    s.job_rows[slot] = rows
    s.job_left[slot] = total
    s.job_total[slot] = total
    s.job_phase_left[slot] = phase
    s.job_target[slot] = target
    s.job_rate[slot] = 0.0
    s.job_done[slot] = 0.0
    s.job_hold_ns[slot] = 0
    s.job_alive_s[slot] = waited_s
    s.job_below_s[slot] = waited_s if target > 0.0 else 0.0
    s.dirty = 1


@jit
def free_job(state: Any, slot: int) -> None:
    """Forget the job in a slot."""
    s = state[0]
    s.job_serial[slot] = 0
    s.job_unit[slot] = -1
    s.job_event_ns[slot] = NEVER
    s.dirty = 1
