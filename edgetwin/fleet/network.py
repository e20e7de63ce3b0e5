"""What it takes to move bytes between a server and its clients."""

from dataclasses import dataclass
from math import inf
from typing import final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A client's way to the server: a latency, then bytes at a constant rate in each direction."""

    down_bytes_per_s: float
    up_bytes_per_s: float
    latency_s: float = 0.0

    def __post_init__(self) -> None:
        if not (self.down_bytes_per_s > 0 and self.up_bytes_per_s > 0):
            raise ValueError(f"{self} must have positive rates.")
        if not 0 <= self.latency_s < inf:
            raise ValueError(f"latency_s is {self.latency_s}; give seconds, 0 or more.")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The server's own way: what its clients together may move in a second.

    Transfers of one round share it evenly, and what one cannot use for its own link the others
    may (max-min fairness). Transfers of different rounds do not meet.
    """

    down_bytes_per_s: float = inf
    up_bytes_per_s: float = inf

    def __post_init__(self) -> None:
        if not (self.down_bytes_per_s > 0 and self.up_bytes_per_s > 0):
            raise ValueError(f"{self} must have positive rates.")


def transfer_ends_s(
    starts_s: Array, sizes_bytes: Array, rates_bytes_per_s: Array, shared_bytes_per_s: float
) -> Array:
    """When every transfer ends, all (k,), while all together move shared_bytes_per_s at most.

    rates_bytes_per_s are those of the clients' own links. A transfer of nothing ends as it starts.
    """
    if np.isinf(shared_bytes_per_s):
        return starts_s + sizes_bytes / rates_bytes_per_s
    left_bytes, ends_s = sizes_bytes.astype(float), starts_s.astype(float)
    waiting = list(np.argsort(starts_s, kind="stable")[::-1])
    active: list[int] = []
    now_s = -inf
    while waiting or active:
        if not active:
            now_s = max(now_s, float(starts_s[waiting[-1]]))
        while waiting and starts_s[waiting[-1]] <= now_s:
            active.append(int(waiting.pop()))
        share = fair_shares(rates_bytes_per_s[active], shared_bytes_per_s)
        spans_s = left_bytes[active] / share
        next_s = float(starts_s[waiting[-1]]) if waiting else inf
        step_s = min(float(spans_s.min()), next_s - now_s)
        done = spans_s <= step_s
        left_bytes[active] -= share * step_s
        now_s = next_s if step_s == next_s - now_s else now_s + step_s
        ends_s[np.array(active)[done]] = now_s
        active = [k for k, is_done in zip(active, done, strict=True) if not is_done]
    return ends_s


def fair_shares(rates_bytes_per_s: Array, shared_bytes_per_s: float) -> Array:
    """Max-min fair rates, (k,): the slowest links get all they can use, the rest share evenly."""
    shares, left = np.empty_like(rates_bytes_per_s), shared_bytes_per_s
    for rank, k in enumerate(np.argsort(rates_bytes_per_s, kind="stable")):
        shares[k] = min(rates_bytes_per_s[k], left / (len(shares) - rank))
        left -= shares[k]
    return shares
