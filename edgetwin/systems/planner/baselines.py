"""What others choose: fixed batch, maximum throughput, least energy, power modes, chance, oracle.

Every one takes a planner (cells, what is known of them, what training needs) and a cap, and gives
the position of its cell, or None where it finds none below the cap.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.planner.acquisition import baseline_cell
from edgetwin.systems.planner.choice import Planner
from hw_models.board import Board

Choose = Callable[[Planner, float], int | None]


def fixed_batch(batch: int) -> Choose:
    """Keeps a batch size and lowers the clock until the power fits: the state of the art."""

    def choose(planner: Planner, cap_w: float) -> int | None:
        return baseline_cell(planner.space, planner.belief, batch, cap_w)

    return choose


def max_throughput(planner: Planner, cap_w: float) -> int | None:
    """The most samples per second below the cap, whatever the batch does to convergence."""
    return _least(planner.belief.time_s, _below(planner, cap_w))


def least_energy(planner: Planner, cap_w: float) -> int | None:
    """The least energy to the target below the cap."""
    return _least(planner.energy_j, _below(planner, cap_w))


def oracle(planner: Planner, cap_w: float) -> int | None:
    """Brute force over cells that are all known: the optimum."""
    return _least(planner.time_s, _below(planner, cap_w))


def at_random(rng: np.random.Generator) -> Choose:
    """Any cell below the cap."""

    def choose(planner: Planner, cap_w: float) -> int | None:
        cells = np.flatnonzero(_below(planner, cap_w))
        return int(rng.choice(cells)) if len(cells) else None

    return choose


def power_modes(board: Board, batch: int) -> Choose:
    """The vendor's power modes with a fixed batch: of the modes below the cap the fastest.

    A mode without a ceiling for the GPU leaves it at its highest clock.
    """

    def choose(planner: Planner, cap_w: float) -> int | None:
        space = planner.space
        cells = space.where(batch)
        ceilings_hz = [
            dict(mode.max_freq_hz).get(space.domain, np.inf) for mode in board.modes.values()
        ]
        offered = {
            int(cells[space.setting[cells] <= hz * 1.01][-1])
            for hz in ceilings_hz if (space.setting[cells] <= hz * 1.01).any()
        }  # fmt: skip
        fitting = np.zeros(len(space), dtype=bool)
        fitting[list(offered)] = True
        return _least(planner.time_s, fitting & _below(planner, cap_w))

    return choose


def usual(board: Board | None, batches: tuple[int, ...], seed: int) -> Mapping[str, Choose]:
    """All baselines by name; the power modes only where there is a board."""
    largest, median = batches[-1], batches[(len(batches) - 1) // 2]
    found: dict[str, Choose] = {
        FIXED_LARGEST: fixed_batch(largest),
        FIXED_MEDIAN: fixed_batch(median),
        "max-throughput": max_throughput,
        "least-energy": least_energy,
        "random": at_random(np.random.default_rng(seed)),
        "oracle": oracle,
    }
    if board is not None and board.modes:
        found["power-modes"] = power_modes(board, largest)
    return found


FIXED_LARGEST: Final = "fixed-largest"
FIXED_MEDIAN: Final = "fixed-median"


def _below(planner: Planner, cap_w: float) -> NDArray[np.bool_]:
    return np.asarray((planner.belief.peak_w <= cap_w) & np.isfinite(planner.time_s))


def _least(cost: NDArray[np.float64], fitting: NDArray[np.bool_]) -> int | None:
    return int(np.argmin(np.where(fitting, cost, np.inf))) if fitting.any() else None
