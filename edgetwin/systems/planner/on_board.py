"""Planning for a board: what can be chosen there, what fits its memory, and a plan for a cap."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

import numpy as np

from edgetwin.backend import Backend
from edgetwin.simulator import Simulator
from edgetwin.systems.planner.choice import CONFIDENCE, Objective, Plan, Planner
from edgetwin.systems.planner.efficiency import Efficiency
from edgetwin.systems.planner.meter import BoardMeter, Care, highest_of, input_rail, sensor_period_s
from edgetwin.systems.planner.profiler import POINTS, Hold, Meter, Profile, profile
from edgetwin.systems.planner.space import Space, product_space
from edgetwin.systems.planner.surface import Point, Surface, known_points
from edgetwin.systems.planner.verdict import judged
from hw_models.board import Board, Knobs
from hw_models.jobs import NetworkProfile, TrainingJob

RESERVED_BYTES: Final = 1.2e9  # assumed: system and framework on a board that only trains
ENDLESS: Final = 1e15


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A network to be trained on a board to a target: what may be chosen, what it needs.

    optimizer_bytes_per_parameter: 4 SGD with momentum, 8 Adam.
    """

    board: Board
    network: NetworkProfile
    efficiency: Efficiency
    space: Space
    optimizer_bytes_per_parameter: float = 8.0

    def endless_job(self, batch: int | None = None) -> TrainingJob:
        """The training as a job that never ends, for measuring."""
        batches = self.space.batches
        return TrainingJob(
            network=self.network,
            batch=batches[-1] if batch is None else batch,
            samples_to_target=dict.fromkeys(batches, ENDLESS),
            optimizer_bytes_per_parameter=self.optimizer_bytes_per_parameter,
        )

    def job(self, batch: int) -> TrainingJob:
        """The training to its target, with every batch size that may be chosen."""
        return TrainingJob(
            network=self.network,
            batch=batch,
            samples_to_target={b: self.efficiency.needed[b] for b in self.space.batches},
            optimizer_bytes_per_parameter=self.optimizer_bytes_per_parameter,
        )

    def meter(self, backend: Backend, care: Care | None = None) -> BoardMeter:
        """What measures the cells on a backend."""
        return BoardMeter(backend, self.space, self.endless_job(), care)

    def truth(self, simulator: Simulator, care: Care | None = None) -> Planner:
        """A planner that knows every cell of a twin, from its counters and not from its sensors.

        For oracles and reports. The peak is that of a sensor with the noise the board file states.
        """
        care = Care() if care is None else care
        points = [true_point(simulator, self, at, care) for at in range(len(self.space))]
        return Planner(self.space, known_points(points), self.efficiency)

    def profile(
        self,
        meter: Meter,
        caps_w: Sequence[float],
        *,
        points: int = POINTS,
        baseline: int | None = None,
        hold: Hold | None = None,
        begin: Surface | None = None,
        seed: int = 0,
    ) -> Profile:
        """Measure up to `points` cells; the fixed-batch user has the largest batch by default."""
        batch = self.space.batches[-1] if baseline is None else baseline
        return profile(
            self.space, self.efficiency, meter, caps_w=caps_w, points=points, baseline=batch,
            hold=hold, begin=begin, seed=seed,
        )  # fmt: skip

    def measured_whole(self, meter: Meter) -> Planner:
        """The planner of somebody who measures every cell; ValueError where one cannot be run."""
        points = []
        for at in range(len(self.space)):
            point = meter.measure(at)
            if point is None:
                raise ValueError(f"{self.board.name} refuses {self.space.words(at)}; leave it out.")
            points.append(point)
        return Planner(self.space, known_points(points), self.efficiency)

    def judged(self, plan: Plan, care: Care | None = None) -> dict[str, Any]:
        """A plan's JSON with what the twin's counters say of the choice, and brute force."""
        return judged(plan, self.truth(Simulator(self.board), care))

    def planner(self, found: Profile) -> Planner:
        """The planner that a profile allows."""
        return Planner(self.space, found.belief, self.efficiency)

    def plan(
        self,
        meter: Meter,
        cap_w: float,
        *,
        points: int = POINTS,
        objective: Objective = "time",
        deadline_s: float | None = None,
        confidence: float = CONFIDENCE,
        seed: int = 0,
    ) -> Plan:
        """Profile for one cap and choose; ValueError with the nearest cell where nothing fits."""
        found = self.profile(meter, [cap_w], points=points, seed=seed)
        return self.planner(found).plan(
            cap_w, objective=objective, deadline_s=deadline_s, confidence=confidence
        )


def board_task(
    board: Board,
    network: NetworkProfile,
    efficiency: Efficiency,
    *,
    batches: Sequence[int] | None = None,
    chooses_memory: bool = False,
    pins_host: bool = True,
    optimizer_bytes_per_parameter: float = 8.0,
) -> Task:
    """Every batch size that fits the board's memory at every GPU clock (and memory clock).

    batches are by default those of the efficiency. With pins_host the core that launches kernels
    runs at the middle of its clocks in every cell: left to its governor it jumps between clocks
    from cell to cell, and time and power with it. ValueError for a board without accelerator, for
    a batch without efficiency and for one asked for by name that does not fit, naming the largest
    that does.
    """
    kinds = board.performance.accelerators
    units = [unit for unit in board.unit_list if unit.kind in kinds]
    if not units:
        raise ValueError(f"{board.name} has no accelerator to train on; try jetson-tx2.")
    asked = tuple(efficiency.needed) if batches is None else tuple(batches)
    unknown = [b for b in asked if b not in efficiency.needed]
    if unknown:
        known = ", ".join(map(str, efficiency.needed))
        raise ValueError(f"batch {unknown[0]} has no efficiency; known are {known}.")
    need = {b: step_bytes(network, b, optimizer_bytes_per_parameter) for b in asked}
    room = float(board.performance.ram_bytes.value) - RESERVED_BYTES
    fitting = [b for b in asked if need[b] <= room]
    if not fitting or (batches is not None and len(fitting) < len(asked)):
        raise ValueError(_too_large(board, network, need, room, fitting))
    domain = units[0].domain
    memory = board.power.memory.domain if chooses_memory and board.power.memory else None
    space = product_space(
        sorted(fitting),
        board.clocks[domain].freqs_hz.value,
        "gpu_hz",
        domain=domain,
        memory_hz=None if memory is None else board.clocks[memory].freqs_hz.value,
        memory_domain="emc" if memory is None else memory,
    )
    host = units[0].host
    if pins_host and host is not None:
        clock = board.unit(host).domain
        freqs_hz = board.clocks[clock].freqs_hz.value
        space = replace(space, fixed_hz={clock: float(freqs_hz[len(freqs_hz) // 2])})
    return Task(
        board=board, network=network, efficiency=efficiency, space=space,
        optimizer_bytes_per_parameter=optimizer_bytes_per_parameter,
    )  # fmt: skip


def step_bytes(network: NetworkProfile, batch: int, optimizer_bytes_per_parameter: float) -> float:
    """Memory of a training step: weights, gradients, optimiser state, saved activations."""
    job = TrainingJob(
        network=network, batch=batch, samples_to_target={batch: 1.0},
        optimizer_bytes_per_parameter=optimizer_bytes_per_parameter,
    )  # fmt: skip
    return job.memory_bytes(batch)


def _too_large(
    board: Board, network: NetworkProfile, need: dict[int, float], room: float, fitting: list[int]
) -> str:
    batch = next(b for b in sorted(need) if need[b] > room)
    base = need[batch] - batch * network.saved_bytes
    most = int(np.floor((room - base) / network.saved_bytes))
    hint = (
        f"the largest batch of the list that fits is {max(fitting)}" if fitting
        else f"the largest that fits is {most}" if most >= 1
        else "no batch fits"
    )  # fmt: skip
    return (
        f"batch {batch} of {network.name} needs {need[batch] / 1e9:.2f} GB in a training step; "
        f"{board.name} has {room / 1e9:.2f} GB left for it: {hint}."
    )


def true_point(simulator: Simulator, task: Task, at: int, care: Care) -> Point:
    """A cell as the twin's counters have it, once it is settled."""
    board, rail = task.board, input_rail(task.board)
    simulator.restart()
    name = simulator.submit(task.endless_job())
    label = task.space.label(at)
    simulator.apply(Knobs(freq_hz=label["freq_hz"], batch={name: label["batch"]}))
    simulator.advance(care.settle_s + care.longest_s)
    before_j, counted_s = _rail_energy_j(simulator, rail), 10.0
    reading = simulator.advance(counted_s).last
    mean_w = (_rail_energy_j(simulator, rail) - before_j) / counted_s
    rate = reading.jobs[name].rate
    peak_w = simulator.kpis()["peak_power_w"]
    if care.peak == "sensor":
        sensor = board.sensors.rails[rail]
        rounding = float(sensor.resolution_w.value) / mean_w
        scatter = float(np.hypot(sensor.noise.value, rounding / np.sqrt(12.0)))
        most = highest_of(round(care.horizon_s / sensor_period_s(board)))
        peak_w = mean_w * (1.0 + most * scatter)
    if not rate or peak_w is None:
        raise ValueError(f"{board.name} makes no progress at {task.space.words(at)}.")
    return Point(time_s=1.0 / rate, mean_w=mean_w, peak_w=float(peak_w))


def _rail_energy_j(simulator: Simulator, rail: str) -> float:
    """Energy that a rail's sensor has seen, as counted, in joules."""
    lowered = simulator.lowered
    covers = lowered.record[0]["rail_covers"][lowered.rails.index(rail)]
    return float(np.sum(covers * simulator.state[0]["energy_j"]))
