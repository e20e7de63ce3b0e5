"""Managers without a model: Linux as it ships, the DVFS rule alone, chance, and trivial rules."""

from typing import Final, final

import numpy as np

from edgetwin.systems.thermal.chip import Array, Chip
from edgetwin.systems.thermal.choice import best_move, free_cores
from edgetwin.systems.thermal.view import Orders, View, no_moves
from hw_models.board_schema import Governor

EPOCH_S: Final = 0.5
LITTLE, BIG = range(2)


@final
class Still:
    """Nothing is ever moved: programs stay where the scheduler put them when they came."""

    on_npu = False

    def __init__(self, governor: Governor = "qos-dvfs") -> None:
        self.governor = governor
        self.period_s = EPOCH_S

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """There is nothing to forget."""

    def decide(self, view: View) -> Orders:
        """No move."""
        return Orders(moves=no_moves(len(view.t_s)))


@final
class Gts:
    """Global task scheduling of Arm's big.LITTLE kernels: programs that always run belong on big.

    An idle big core pulls a program from LITTLE, and an idle core one from a core that has
    several (idle pull and offload). Looked after every 500 ms; a kernel is quicker, by less than
    a hundredth of what a program lasts.
    """

    on_npu = False

    def __init__(self, governor: Governor) -> None:
        self.governor = governor
        self.period_s = EPOCH_S

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Learn the clusters."""
        self._chip = chip

    def decide(self, view: View) -> Orders:
        """Rate a place by the share of a core that a program gets there, then by the cluster."""
        ratings = load_ratings(view, self._chip)
        return Orders(moves=best_move(ratings, view, least_gain=0.0, settle_s=0.0))


def load_ratings(view: View, chip: Chip) -> Array:
    """Share of the core that each job would have on each core, and 0.4 more for a big one."""
    cores = len(chip.cores)
    there = view.on_core(cores)[:, None, :] - (view.unit[:, :, None] == np.arange(cores))
    return np.asarray(1.0 / (1.0 + there) + 0.4 * (chip.cluster == BIG))


@final
class RandomPlacement:
    """One random program goes to a random free core in every epoch, under the DVFS rule."""

    governor: Governor = "qos-dvfs"
    on_npu = False

    def __init__(self) -> None:
        self.period_s = EPOCH_S

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Same seed, same moves."""
        self._cores = len(chip.cores)
        self._rng = np.random.default_rng([seed, 7])

    def decide(self, view: View) -> Orders:
        """A random rating for every free core."""
        shape = (*view.unit.shape, self._cores)
        ratings = np.where(free_cores(view, self._cores), self._rng.random(shape), 0.0)
        return Orders(moves=best_move(ratings, view, least_gain=-np.inf, settle_s=0.0))


@final
class AlwaysBig:
    """Every program to a big core while one is free, under the DVFS rule."""

    governor: Governor = "qos-dvfs"
    on_npu = False

    def __init__(self) -> None:
        self.period_s = EPOCH_S

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Learn the clusters."""
        self._chip = chip

    def ratings(self, view: View) -> Array:
        """1 for big cores, 0 for others, (n, k, cores)."""
        return np.broadcast_to(
            (self._chip.cluster == BIG) * 1.0, (*view.unit.shape, len(self._chip.cores))
        )

    def decide(self, view: View) -> Orders:
        """A program on LITTLE goes to a free big core."""
        return Orders(moves=best_move(self.ratings(view), view, least_gain=0.5))


@final
class LittleIfFits:
    """LITTLE where the vendor's capacities say that it is fast enough, else big.

    A board does not know how fast a program runs on the other cluster; the capacities of the
    device tree give one ratio for all programs (360 to 1024 at the top clocks).
    """

    governor: Governor = "qos-dvfs"
    on_npu = False

    def __init__(self) -> None:
        self.period_s = EPOCH_S

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Learn the clusters."""
        self._chip = chip

    def ratings(self, view: View) -> Array:
        """1 where the program is thought to belong, 0 elsewhere, (n, k, cores)."""
        fits = expected_ratio(view, self._chip)[:, :, LITTLE] >= 1.0
        on_big = self._chip.cluster == BIG
        return np.asarray(np.where(fits[:, :, None], ~on_big, on_big), float)

    def decide(self, view: View) -> Orders:
        """A program on the wrong cluster goes to a free core of the other."""
        return Orders(moves=best_move(self.ratings(view), view, least_gain=0.5))


CAPACITY: Final = np.array([360.0, 1024.0])
"""Highest capacity of a LITTLE and a big core (vendor device tree, kirin970-sched-energy.dtsi)."""


def expected_ratio(view: View, chip: Chip) -> Array:
    """Rate over target that capacities promise at the top clock of each cluster, (n, k, clusters).

    Measured on the present cluster, scaled to its top clock; infinite without a target.
    """
    cluster = np.maximum(view.cluster(chip), 0)
    hz = np.take_along_axis(view.hz, cluster, axis=1)
    top_ips = view.rate * (chip.top_hz[cluster] / hz)
    unit_ips = top_ips / CAPACITY[cluster]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = unit_ips[:, :, None] * CAPACITY / view.target[:, :, None]
    return np.where((view.target > 0.0)[:, :, None], ratio, np.inf)
