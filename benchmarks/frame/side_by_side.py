"""Contestants side by side: each runs in every round, and ratios are taken within a round."""

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median

Contest = dict[str, list[float]]


def timed_s(work: Callable[[], object]) -> float:
    """Wall time of one call, with the garbage collector at rest."""
    gc.collect()
    gc.disable()
    try:
        start_s = time.perf_counter()
        work()
        return time.perf_counter() - start_s
    finally:
        gc.enable()


def side_by_side(contestants: Mapping[str, Callable[[int], float]], rounds: int) -> Contest:
    """What each contestant says of every round, in seconds; every second round in reverse.

    A contestant is called with the number of the round and times itself. Round -1 is a warm-up.
    """
    names = list(contestants)
    found: Contest = {name: [] for name in names}
    for number in range(-1, rounds):
        for name in names if number % 2 == 0 else names[::-1]:
            taken_s = contestants[name](number)
            if number >= 0:
                found[name].append(taken_s)
    return found


def median_ratio(contest: Contest, slow: str, fast: str) -> float:
    """Median over rounds of how many times longer one took than the other."""
    return median(a / b for a, b in zip(contest[slow], contest[fast], strict=True))
