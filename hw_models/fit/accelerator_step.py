"""A training step as the board's accelerator section describes it, in terms of a fit's parameters.

    step_s = launch_s + roof(cycles (b + half) / f_gpu, (memory b + fixed) / f_memory, pnorm)

A network whose operations are counted shares the board's parameters with all others: cycles =
flops / (flops_per_cycle efficiency), half = half_flops_per_kernel kernels / flops, memory and fixed
are bytes / bytes_per_cycle, launch_s = kernels launch_cycles / f_host + overhead_s. A network
without counts has these five for itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.points import Unknown
from hw_models.fit.roofline import COMPUTE, EXPONENT, MEMORY, OVERHEAD, ln_roofline
from hw_models.naming import unknown
from hw_models.tables import StepTable

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.jobs import NetworkProfile

Array = NDArray[np.float64]

_OF_BOARD: Final = (
    "efficiency", "half_flops_per_kernel", "bytes_per_cycle", "launch_cycles", "overhead_s",
)  # fmt: skip
_OF_NETWORK: Final = ("cycles", "half_batch", "memory_cycles", "fixed_memory_cycles", "launch_s")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepForm:
    """What is needed to price a step on one kind of accelerator of a board.

    host_hz is the clock of the core that launches kernels; counts the profiles by network. priors
    (centre, std of ln, by path) replace those that documents and the table's own scales give.
    """

    board: "Board"
    kind: str
    host_hz: float
    counts: "Mapping[str, NetworkProfile]"
    priors: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def path(self, last: str) -> str:
        """Where a parameter of the accelerator stands in the board file."""
        return f"performance.accelerators.{self.kind}.{last}"

    def paths(self, networks: tuple[str, ...]) -> tuple[str, ...]:
        """The parameters that steps of these networks depend on, the exponent first."""
        some_counted = any(name in self.counts for name in networks)
        shared = [self.path(last) for last in (_OF_BOARD if some_counted else ())]
        own = [
            f"runs.{name}.{last}"
            for name in dict.fromkeys(networks)
            if name not in self.counts
            for last in _OF_NETWORK
        ]
        return (self.path("pnorm"), *shared, *own)

    def unknowns(self, table: StepTable) -> list[Unknown]:
        """The parameters with priors from documents and from the scales of the table."""
        kind = self.board.performance.accelerators[self.kind]
        peak = kind.flops_per_cycle.value
        wide = self.board.performance.bandwidth_bytes_per_cycle.value
        priors = {
            "pnorm": (2.5, 0.5),  # between a sum and the larger of two
            "efficiency": (0.4, 0.7),
            "half_flops_per_kernel": (1e4 * peak, 1.5),  # a kernel of 10 us at 1 GHz
            "bytes_per_cycle": (0.7 * wide, 0.4),  # no code gets all of a bus
            "launch_cycles": (3e4, 1.0),  # 15 us of a core at 2 GHz
            "overhead_s": (1e-3, 1.5),
        }
        found = []
        for path in self.paths(table.networks):
            prefix, last = path.rsplit(".", 1)
            known = priors
            if path.startswith("runs."):
                known = _own_priors(table.of(prefix.removeprefix("runs.")))
            prior, spread = self.priors.get(path, known[last])
            found.append(Unknown(path=path, prior=prior, spread=spread))
        return found

    def parts(self, table: StepTable, paths: tuple[str, ...], ln: Array) -> "StepParts":
        """Compute, memory and launch time of every point, and their slopes against ln."""
        n, p = len(table.batch), len(paths)
        value, at = np.exp(ln), {path: i for i, path in enumerate(paths)}
        clocks_hz = np.stack([table.gpu_hz, table.emc_hz, np.ones(n)])
        times_s = np.empty((3, n))
        slopes = np.zeros((3, n, p))
        moved_bytes = np.empty(n)
        for name in dict.fromkeys(table.networks):
            where = np.array([other == name for other in table.networks])
            batch = table.batch[where]
            fill = self._counted if name in self.counts else self._own
            some, some_slopes, moved_bytes[where] = fill(name, batch, value, at)
            times_s[:, where] = some / clocks_hz[:, where]
            slopes[:, where] = some_slopes
        return StepParts(times_s=times_s, slopes=slopes, q=float(value[0]), moved_bytes=moved_bytes)

    def _counted(
        self, name: str, batch: Array, value: Array, at: Mapping[str, int]
    ) -> tuple[Array, Array, Array]:
        """Cycles, memory cycles and launch seconds of a network with counts, (3, n), and slopes."""
        net = self.counts[name]
        eff, half, per_cycle, launch, over = (at[self.path(last)] for last in _OF_BOARD)
        peak = self.board.performance.accelerators[self.kind].flops_per_cycle.value
        slopes = np.zeros((3, len(batch), len(at)))
        half_batch = value[half] * net.train_kernels / net.train_flops
        cycles = net.train_flops / (peak * value[eff]) * (batch + half_batch)
        slopes[0, :, eff] = -1.0
        slopes[0, :, half] = half_batch / (batch + half_batch)
        moved_bytes = batch * net.train_bytes + net.step_bytes
        slopes[1, :, per_cycle] = -1.0
        launch_s = net.train_kernels * value[launch] / self.host_hz
        total_s = launch_s + value[over]
        slopes[2, :, launch], slopes[2, :, over] = launch_s / total_s, value[over] / total_s
        found = np.stack([cycles, moved_bytes / value[per_cycle], np.full_like(batch, total_s)])
        return found, slopes, moved_bytes

    def _own(
        self, name: str, batch: Array, value: Array, at: Mapping[str, int]
    ) -> tuple[Array, Array, Array]:
        """The same of a network that was not counted."""
        places = [at.get(f"runs.{name}.{last}") for last in _OF_NETWORK]
        if None in places:
            raise KeyError(unknown("network of the fit", name, self.counts))
        cycles, half, memory, fixed, launch = (int(i) for i in places if i is not None)
        slopes = np.zeros((3, len(batch), len(at)))
        slopes[0, :, cycles] = slopes[2, :, launch] = 1.0
        slopes[0, :, half] = value[half] / (batch + value[half])
        moved = value[memory] * batch + value[fixed]
        slopes[1, :, memory], slopes[1, :, fixed] = (
            value[memory] * batch / moved,
            (value[fixed] / moved),
        )
        found = np.stack(
            [value[cycles] * (batch + value[half]), moved, np.full_like(batch, value[launch])]
        )
        per_cycle = self.board.performance.accelerators[self.kind].bytes_per_cycle.value
        return found, slopes, moved * per_cycle


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepParts:
    """times_s (3, n): compute, memory, launch; slopes (3, n, p) of their logarithms; bytes (n,)."""

    times_s: Array
    slopes: Array
    q: float
    moved_bytes: Array

    def ln_step(self) -> tuple[Array, Array]:
        """ln of the step's seconds (n,) and its slopes (n, p)."""
        ln, by = ln_roofline(self.times_s[0], self.times_s[1], self.q, self.times_s[2])
        slopes = sum(
            by[:, k, None] * self.slopes[i] for i, k in enumerate((COMPUTE, MEMORY, OVERHEAD))
        )
        slopes = np.asarray(slopes)
        slopes[:, 0] += by[:, EXPONENT]
        return ln, slopes


def _own_priors(table: StepTable) -> dict[str, tuple[float, float]]:
    """Priors of a network without counts, from the scales of its own points."""
    step_s, middle = table.step_s, float(np.exp(np.mean(np.log(table.batch))))
    per_sample_s = step_s / table.batch
    return {
        "cycles": (float(np.median(per_sample_s * table.gpu_hz)), 1.0),
        "half_batch": (middle / 8, 2.0),
        "memory_cycles": (0.5 * float(np.median(per_sample_s * table.emc_hz)), 1.5),
        "fixed_memory_cycles": (0.1 * float(np.median(step_s * table.emc_hz)), 1.5),
        "launch_s": (0.2 * float(step_s.min()), 1.5),
    }
