"""Random sets of jobs, run by the twin and by the event-by-event reference alike."""

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from benchmarks.foundation.plain_work import task_of
from benchmarks.foundation.timeline import Course, Stretch, Turn, whole_ns_s
from benchmarks.foundation.workload import drawn_j, temps_of
from edgetwin.simulator import Simulator
from hw_models import (
    Application,
    Board,
    Knobs,
    TrainingJob,
    application_names,
    load_application,
    load_network,
)

Array = NDArray[np.float64]
TURNS_PER_S = 2.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class JobSet:
    """Jobs (name, job, unit) placed at t = 0, and what happens to them and to the clocks."""

    jobs: tuple[tuple[str, Application | TrainingJob, int], ...]
    turns: tuple[Turn, ...]
    duration_s: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BothRuns:
    """The twin's energy counter, its first temperatures (n_nodes,), and the reference."""

    counted_j: float
    start_c: Array
    stretches: list[Stretch]
    ends_s: dict[str, float]
    reference_ends_s: dict[str, float]


def without_leakage(name: str) -> Board:
    """A shipped board whose parts leak nothing."""
    folder = resources.files("hw_models") / "boards" / name.replace("-", "_")
    data = tomllib.loads((folder / "board.toml").read_text(encoding="utf-8"))
    return Board.model_validate(_no_leakage(data))


def _no_leakage(data: Any) -> Any:
    """The same tree with every leakage_w at zero."""
    if not isinstance(data, dict):
        return data
    return {
        key: value | {"value": 0.0} if key == "leakage_w" else _no_leakage(value)
        for key, value in data.items()
    }


def random_job_set(rng: np.random.Generator, board: Board, duration_s: float) -> JobSet:
    """Programs on cores, often a training job on the GPU; clocks and places change at random."""
    units = [unit.name for unit in board.unit_list]
    cores = [u for u, name in enumerate(units) if name.startswith("cpu")]
    jobs: list[tuple[str, Application | TrainingJob, int]] = [
        (f"program-{i}", _program(rng), int(rng.choice(cores))) for i in range(rng.integers(1, 9))
    ]
    names = [name for name, _, _ in jobs]
    if rng.random() < 0.7:
        jobs.append(("training", _training(rng), units.index("gpu")))
    first = [
        Turn(at_s=0.0, domain=d, level=_level(rng, board, d)) for d in range(len(board.clocks))
    ]
    count = rng.poisson(TURNS_PER_S * duration_s)
    times_s = [whole_ns_s(t_s) for t_s in sorted(rng.uniform(0.0, duration_s, count).tolist())]
    turns = [*first, *(_turn(rng, board, names, cores, at_s) for at_s in times_s)]
    return JobSet(jobs=tuple(jobs), turns=tuple(turns), duration_s=duration_s)


def _program(rng: np.random.Generator) -> Application:
    profile = load_application(str(rng.choice(application_names())))
    return Application(profile=profile, instructions=10.0 ** rng.uniform(9.0, 11.0))


def _training(rng: np.random.Generator) -> TrainingJob:
    network = load_network(str(rng.choice(["resnet-18-cifar", "digits-cnn"])))
    return TrainingJob(network=network, batch=8, samples_to_target={8: 10.0 ** rng.uniform(2, 4)})


def _turn(
    rng: np.random.Generator, board: Board, names: list[str], cores: list[int], at_s: float
) -> Turn:
    if rng.random() < 0.5:
        return Turn(at_s=at_s, task=str(rng.choice(names)), unit=int(rng.choice(cores)))
    domain = int(rng.integers(len(board.clocks)))
    return Turn(at_s=at_s, domain=domain, level=_level(rng, board, domain))


def _level(rng: np.random.Generator, board: Board, domain: int) -> int:
    clocks = list(board.clocks.values())
    return int(rng.integers(len(clocks[domain].freqs_hz.value)))


def run_both(board: Board, job_set: JobSet) -> BothRuns:
    """The same job set in the twin and in the reference. RuntimeError if the twin throttled."""
    sim = Simulator(board)
    start_c, levels = temps_of(sim), levels_of(sim)
    for name, job, unit in job_set.jobs:
        sim.submit(job, board.unit_list[unit].name, name=name)
    for turn in job_set.turns:
        sim.run_until(round(turn.at_s * 1e9))
        _apply(sim, turn)
    sim.run_until(round(job_set.duration_s * 1e9))
    if sim.kpis()["throttled_time_share"]:
        raise RuntimeError(f"{board.name} throttled; the reference knows no trips.")
    tasks = [task_of(board, job, unit, name) for name, job, unit in job_set.jobs]
    course = Course.of(board, tasks, levels)
    return BothRuns(
        counted_j=drawn_j(sim),
        start_c=start_c,
        stretches=course.run(job_set.turns, job_set.duration_s),
        ends_s={job.id: job.end_s for job in sim.results() if job.end_s is not None},
        reference_ends_s=course.ends_s,
    )


def levels_of(sim: Simulator) -> list[int]:
    """The operating point at which every clock runs now, in board order."""
    freq_hz = sim.advance(0.0).last.freq_hz
    return [sim.board.opp(domain, hz) for domain, hz in freq_hz.items()]


def _apply(sim: Simulator, turn: Turn) -> None:
    board = sim.board
    if turn.domain >= 0:
        name = list(board.clocks)[turn.domain]
        sim.apply(Knobs(freq_hz={name: board.clocks[name].freqs_hz.value[turn.level]}))
    elif any(entry.id == turn.task for entry in sim.running.values()):
        sim.apply(Knobs(placement={turn.task: board.unit_list[turn.unit].name}))
