"""Which points of a grid to measure first: spread out, chosen without seeing any response."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TRIES = 100


def space_filling(axes: Sequence[Array], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """n of m points, by ascending position, far from one another.

    axes are the coordinates of the points, (m,) each: batch sizes and settings, or clocks. Every
    level of every axis is drawn about equally often, as in a Latin hypercube; of a hundred such
    draws the one with the least energy sum(1 / distance^2) is taken, distances in ranks. ValueError
    unless 1 <= n <= m.
    """
    m = len(axes[0])
    if not 1 <= n <= m:
        raise ValueError(f"{n} of {m} points cannot be chosen; expected 1 to {m}.")
    levels = [np.unique(axis, return_inverse=True)[1] for axis in axes]
    ranks = np.stack([level / max(level.max(), 1) for level in levels], axis=1)
    gap = ((ranks[:, None] - ranks[None]) ** 2).sum(axis=2)
    np.fill_diagonal(gap, np.inf)
    crowding = 1 / np.maximum(gap, 1e-9)
    draws = [_balanced(levels, n, rng) for _ in range(_TRIES)]
    return np.sort(min(draws, key=lambda at: float(crowding[np.ix_(at, at)].sum())))


def _balanced(
    levels: Sequence[NDArray[np.int64]], n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """n points, each among those whose levels were used least so far."""
    counts = [np.zeros(level.max() + 1) for level in levels]
    chosen: list[int] = []
    is_left = np.ones(len(levels[0]), dtype=bool)
    for _ in range(n):
        used = sum(c[level] * len(c) for c, level in zip(counts, levels, strict=True))
        used = np.where(is_left, used, np.inf)
        at = int(rng.choice(np.flatnonzero(used <= used.min() + 1e-9)))
        chosen.append(at)
        is_left[at] = False
        for c, level in zip(counts, levels, strict=True):
            c[level[at]] += 1
    return np.array(chosen)
