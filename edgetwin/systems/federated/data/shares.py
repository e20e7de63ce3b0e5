"""How the examples of a task lie on the clients."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def iid_shares(labels: Rows, clients: int, rng: np.random.Generator) -> list[Rows]:
    """Every client has a random share of the rows, all of one size but for one row."""
    _check(labels, clients)
    return [np.sort(part) for part in np.array_split(rng.permutation(len(labels)), clients)]


def dirichlet_shares(
    labels: Rows, clients: int, alpha: float, rng: np.random.Generator, fewest: int = 1
) -> list[Rows]:
    """Each class falls on the clients in proportions drawn from Dirichlet(alpha).

    A small alpha gives each client few classes (Hsu et al., arXiv 1909.06335). Every row is on
    one client; a client left with fewer than `fewest` rows takes from the largest.
    """
    _check(labels, clients)
    if not alpha > 0:
        raise ValueError(f"alpha is {alpha}; give a positive number (large: all alike).")
    if fewest * clients > len(labels):
        raise ValueError(f"{len(labels)} rows are too few for {fewest} on each of {clients}.")
    parts: list[list[int]] = [[] for _ in range(clients)]
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        shares = rng.dirichlet(np.full(clients, alpha))
        edges = np.rint(np.cumsum(shares)[:-1] * len(rows)).astype(np.int64)
        for part, more in zip(parts, np.split(rows, edges), strict=True):
            part.extend(more.tolist())
    _even_out(parts, fewest, rng)
    return [np.sort(np.array(part, np.int64)) for part in parts]


def _even_out(parts: list[list[int]], fewest: int, rng: np.random.Generator) -> None:
    for part in parts:
        while len(part) < fewest:
            largest = max(parts, key=len)
            part.append(largest.pop(int(rng.integers(len(largest)))))


def _check(labels: Rows, clients: int) -> None:
    if not 1 <= clients <= len(labels):
        raise ValueError(f"clients is {clients}; give 1 to {len(labels)}, one row each at least.")
