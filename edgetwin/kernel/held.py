"""What the simulator calls at every event, by the handle of its state, board and demand table."""

from typing import Any

import numpy as np

from edgetwin.kernel import loop, orders
from edgetwin.kernel.handle import carray, pointer
from edgetwin.kernel.state import STATE_DTYPE
from hw_models.compiled import inline, jit
from hw_models.lowering import BOARD_DTYPE


@inline
def _state(held: Any) -> Any:
    return carray(pointer(held[0]), 1, STATE_DTYPE)


@inline
def _board(held: Any) -> Any:
    return carray(pointer(held[2]), 1, BOARD_DTYPE)


@jit
def advance(held: Any, columns: int, end_ns: int) -> int:
    """`loop.advance`; the rows of the demand table have so many columns."""
    table = carray(pointer(held[4]), (held[5], columns), np.float64)
    return loop.advance(_state(held), _board(held), table, end_ns)


@jit
def start_job(
    held: Any, slot: int, serial: int, unit: int, first: int, rows: int, total: float,
    target: float, phase: float, waited_s: float,
) -> None:  # fmt: skip
    """`orders.start_job`."""
    orders.start_job(_state(held), slot, serial, unit, first, rows, total, target, phase, waited_s)


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
