"""From ratings of moves to the one move of an epoch."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.thermal.chip import Array, Whole
from edgetwin.systems.thermal.view import NOBODY, View

SETTLE_S: Final = 2.0
"""A program that has just moved stays for so long."""


def free_cores(view: View, cores: int) -> NDArray[np.bool_]:
    """Cores that each job may be on: its own and those without a job, (n, k, cores)."""
    own = view.unit[:, :, None] == np.arange(cores)
    empty = view.on_core(cores) == 0
    return np.asarray((empty[:, None, :] | own) & view.runs[:, :, None])


def gains(ratings: Array, view: View) -> Array:
    """How much better each free core is rated than the one a job is on, (n, k, cores)."""
    cores = ratings.shape[2]
    at = np.clip(view.unit, 0, cores - 1)[:, :, None]
    gain = ratings - np.take_along_axis(ratings, at, axis=2)
    return np.where(free_cores(view, cores), gain, -np.inf)


def best_move(
    ratings: Array, view: View, *, least_gain: float, settle_s: float = SETTLE_S
) -> Whole:
    """The move with the largest gain above least_gain on each board, (n, 1, 2).

    ratings (n, k, cores); jobs that moved less than settle_s ago stay.
    """
    gain = np.where((view.rest_s >= settle_s)[:, :, None], gains(ratings, view), -np.inf)
    n, _, cores = gain.shape
    flat = gain.reshape(n, -1)
    best = flat.argmax(axis=1)
    moves = np.stack([best // cores, best % cores], axis=1)
    moves[flat[np.arange(n), best] <= least_gain] = NOBODY
    return moves[:, None, :]
