"""The rival of Linux: schedutil with energy-aware scheduling, uclamp set from the QoS target.

A program that always runs has full utilisation, so that plain schedutil runs it at the top clock;
uclamp is the kernel's own means against it. An agent measures each program's rate and sets
its clamp to the capacity that its target needs (capacity at the present clock times target over
rate). EAS then places one program per epoch where the cost table says that energy is saved, and
schedutil runs each cluster at the highest clamp of its programs, without the 25 % margin, which
recent kernels do not add to clamps (recollection: Linux 6.8; older ones do, and run hotter).
"""

from typing import Final, final

import numpy as np

from edgetwin.systems.thermal.chip import Array, Chip, Whole
from edgetwin.systems.thermal.choice import best_move
from edgetwin.systems.thermal.managers import EPOCH_S, LITTLE
from edgetwin.systems.thermal.view import Orders, View, no_moves
from hw_models.board_schema import Governor

# Vendor device tree, kirin970-sched-energy.dtsi (yuweieric/linux@625c810c): capacity, cost of a
# busy core and of its cluster at each operating point, A53 then A73.
CAPACITIES: Final = np.array(
    [
        [113.0, 226.0, 269.0, 311.0, 350.0, 355.0, 360.0, 360.0, 360.0],
        [296.0, 441.0, 524.0, 591.0, 649.0, 716.0, 807.0, 907.0, 1024.0],
    ]
)
CORE_COSTS: Final = np.array(
    [
        [65.0, 104.0, 138.0, 154.0, 206.0, 219.0, 283.0, 283.0, 283.0],
        [236.0, 320.0, 353.0, 379.0, 483.0, 517.0, 564.0, 778.0, 1105.0],
    ]
)
CLUSTER_COSTS: Final = np.array(
    [
        [23.0, 30.0, 36.0, 39.0, 50.0, 53.0, 55.0, 55.0, 55.0],
        [69.0, 81.0, 85.0, 89.0, 105.0, 111.0, 118.0, 159.0, 218.0],
    ]
)
TICK_S: Final = 0.1
"""How often clocks are set; schedutil is quicker, against programs that last minutes."""
MISFIT_COST: Final = 1e4
LEAST_SAVING: Final = 20.0
STAYS_MISFIT_S: Final = 30.0


@final
class EasUclamp:
    """schedutil + EAS + uclamp from measured rates; see the module."""

    governor: Governor = "userspace"
    on_npu = False

    def __init__(self) -> None:
        self.period_s = TICK_S

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Forget what programs needed. ValueError for a board whose costs are not known."""
        if chip.board != "hikey970" or chip.freqs_hz.shape != CAPACITIES.shape:
            raise ValueError(f"no energy costs of {chip.board} are known; EAS needs hikey970.")
        self._chip = chip
        self._turn = 0
        self._serial: Whole | None = None

    def decide(self, view: View) -> Orders:
        """Clocks every 100 ms, a placement in every epoch."""
        clamp, cluster = self._clamps(view)
        levels = np.stack(
            [
                self._level(d, np.where(cluster == d, clamp, 0.0).max(axis=1))
                for d in range(self._chip.clusters)
            ],
            axis=1,
        )
        moves = no_moves(len(view.t_s))
        if self._turn % round(EPOCH_S / TICK_S) == 0:
            ratings = self._ratings(view, clamp, cluster)
            moves = best_move(ratings, view, least_gain=LEAST_SAVING)
        self._turn += 1
        return Orders(moves=moves, levels=levels)

    def ratings(self, view: View) -> Array:
        """Minus the energy cost of each job on each core, (n, k, cores)."""
        return self._ratings(view, *self._clamps(view))

    def _clamps(self, view: View) -> tuple[Array, Whole]:
        """Capacity that each job needs, and its cluster, (n, k) each; remembers misfits."""
        cluster = view.cluster(self._chip)
        at = np.maximum(cluster, 0)
        level = np.take_along_axis(view.level, at, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            clamp = CAPACITIES[at, level] * view.target / view.rate
        clamp = np.where(view.runs, np.where(np.isfinite(clamp), clamp, 0.0), 0.0)
        if self._serial is None or self._serial.shape != view.serial.shape:
            self._serial = np.zeros_like(view.serial)
            self._misfit_s = np.full(view.serial.shape, -np.inf)
        self._misfit_s[self._serial != view.serial] = -np.inf
        self._serial = view.serial.copy()
        slow = (cluster == LITTLE) & (clamp > CAPACITIES[LITTLE, -1])
        self._misfit_s = np.where(slow, view.t_s[:, None], self._misfit_s)
        return clamp, cluster

    def _level(self, d: int, clamp: Array) -> Whole:
        found = np.searchsorted(CAPACITIES[d], clamp - 1e-9)
        return np.asarray(np.minimum(found, self._chip.levels[d] - 1))

    def _ratings(self, view: View, clamp: Array, cluster: Whole) -> Array:
        n, k = clamp.shape
        others = np.zeros((2, n, k, 2))  # jobs, then the highest clamp, of the other programs
        for d in range(2):
            here = cluster == d
            clamps = np.where(here, clamp, 0.0)
            order = np.sort(np.pad(clamps, ((0, 0), (1, 0))), axis=1)  # nobody asks for 0
            others[0, :, :, d] = here.sum(axis=1)[:, None] - here
            others[1, :, :, d] = np.where(clamps == order[:, -1:], order[:, -2:-1], order[:, -1:])
        rests = [self._cost(d, others[0, :, :, d], others[1, :, :, d]) for d in range(2)]
        cost = np.zeros((n, k, 2))
        for d in range(2):
            most = np.maximum(others[1, :, :, d], clamp)
            misfit = clamp > CAPACITIES[d, -1]
            if d == LITTLE:
                misfit |= view.t_s[:, None] - self._misfit_s < STAYS_MISFIT_S
            cost[:, :, d] = self._cost(d, others[0, :, :, d] + 1, most) + rests[1 - d]
            cost[:, :, d] += MISFIT_COST * misfit
        return -cost[:, :, self._chip.cluster]

    def _cost(self, d: int, jobs: Array, clamp: Array) -> Array:
        level = self._level(d, clamp)
        return np.asarray((jobs > 0) * (jobs * CORE_COSTS[d, level] + CLUSTER_COSTS[d, level]))
