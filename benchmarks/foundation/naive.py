"""The board as one would first write it with simpy and numpy: everything is a process that polls.

Heat by forward Euler every 5 ms, applications and governors every 50 ms. It reads the same Board
and the same workload as the twin. Completions are seen up to a period late and clocks change at
once; what a migration costs is taken from the work done.
"""

from collections.abc import Generator
from math import ceil
from typing import Any, final

import numpy as np
import simpy
from numpy.typing import NDArray

from benchmarks.foundation.plain import PlainBoard, Share
from benchmarks.foundation.plain_heat import PlainHeat
from benchmarks.foundation.plain_work import Task, task_of
from benchmarks.foundation.workload import CLUSTERS, MOVE_S, SLOTS, Workload

Array = NDArray[np.float64]
Process = Generator[simpy.Event, Any, None]
TICK_S, PERIOD_S = 0.005, 0.05
# Forward Euler is stable below 2 / rate; a die node may be faster than one step in 5 ms allows.
LARGEST_STEP = 1.5


@final
class NaiveBoard:
    """A HiKey 970 of polling processes; `run` returns when the workload is over."""

    def __init__(self, workload: Workload, temps_c: Array, levels: list[int]) -> None:
        self.workload = workload
        self.board = workload.board
        self.plain, self.heat = PlainBoard(workload.board), PlainHeat(workload.board)
        self.temps_c, self.levels = temps_c.copy(), list(levels)
        self.tasks: list[Task | None] = [None] * SLOTS
        self.rates: list[float] = [0.0] * SLOTS
        self.moved_domains: set[int] = set()
        self.energy_j = 0.0
        self.arrived = self.completed = self.migrations = self.wakeups = 0
        self.env = simpy.Environment()
        for process in (self.thermal(), self.arrivals(), self.moves()):
            self.env.process(process)
        for cluster in CLUSTERS:
            self.env.process(self.governor(self.plain.domains.index(cluster)))

    def run(self) -> None:
        """Simulate the whole workload."""
        self.env.run(until=self.workload.duration_s)

    def thermal(self) -> Process:
        """Speeds, power and temperatures every 5 ms."""
        heat, fastest_hz = self.heat, float(np.abs(np.linalg.eigvals(self.heat.matrix_hz)).max())
        substeps = ceil(TICK_S * fastest_hz / LARGEST_STEP)
        dt_s = TICK_S / substeps
        warming = np.eye(len(self.temps_c)) + dt_s * heat.matrix_hz
        rise_k_per_w = dt_s / heat.capacity_j_per_k
        outside_w = heat.cooling_w_per_k * heat.ambient_c
        while True:
            power_w, gain_w = self._powers_w()
            power_w += gain_w * heat.leakage_shape(self.temps_c[heat.part_node])
            rise_k = rise_k_per_w * (heat.on_nodes(power_w) + outside_w)
            for _ in range(substeps):
                self.temps_c = warming @ self.temps_c + rise_k
            self.energy_j += float(power_w.sum()) * TICK_S
            self.wakeups += 1
            yield self.env.timeout(TICK_S)

    def _powers_w(self) -> tuple[Array, Array]:
        """Power and leakage gain by part; on the way the speed of every application."""
        slots = [i for i, task in enumerate(self.tasks) if task is not None]
        running = [task for task in self.tasks if task is not None]
        shares: list[Share] = self.plain.shares(running, self.levels)
        for slot, share in zip(slots, shares, strict=True):
            self.rates[slot] = share.rate
        return self.plain.powers_w(running, shares, self.levels)

    def arrivals(self) -> Process:
        """Applications come and take the first free slot, or go away."""
        for number, coming in enumerate(self.workload.arrivals):
            yield self.env.timeout(coming.at_s - self.env.now)
            self.wakeups += 1
            if None in self.tasks:
                slot = self.tasks.index(None)
                task = task_of(self.board, coming.job, coming.core, f"application-{number}")
                self.tasks[slot] = task
                self.arrived += 1
                self.env.process(self.application(slot, task))

    def application(self, slot: int, task: Task) -> Process:
        """Work gets done, a period at a time."""
        self.rates[slot] = 0.0
        while task.left > 0.0:
            yield self.env.timeout(PERIOD_S)
            self.wakeups += 1
            self._work(task, self.rates[slot] * PERIOD_S)
        self.tasks[slot] = None
        self.completed += 1

    def _work(self, task: Task, work: float) -> None:
        task.left -= work
        task.phase_left -= work
        while task.phase_left <= 0.0:
            over = task.phase_left
            task.next_phase()
            task.phase_left += over

    def moves(self) -> Process:
        """Every half second an application goes to another core and loses some work."""
        for slot, core in self.workload.moves:
            yield self.env.timeout(MOVE_S)
            self.wakeups += 1
            task = self.tasks[slot]
            if task is not None and task.unit != core:
                self.moved_domains |= {self.plain.unit_domain[u] for u in (task.unit, core)}
                self._work(task, -self.rates[slot] * self.board.performance.migration_s.value)
                task.unit = core
                self.migrations += 1

    def governor(self, domain: int) -> Process:
        """One level per period towards the lowest clock that meets every target; trips."""
        top = len(self.plain.freqs_hz[domain]) - 1
        cap = top
        while True:
            yield self.env.timeout(PERIOD_S)
            self.wakeups += 1
            cap = min(max(cap + self._trip_step(domain), 0), top)
            level = self.levels[domain]
            goal = level if domain in self.moved_domains else self._goal(domain, level)
            self.levels[domain] = min(level + (goal > level) - (goal < level), cap)
            self.moved_domains.discard(domain)

    def _goal(self, domain: int, level: int) -> int:
        """The rule of arXiv 2206.05459: f >= f_now * target / rate for every application."""
        freqs_hz, need_hz = self.plain.freqs_hz[domain], 0.0
        for slot, task in enumerate(self.tasks):
            if task is not None and self.plain.unit_domain[task.unit] == domain:
                rate = self.rates[slot]
                if rate > 0.0:
                    need_hz = max(need_hz, freqs_hz[level] * task.target_ips / rate)
        for i, hz in enumerate(freqs_hz):
            if hz >= need_hz:
                return i
        return len(freqs_hz) - 1

    def _trip_step(self, domain: int) -> int:
        """-1 above a throttling trip of this domain, +1 well below all of them."""
        step, name = 1, self.plain.domains[domain]
        for trip in self.board.limits.trips:
            if trip.kind == "throttle" and name in trip.domains:
                node = self.board.sensors.zones[trip.zone].node
                temp_c = self.temps_c[self.board.thermal.nodes.index(node)]
                if temp_c >= trip.temp_c.value:
                    step = -1
                elif temp_c >= trip.temp_c.value - trip.hysteresis_k.value:
                    step = min(step, 0)
        return step
