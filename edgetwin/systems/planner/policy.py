"""The planner and the fixed-batch user as policies of edgetwin/Training-v0.

Both know the training job beforehand (`brief`) and profile it on a twin of their own, which costs
simulated time only. The peak they plan for is the one the environment counts: the power while the
GPU computes. Then readings correct the plan and changes of the cap renew it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, final

import numpy as np

from edgetwin.backend import JobId
from edgetwin.systems.planner.baselines import fixed_batch
from edgetwin.systems.planner.efficiency import table_efficiency
from edgetwin.systems.planner.meter import BoardMeter, Care, input_rail
from edgetwin.systems.planner.on_board import Task, board_task
from edgetwin.systems.planner.online import NO_CAP_W, Online, Seen
from edgetwin.systems.planner.profiler import POINTS
from edgetwin.systems.planner.surface import Surface
from hw_models.board import Board, Knobs
from hw_models.jobs import Job, TrainingJob
from hw_models.trace import Reading

if TYPE_CHECKING:
    from edgetwin.simulator import Simulator

MORE: Final = 6  # points that a new cap gets
_DOUBT: Final = 0.05  # of the scenario's samples to the target, as ln


@final
class PlannerPolicy:
    """Batch size and GPU clock that reach the target soonest below the cap, corrected on the go."""

    def __init__(self, period_s: float = 1.0, points: int = POINTS) -> None:
        self.period_s, self.points = period_s, points

    def reset(self, board: Board, *, seed: int, twin: "Simulator | None" = None) -> None:
        """ValueError for a board without accelerator or power sensor."""
        self._rail = input_rail(board)
        self._board, self._seed = board, seed
        self._job_id: JobId | None = None
        self._task: Task | None = None
        self._online: Online | None = None
        self._surface: Surface | None = None
        self._known_caps: set[float] = set()

    def brief(self, jobs: Mapping[JobId, Job]) -> None:
        """The first training job is the one to plan for; ValueError when there is none."""
        self._job_id, self._task = training_task(self._board, jobs)
        self._meter = private_meter(self._task, self._seed)

    def __call__(self, reading: Reading) -> Knobs:
        """The plan's batch and clock, when they differ from what runs."""
        if self._task is None or self._job_id not in reading.jobs:
            return Knobs()
        cap_w = NO_CAP_W if reading.cap_w is None else reading.cap_w
        online = self._knowing(cap_w)
        power_w = None if reading.power_w is None else reading.power_w.get(self._rail)
        cell = online.decide(Seen(cap_w=cap_w, power_w=power_w))
        return knobs_for(self._task, cell.at, str(self._job_id), reading)

    def _knowing(self, cap_w: float) -> Online:
        """The plan, after a few more points of the twin where this cap is new."""
        assert self._task is not None
        if cap_w not in self._known_caps or self._online is None:
            self._known_caps.add(cap_w)
            self._meter.care = replace(self._meter.care, caps_w=(cap_w,))
            known = 0 if self._surface is None else len(self._surface.points)
            found = self._task.profile(
                self._meter, [cap_w], points=max(self.points, known + MORE), seed=self._seed,
                begin=self._surface,
            )  # fmt: skip
            self._surface = found.surface
            planner = self._task.planner(found)
            if self._online is None:
                self._online = Online(planner)
            self._online.know(planner)
        return self._online


@final
class FixedBatchPolicy:
    """Keeps the job's batch size and takes the highest GPU clock whose peak fits the cap."""

    def __init__(self, period_s: float = 1.0) -> None:
        self.period_s = period_s

    def reset(self, board: Board, *, seed: int, twin: "Simulator | None" = None) -> None:
        """ValueError for a board without accelerator or power sensor."""
        input_rail(board)
        self._board, self._seed = board, seed
        self._job_id: JobId | None = None
        self._task: Task | None = None

    def brief(self, jobs: Mapping[JobId, Job]) -> None:
        """Every clock is measured with the batch of the first training job."""
        self._job_id, task = training_task(self._board, jobs)
        job = jobs[self._job_id]
        assert isinstance(job, TrainingJob)
        self._batch = job.batch
        self._task = replace(task, space=task.space.take(task.space.where(job.batch)))
        meter = private_meter(self._task, self._seed)
        self._planner = self._task.measured_whole(meter)

    def __call__(self, reading: Reading) -> Knobs:
        """The clock below the cap, the lowest one where none fits."""
        if self._task is None or self._job_id not in reading.jobs:
            return Knobs()
        cap_w = NO_CAP_W if reading.cap_w is None else reading.cap_w
        at = fixed_batch(self._batch)(self._planner, cap_w)
        lowest = int(np.argmin(self._planner.belief.peak_w))
        return knobs_for(self._task, lowest if at is None else at, str(self._job_id), reading)


def training_task(board: Board, jobs: Mapping[JobId, Job]) -> tuple[JobId, Task]:
    """The first training job and what can be chosen for it, batch sizes that fit the memory."""
    for name, job in jobs.items():
        if isinstance(job, TrainingJob):
            efficiency = table_efficiency(job.samples_to_target, share=_DOUBT, source="scenario")
            return name, board_task(
                board, job.network, efficiency, pins_host=False,
                optimizer_bytes_per_parameter=job.optimizer_bytes_per_parameter,
            )  # fmt: skip
    raise ValueError("no training job to plan for; use a scenario with one, such as train-cap.")


def private_meter(task: Task, seed: int) -> BoardMeter:
    """A meter on a twin of the policy's own, with the peak as the environment counts it."""
    from edgetwin.factory import make_backend

    backend = make_backend("sim", board=task.board, seed=seed)
    return task.meter(backend, Care(peak="counter"))


def knobs_for(task: Task, at: int, job: JobId, reading: Reading) -> Knobs:
    """The knobs of a cell that do not stand there yet."""
    label = task.space.label(at)
    running = reading.jobs[job].batch
    clocks = {d: hz for d, hz in label["freq_hz"].items() if abs(reading.freq_hz[d] - hz) > 0.5}
    return Knobs(
        freq_hz=clocks, batch={} if running == label["batch"] else {job: int(label["batch"])}
    )
