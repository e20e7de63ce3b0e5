"""The analytic greedy manager: a formula for speed, a formula for power, no learning."""

from typing import Final, final

import numpy as np

from edgetwin.systems.thermal.chip import Array, Chip
from edgetwin.systems.thermal.choice import best_move
from edgetwin.systems.thermal.features import others_need
from edgetwin.systems.thermal.managers import EPOCH_S
from edgetwin.systems.thermal.view import Orders, View
from hw_models.board_schema import Governor

SPEED_UP: Final = 1.72
"""Cycles per instruction of an A53 over those of an A73 without stalls: HiKey 960, Dhrystone-like
loops (hw_models board hikey960, ARM-software/lisa@bb5ff50d)."""

L2_S: Final = 9e-9
"""Assumed: seconds that a program waits for one L2 access, on either core."""

ACTIVE_F: Final = np.array([88e-12, 342e-12])
"""dynamic-power-coefficient of the vendor device tree as farads: A53, A73."""

MISSES_TARGET_W: Final = 10.0


@final
class Analytic:
    """Moves the program that saves most power by C V^2 f, where the speed formula allows.

    Cycles per instruction without stalls are 1.72 times as many on the A53, and every L2 access
    costs the same time on both: what a careful engineer writes down without measurements.
    """

    governor: Governor = "qos-dvfs"
    on_npu = False

    def __init__(self) -> None:
        self.period_s = EPOCH_S

    def begin(self, chip: Chip, boards: int, seed: int) -> None:
        """Learn the clusters."""
        self._chip = chip

    def ratings(self, view: View) -> Array:
        """Minus the watts of the CPU with each job on each core, (n, k, cores)."""
        chip = self._chip
        need_hz = self._need_hz(view)
        others = self._others(view)
        power_w = np.zeros(need_hz.shape)
        for d in range(chip.clusters):
            most_hz = np.maximum(need_hz[:, :, d], others[1][:, :, d])
            with_it = self._cluster_w(d, others[0][:, :, d] + 1, most_hz)
            rest_w = sum(
                self._cluster_w(e, others[0][:, :, e], others[1][:, :, e])
                for e in range(chip.clusters)
                if e != d
            )
            missed = need_hz[:, :, d] > chip.top_hz[d] * (1.0 + 1e-9)
            power_w[:, :, d] = with_it + rest_w + MISSES_TARGET_W * missed
        return -power_w[:, :, chip.cluster]

    def _need_hz(self, view: View) -> Array:
        """Clock that each job needs on each cluster by the speed formula, (n, k, clusters)."""
        chip = self._chip
        cluster = np.maximum(view.cluster(chip), 0)
        hz = np.take_along_axis(view.hz, cluster, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            insn_s = 1.0 / view.rate
            stall_s = np.minimum(L2_S * view.l2d_per_s / view.rate, 0.9 * insn_s)
            cycles = (insn_s - stall_s) * hz
            on_big = cycles / np.where(cluster == 1, 1.0, SPEED_UP)
            budget_s = np.maximum(1.0 / view.target - stall_s, 1e-12)
            need_hz = np.stack([on_big * SPEED_UP, on_big], axis=2) / budget_s[:, :, None]
        return np.where(np.isfinite(need_hz), need_hz, 0.0)

    def _others(self, view: View) -> tuple[Array, Array]:
        """How many other jobs each cluster has and the clock they need, (n, k, clusters) each."""
        chip = self._chip
        cluster = view.cluster(chip)
        count = (cluster[:, :, None] == np.arange(chip.clusters)).sum(axis=1)
        mine = cluster[:, :, None] == np.arange(chip.clusters)
        return count[:, None, :] - mine, others_need(view, chip) * chip.top_hz

    def _cluster_w(self, d: int, jobs: Array, need_hz: Array) -> Array:
        chip = self._chip
        level = chip.level_for(d, need_hz)
        switching_w = ACTIVE_F[d] * chip.volts_v[d][level] ** 2 * chip.freqs_hz[d][level]
        return np.asarray(jobs * switching_w)

    def decide(self, view: View) -> Orders:
        """The move that saves most, if it saves 10 mW."""
        return Orders(moves=best_move(self.ratings(view), view, least_gain=0.01))
