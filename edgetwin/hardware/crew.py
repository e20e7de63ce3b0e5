"""The jobs that a device runs: what each was asked, where it is and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isinf
from typing import Any, final

from edgetwin.backend import JobId, JobResult
from edgetwin.kernel import QOS_SHARE
from edgetwin.replay.life import kpis_of
from edgetwin.simulator.jobs import table_of, work_of
from hw_models.board import Board
from hw_models.jobs import Application, Job, LoadJob, TrainingJob, job_kind
from hw_models.naming import unknown
from hw_models.performance import job_title
from hw_models.trace import JobReading, Reading, Trace


@final
@dataclass(slots=True, kw_only=True)
class Member:
    """One job on the device, and what has been seen of it so far."""

    id: JobId
    job: Job
    unit: str
    start_s: float
    stop_s: float | None = None
    work: float = 0.0
    alive_s: float = 0.0
    below_s: float = 0.0
    seen_s: float = 0.0
    last: JobReading | None = None
    done: bool = False

    def see(self, said: Mapping[str, Any], t_s: float) -> JobReading:
        """Take in what the agent says of the job at t_s."""
        total, target = work_of(self.job)
        counted = said.get("rates", {})
        rate, work = float(said["steps_per_s"]), float(said["work"])
        if isinstance(self.job, Application) and "instructions" in counted:
            rate = float(counted["instructions"])
            work = self.work + rate * (t_s - self.seen_s)
        self._count(rate, target, t_s)
        self.work, self.done = work, bool(said["done"])
        progress = said.get("progress")
        if progress is None and not isinf(total):
            progress = min(work / total, 1.0)
        self.last = JobReading(
            unit=self.unit,
            progress=None if isinf(total) else progress,
            rate=rate,
            target=target or None,
            l2d_per_s=counted.get("l2d"),
            batch=self._batch(said.get("batch")),
        )
        return self.last

    def _batch(self, told: object) -> int | None:
        """What a training process says it trains with, or else what it was asked to."""
        if not isinstance(self.job, TrainingJob):
            return None
        return told if isinstance(told, int) and told > 0 else self.job.batch

    def _count(self, rate: float, target: float, t_s: float) -> None:
        seconds = t_s - self.seen_s
        self.alive_s += seconds
        self.below_s += seconds if target and rate < QOS_SHARE * target else 0.0
        self.seen_s = t_s

    def result(self, end_s: float | None = None) -> JobResult:
        """Its life so far, or all of it."""
        return JobResult(
            id=self.id,
            title=job_title(self.job),
            kind=job_kind(self.job),
            start_s=self.start_s,
            end_s=end_s,
            work=self.work,
            target=work_of(self.job)[1] or None,
            alive_s=self.alive_s,
            below_s=self.below_s,
        )


@final
@dataclass(slots=True, kw_only=True)
class Crew:
    """Every job of a run, those that work and those that have ended."""

    board: Board
    working: dict[JobId, Member] = field(default_factory=dict)
    finished: list[JobResult] = field(default_factory=list)
    serial: int = 0

    def clear(self) -> None:
        """A new run begins."""
        self.working.clear()
        self.finished.clear()
        self.serial = 0

    def place(self, job: Job, unit: str | None) -> str:
        """The unit asked for, or the least loaded that runs the job fastest.

        KeyError for an unknown unit, ValueError for one that cannot run this job.
        """
        first, _ = table_of(self.board).find(job)
        names = [u.name for u in self.board.unit_list]
        able = [names[u] for u in table_of(self.board).fastest_first(first)]
        if unit is not None:
            self.board.unit(unit)
            if unit not in able:
                raise ValueError(f"{unit} cannot run this job; able: {', '.join(able) or 'none'}.")
            return unit
        if not able:
            raise ValueError(f"no unit of {self.board.name} can run {job_title(job)}.")
        load = {name: sum(m.unit == name for m in self.working.values()) for name in able}
        return min(able, key=load.__getitem__)

    def name(self, job: Job, given: str | None) -> JobId:
        """A name that no job of this run has had; ValueError for one that works now."""
        if given is not None and given in self.working:
            raise ValueError(f"a job named {given!r} runs already; give another name.")
        taken = {*self.working, *(r.id for r in self.finished)}
        self.serial += 1
        while given is None or given in taken:
            given = f"{job_title(job)}-{self.serial}"
            self.serial += given in taken
        return given

    def member(self, ident: JobId) -> Member:
        """A job that works; KeyError with the nearest name otherwise."""
        if ident not in self.working:
            raise KeyError(unknown("running job", ident, list(self.working)))
        return self.working[ident]

    def checked_batch(self, ident: JobId, batch: int) -> Member:
        """The training job whose batch may become this one; ValueError otherwise."""
        member = self.member(ident)
        if not isinstance(member.job, TrainingJob):
            raise ValueError(f"{ident} is not a training job; it has no batch size.")
        if batch not in member.job.samples_to_target:
            known = ", ".join(map(str, member.job.samples_to_target))
            raise ValueError(f"{ident} cannot train with batch {batch}; known: {known}.")
        return member

    def see(self, said: Mapping[str, Any], t_s: float) -> dict[JobId, JobReading]:
        """The readings of all jobs at t_s, loads apart."""
        found = {}
        for ident, member in self.working.items():
            if ident in said:
                reading = member.see(said[ident], t_s)
                if not isinstance(member.job, LoadJob):
                    found[ident] = reading
        return found

    def retire(self, ident: JobId, end_s: float) -> None:
        """A job has ended."""
        self.finished.append(self.working.pop(ident).result(end_s))

    def rebatch(self, ident: JobId, batch: int) -> None:
        """A training job goes on with another batch size."""
        member = self.working[ident]
        assert isinstance(member.job, TrainingJob)
        member.job = replace(member.job, batch=batch)


def kpis_of_run(
    board: Board, readings: Sequence[Reading], jobs: Sequence[JobResult], now_s: float
) -> dict[str, float | None]:
    """Key figures as a recording has them, with the work that the jobs themselves have told."""
    done = {
        kind: sum(job.work for job in jobs if job.kind == kind)
        for kind in ("application", "training")
    }
    return kpis_of(board, Trace.from_readings(readings), now_s) | {
        "completed": float(sum(job.end_s is not None for job in jobs)),
        "instructions_done": done["application"],
        "samples_done": done["training"],
    }
