"""What the simulator calls at every event, by the handle of its state, board and demand table."""

from typing import Any

import numpy as np

from edgetwin.kernel import loop, orders
from edgetwin.kernel.handle import WORDS, carray, pointer
from edgetwin.kernel.state import STATE_DTYPE
from hw_models.compiled import inline, jit
from hw_models.lowering import BOARD_DTYPE


@inline
def _state(held: Any) -> Any:
    return carray(pointer(held[0]), 1, STATE_DTYPE)


@inline
def _board(held: Any) -> Any:
    return carray(pointer(held[WORDS]), 1, BOARD_DTYPE)


@inline
def _table(held: Any) -> Any:
    at = 2 * WORDS
    return carray(pointer(held[at]), (held[at + 1], held[at + 2]), np.float64)


@jit
def advance(held: Any, end_ns: int) -> int:
    """`loop.advance`."""
    return loop.advance(_state(held), _board(held), _table(held), end_ns)


@jit
def start_job(
    held: Any, serial: int, unit: int, first: int, rows: int, total: float, target: float,
    waited_s: float,
) -> int:  # fmt: skip
    """`orders.start_job` in the first free slot, which is returned; there must be one."""
    state = _state(held)
    slot = 0
    while state[0].job_serial[slot] > 0:
        slot += 1
    phase = _table(held)[first, 0]
    orders.start_job(state, slot, serial, unit, first, rows, total, target, phase, waited_s)
    return slot


@jit
def free_job(held: Any, slot: int) -> None:
    """`orders.free_job`."""
    orders.free_job(_state(held), slot)


@jit
def migrate(held: Any, slot: int, unit: int) -> None:
    """`orders.migrate`."""
    orders.migrate(_state(held), _board(held), slot, unit)


@jit
def request_level(held: Any, domain: int, level: int) -> None:
    """`orders.request_level`."""
    orders.request_level(_state(held), _board(held), domain, level)
