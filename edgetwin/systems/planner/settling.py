"""When a board that warms stands still: how far it still has to go, and whether its fan will step.

A board nears its temperature in a sum of exponentials, of which the slowest is left after a while.
So three temperatures at equal distances in time say where it is going (Aitken 1926, Proc. R. Soc.
Edinb. 46), whatever its time constant. That it moves little in a minute says nothing: with a time
constant of five minutes two kelvins may be left, and a fan that starts two kelvins on adds its
power to every reading from then on.
"""

from collections.abc import Sequence

from hw_models.board import Board
from hw_models.trace import Reading


def still_to_go_k(temps_c: Sequence[float], steady_k: float) -> float:
    """How far a temperature read at equal times still has to go, as a size in kelvin.

    The first third is not looked at: fast parts of the board settle there. Infinite while nothing
    can be said: fewer than four readings, or a course that does not slow down. A course that moved
    by less than steady_k in either of the last two thirds goes no further than it just did: below
    that a sensor's steps and noise are seen, not heat.
    """
    third = (len(temps_c) - 1) // 3
    if third < 1:
        return float("inf")
    middle_c, last_c = temps_c[-1 - third], temps_c[-1]
    before_k, now_k = middle_c - temps_c[-1 - 2 * third], last_c - middle_c
    if max(abs(before_k), abs(now_k)) < steady_k:
        return abs(now_k)
    ratio = now_k / before_k if before_k else float("inf")
    return abs(now_k * ratio / (1.0 - ratio)) if ratio < 1.0 else float("inf")


def fan_step_w(board: Board, reading: Reading, rise_k: float, *, doubts: float = 0.0) -> float:
    """What the fan will draw more where its zones get warmer by rise_k, in watts.

    doubts: so many standard deviations of a trip's temperature below it count as reaching it. 0
    for a board whose fan, or its level now, nobody knows.
    """
    fan = board.limits.fan
    if fan is None or reading.fan is None:
        return 0.0
    levels = [reading.fan]
    for trip in board.limits.trips:
        temp_c = reading.temps_c.get(trip.zone)
        if trip.kind != "fan" or temp_c is None:
            continue
        if temp_c + rise_k >= trip.temp_c.value - doubts * float(trip.temp_c.std):
            levels.append(trip.fan_level)
    power_w = fan.power_w.value
    return float(power_w[max(levels)] - power_w[reading.fan])
