"""Threads that share the groups of a batch between them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import final

_SHARES = 4  # of each thread: who is done first takes another


@final
class Threads:
    """So many threads for work that needs no Python, or with one the caller's own."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count) if count > 1 else None

    def share(self, n: int, work: Callable[[int, int], None]) -> None:
        """Do work(first, last) on shares of 0 to n - 1, each from first to last - 1."""
        if self._pool is None:
            work(0, n)
            return
        step = -(-n // (self._count * _SHARES))
        jobs = [self._pool.submit(work, a, min(a + step, n)) for a in range(0, n, step)]
        for job in jobs:
            job.result()

    def close(self) -> None:
        """Let the threads go; the caller's own does what comes. Closing twice is fine."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
