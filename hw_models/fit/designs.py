"""Which cells of a grid to measure first: spread out, chosen without seeing any response."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_TRIES = 100


def space_filling(
    batch: Array, setting: Array, n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """n of the cells with batch (m,) and setting (m,), by position, far from one another.

    Every batch size and every setting is drawn about equally often, as in a Latin hypercube; of a
    hundred such draws the one with the least energy sum(1 / distance^2) is taken, distances in
    ranks. ValueError unless 1 <= n <= m.
    """
    if not 1 <= n <= len(batch):
        raise ValueError(f"{n} of {len(batch)} cells cannot be chosen; expected 1 to {len(batch)}.")
    rows, columns = (np.unique(axis, return_inverse=True)[1] for axis in (batch, setting))
    ranks = np.stack([rows, columns], axis=1) / np.maximum([rows.max(), columns.max()], 1)
    gap = ((ranks[:, None] - ranks[None]) ** 2).sum(axis=2)
    np.fill_diagonal(gap, np.inf)
    energy = 1 / gap
    draws = [_balanced(rows, columns, n, rng) for _ in range(_TRIES)]
    return np.sort(min(draws, key=lambda at: float(energy[np.ix_(at, at)].sum())))


def _balanced(
    rows: NDArray[np.int64], columns: NDArray[np.int64], n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """n cells, each among those whose row and column were used least so far."""
    by_row, by_column = np.zeros(rows.max() + 1), np.zeros(columns.max() + 1)
    chosen: list[int] = []
    is_left = np.ones(len(rows), dtype=bool)
    for _ in range(n):
        used = by_row[rows] * len(by_row) + by_column[columns] * len(by_column)
        used[~is_left] = np.inf
        at = int(rng.choice(np.flatnonzero(used <= used.min() + 1e-9)))
        chosen.append(at)
        is_left[at] = False
        by_row[rows[at]] += 1
        by_column[columns[at]] += 1
    return np.array(chosen)
