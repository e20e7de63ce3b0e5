"""A board's equations once more, in plain Python from the board's own fields.

Written apart from the compiled kernel so that the two can be held against each other, and slow
enough to be obvious: rates of jobs under contention, power of every part.
"""

from collections import Counter
from collections.abc import Sequence
from operator import getitem
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from benchmarks.foundation.plain_work import Phase, Task
from hw_models.board import Board
from hw_models.board_physics import Part

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Share(NamedTuple):
    """What a job gets and costs now: work per second, busy and launching share, activity."""

    rate: float
    busy: float
    launching: float
    activity: float
    traffic_bytes_per_s: float


class PlainParts(NamedTuple):
    """Everything that draws power, in the order of `board.parts`; all arrays (n_parts,).

    active_index is a unit, or the number of units plus a domain; domain is -1 for constant power.
    """

    active_index: Indices
    domain: Indices
    active_f: Array
    idle_f: Array
    constant_w: Array
    energy_j_per_byte: Array
    leak_w: Array


@final
class PlainBoard:
    """A board's numbers as lists, indices as in the board file."""

    def __init__(self, board: Board) -> None:
        perf, clocks = board.performance, board.clocks
        self.domains = list(clocks)
        self.freqs_hz = [list(clock.freqs_hz.value) for clock in clocks.values()]
        volts_v = [list(clock.volts_v.value) for clock in clocks.values()]
        self.units = [unit.name for unit in board.unit_list]
        self.unit_kind = [unit.kind for unit in board.unit_list]
        self.unit_domain = [self.domains.index(unit.domain) for unit in board.unit_list]
        hosts = [unit.host for unit in board.unit_list]
        self.unit_host = [self.units.index(host) if host else -1 for host in hosts]
        self.memory = self.domains.index(board.power.memory.domain) if board.power.memory else -1
        self.bus_bytes = perf.bandwidth_bytes_per_cycle.value
        self.pnorm = {name: kind.pnorm.value for name, kind in perf.accelerators.items()}
        self.stalled = {name: kind.stall_activity.value for name, kind in perf.cores.items()}
        self.stalled |= {
            name: kind.stall_activity.value for name, kind in perf.accelerators.items()
        }
        self.corunner = {name: kind.corunner_stall.value for name, kind in perf.cores.items()}
        self.bandwidth = {name: kind.bandwidth_stall.value for name, kind in perf.cores.items()}
        self.parts = _parts(board, self.domains)
        exponent = board.power.leakage.volt_exponent.value
        self.leak_factors = [[volt_v**exponent for volt_v in row] for row in volts_v]
        self.v2_hz = [
            [volt_v * volt_v * hz for volt_v, hz in zip(*rows, strict=True)]
            for rows in zip(volts_v, self.freqs_hz, strict=True)
        ]

    def shares(self, tasks: Sequence[Task], levels: Sequence[int]) -> list[Share]:
        """What each of these running tasks gets at these operating points."""
        on_unit = Counter(task.unit for task in tasks)
        in_domain = Counter(self.unit_domain[unit] for unit in on_unit)
        alone = [self._share(task, levels, on_unit, 1.0).traffic_bytes_per_s for task in tasks]
        total, bus_bytes_per_s = sum(alone), self.bus_bytes_per_s(levels)
        shares = []
        for task, own in zip(tasks, alone, strict=True):
            kind = self.unit_kind[task.unit]
            crowd = 1.0 + self.corunner.get(kind, 0.0) * (
                in_domain[self.unit_domain[task.unit]] - 1
            )
            crowd += self.bandwidth.get(kind, 0.0) * min((total - own) / bus_bytes_per_s, 1.0)
            shares.append(self._share(task, levels, on_unit, crowd))
        return shares

    def bus_bytes_per_s(self, levels: Sequence[int]) -> float:
        """What the memory could move at its present clock; infinite where it has none."""
        if self.memory < 0:
            return float("inf")
        return self.bus_bytes * self.freqs_hz[self.memory][levels[self.memory]]

    def _share(
        self, task: Task, levels: Sequence[int], on_unit: Counter[int], crowd: float
    ) -> Share:
        """A task's share when its stalls last `crowd` times as long as alone."""
        unit = task.unit
        kind, domain = self.unit_kind[unit], self.unit_domain[unit]
        phase = task.phases[kind][task.phase]
        compute_s = phase.compute_cycles / self.freqs_hz[domain][levels[domain]]
        busy_s = self._roof_s(phase, kind, compute_s, levels) + phase.stall_s * crowd
        launch_s = self._launch_s(phase, unit, levels)
        rate = 1.0 / ((busy_s + launch_s) * on_unit[unit])
        computing = compute_s / busy_s
        activity = phase.activity * (computing + self.stalled[kind] * (1.0 - computing))
        return Share(rate, rate * busy_s, rate * launch_s, activity, rate * phase.moved_bytes)

    def _roof_s(self, phase: Phase, kind: str, compute_s: float, levels: Sequence[int]) -> float:
        if not phase.memory_cycles or self.memory < 0:
            return compute_s
        memory_s = phase.memory_cycles / self.freqs_hz[self.memory][levels[self.memory]]
        q = self.pnorm[kind]
        return float((compute_s**q + memory_s**q) ** (1.0 / q))

    def _launch_s(self, phase: Phase, unit: int, levels: Sequence[int]) -> float:
        if self.unit_host[unit] < 0:
            return phase.idle_s
        domain = self.unit_domain[self.unit_host[unit]]
        return phase.idle_s + phase.launch_cycles / self.freqs_hz[domain][levels[domain]]

    def powers_w(
        self, tasks: Sequence[Task], shares: Sequence[Share], levels: Sequence[int]
    ) -> tuple[Array, Array]:
        """Switching power and leakage at the reference temperature of every part, (n_parts,)."""
        p = self.parts
        busy, activity = self._use(tasks, shares)
        traffic_bytes_per_s = sum(share.traffic_bytes_per_s for share in shares)
        most = [0.0] * len(self.domains)
        for unit, domain in enumerate(self.unit_domain):
            most[domain] = max(most[domain], busy[unit])
        if self.memory >= 0:
            most[self.memory] = min(1.0, traffic_bytes_per_s / self.bus_bytes_per_s(levels))
        active = np.array([*activity, *most, 0.0])[p.active_index]
        per_farad = np.array([*map(getitem, self.v2_hz, levels), 0.0])[p.domain]
        power_w = p.constant_w + p.energy_j_per_byte * traffic_bytes_per_s
        power_w += (p.active_f * active + p.idle_f) * per_farad
        factors = np.array([*map(getitem, self.leak_factors, levels), 1.0])
        return power_w, p.leak_w * factors[p.domain]

    def _use(
        self, tasks: Sequence[Task], shares: Sequence[Share]
    ) -> tuple[list[float], list[float]]:
        """Utilisation and activity of units; launching takes what is left of the host's time."""
        busy, activity, launching = ([0.0] * len(self.units) for _ in range(3))
        for task, share in zip(tasks, shares, strict=True):
            busy[task.unit] += share.busy
            activity[task.unit] += share.busy * share.activity
            host = self.unit_host[task.unit]
            if host >= 0:
                launching[host] += share.launching
        for unit, wanted in enumerate(launching):
            if wanted:
                taken = min(wanted, 1.0 - busy[unit])
                busy[unit] += taken
                activity[unit] += taken
        return busy, activity


def _parts(board: Board, domains: list[str]) -> PlainParts:
    power, units, rows = board.power, board.unit_list, []
    for i, unit in enumerate(units):
        rows.append((i, domains.index(unit.domain), *_clocked(power.units[unit.group])))
    for name, part in power.domains.items():
        at = domains.index(name)
        rows.append((len(units) + at, at, *_clocked(part)))
    if power.memory:
        m = power.memory
        idle_f, leak_w = m.idle_capacitance_f.value, m.leakage_w.value
        at, energy_j_per_byte = domains.index(m.domain), m.energy_j_per_byte.value
        rows.append((-1, at, 0.0, idle_f, 0.0, energy_j_per_byte, leak_w))
    constant_w = [base.power_w.value for base in power.baseline.values()]
    constant_w += [board.limits.fan.power_w.value[0]] if board.limits.fan else []
    rows += [(-1, -1, 0.0, 0.0, drawn_w, 0.0, 0.0) for drawn_w in constant_w]
    active_index, domain, *numbers = map(np.array, zip(*rows, strict=True))
    return PlainParts(active_index, domain, *numbers)


def _clocked(part: Part) -> tuple[float, float, float, float, float]:
    """(active, idle, constant, per byte, leakage) of a part with a clock."""
    active_f, idle_f = part.active_capacitance_f.value, part.idle_capacitance_f.value
    return active_f, idle_f, 0.0, 0.0, part.leakage_w.value
