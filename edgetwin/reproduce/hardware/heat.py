"""A board gets too hot while the policy asks for more: how long until its clocks are down."""

import tempfile
import time
from typing import Any, Final

from edgetwin.hardware import Device
from edgetwin.hardware.safety import Limits, limits_c
from edgetwin.reproduce.hardware.bench import Served, same, served, wait_until
from edgetwin.studies import Figure, row
from hw_models.board import Board, Knobs, load_board

NAME: Final = "jetson-nano"


def trip(quick: bool) -> dict[str, Any]:
    """Row: seconds from a zone above its limit to every clock at its lowest, at worst.

    The board's sensors tell the heat a sensor period later; the bar is that and a control period.
    """
    board = load_board(NAME)
    sensor_s = max(zone.period_s.value for zone in board.sensors.zones.values())
    bar_s = board.limits.control_period_s.value + sensor_s
    with served(NAME) as virtual:
        found = [_one(virtual, board) for _ in range(3 if quick else 10)]
    slowest_s = max(one["lowered_s"] for one in found)
    refused = min(one["refused"] for one in found)
    back = min(one["given_back"] for one in found)
    return row(
        {
            "slowest s": Figure(value=slowest_s, bar=bar_s),
            "asked for more and refused": Figure(value=refused, bar=1.0, at_least=True),
            "given back": Figure(value=back, bar=1.0, at_least=True),
        },
        n=len(found), all_s=[one["lowered_s"] for one in found],
    )  # fmt: skip


def _one(served_board: Served, board: Board) -> dict[str, float]:
    before = served_board.knobs()
    top = {name: clock.freqs_hz.value[-1] for name, clock in board.clocks.items()}
    hot_c = min(limits_c(board, Limits()).values()) + 1.5
    with tempfile.TemporaryDirectory(prefix="edgetwin-state-") as state:
        device = Device(board, root=str(served_board.root), state=state)
        try:
            device.reset()
            device.apply(Knobs(freq_hz=top))
            device.advance(0.3)
            marks, start_s = len(served_board.writes()), time.monotonic()
            served_board.say(f"heat {hot_c}")
            while time.monotonic() - start_s < 1.0 and not device.tripped:
                device.apply(Knobs(freq_hz=top))
                device.advance(0.05)
            refused = device.apply(Knobs(freq_hz=top)).refused
            lowered_s = _lowered_s(served_board, board, marks, start_s)
        finally:
            device.close()
            served_board.say("heat 30")
    back = wait_until(lambda: not same(before, served_board.knobs()), 10.0)
    return {
        "lowered_s": lowered_s, "refused": len(refused) / len(top),
        "given_back": float(back is not None),
    }  # fmt: skip


def _lowered_s(served_board: Served, board: Board, marks: int, start_s: float) -> float:
    """When the last clock was written to its lowest, never to leave it until the board is back."""
    lowest = {str(round(c.freqs_hz.value[0] / per)) for c in board.clocks.values()
              for per in (1.0, 1000.0)}  # fmt: skip
    ends = ("max_freq", "clk_rate", "rate")
    writes = [w for w in served_board.writes()[marks:] if w[1].endswith(ends)]
    last: dict[str, tuple[float, bool]] = {}
    for at_s, path, text in writes:
        low = text in lowest
        since_s = last[path][0] if path in last and last[path][1] and low else at_s
        last[path] = (since_s, low)
    if len(last) < len(board.clocks) or not all(low for _, low in last.values()):
        return float("inf")
    return max(at_s for at_s, _ in last.values()) - start_s
