"""The plan of one run: what a scenario turns into on a given board with a given seed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, count
from math import inf
from operator import itemgetter
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.scenario_loads import load_job, pulses
from edgetwin.scenario_schema import (
    ApplicationEntry,
    Arrivals,
    Fault,
    JobEntry,
    LoadEntry,
    TrainingEntry,
)
from edgetwin.scenario_values import Choices
from hw_models.board import Board, Knobs
from hw_models.jobs import Application, ApplicationProfile, ForwardJob, Job, TrainingJob
from hw_models.performance import job_title

Array = NDArray[np.float64]
InitialTemps = Literal["steady", "ambient"] | Mapping[str, float]
_STREAMS = ("times", "programs", "targets", "instructions", "lifetimes")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A job that arrives at t_s, on `unit` if given; lifetime_s later it is stopped if not done."""

    t_s: float
    id: str
    job: Job
    unit: str | None = None
    lifetime_s: float | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From t_s on: an ambient in degC, a cap in W (None: lifted), a fault, its end, or knobs."""

    t_s: float
    what: Literal["ambient", "cap", "fault", "heal", "knobs"]
    value: float | None = None
    fault: Fault | None = None
    knobs: Knobs | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What happens in one run on one board, in order of time; ambient_c and cap_w hold at 0 s.

    fan is a level, or None for the board's own control. initial is "steady" (idle at ambient_c),
    "ambient", or temperatures in degC by thermal node (the others at ambient_c). names are those of
    the jobs that arrive.
    """

    arrivals: tuple[Arrival, ...]
    changes: tuple[Change, ...]
    ambient_c: float
    cap_w: float | None
    fan: int | None
    mode: str | None
    initial: InitialTemps
    names: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", frozenset(arrival.id for arrival in self.arrivals))


@contextmanager
def place(where: str) -> Iterator[None]:
    """Put the place in front of any KeyError or ValueError raised inside."""
    try:
        yield
    except KeyError as e:
        raise KeyError(f"{where}: {e.args[0]}") from None
    except ValueError as e:
        raise ValueError(f"{where}: {e}") from None


def full_speed_ips(profile: ApplicationProfile, board: Board) -> float:
    """The peak rate of a program on a board: alone, on its fastest kind of core at its top clock.

    Shares of peak refer to it, whatever power mode the board is in. ValueError where no core of
    the board runs the program.
    """
    peaks = board.derived.setdefault("full_speed_ips", {})
    found = peaks.get(id(profile))
    if found is None:  # the profile is kept so that its identity stays its own
        found = peaks[id(profile)] = (profile, _full_speed_ips(profile, board))
    return float(found[1])


def _full_speed_ips(profile: ApplicationProfile, board: Board) -> float:
    from hw_models.workloads import peak_ips

    rates_ips = [0.0]
    for group in board.units.values():
        core = board.performance.cores.get(group.kind)
        if core is None or core.profile not in profile.by_kind:
            continue
        top_hz = board.clocks[group.domain].freqs_hz.value[-1]
        scales = (core.cycles_scale.value, core.stall_scale.value)
        rates_ips.append(peak_ips(profile, core.profile, top_hz, *scales))
    if max(rates_ips) == 0.0:
        raise ValueError(f"no core of {board.name} can run {profile.name}")
    return max(rates_ips)


def arrivals_of(
    jobs: Sequence[JobEntry], arrivals: Arrivals | None, board: Board, seeds: tuple[int, int]
) -> tuple[Arrival, ...]:
    """Every arrival in order of time; a job without an id is called after its work and its turn.

    ValueError where two jobs have one id.
    """
    found = [a for i, entry in enumerate(jobs) for a in _listed(f"jobs.{i}", entry, board)]
    if arrivals is not None:
        with place("arrivals"):
            found += _drawn(arrivals, board, seeds)
    found.sort(key=itemgetter(0))
    named = tuple(
        Arrival(
            t_s=t_s,
            id=name or f"{job_title(job)}-{turn}",
            job=job,
            unit=unit,
            lifetime_s=lifetime_s,
        )
        for turn, (t_s, name, job, unit, lifetime_s) in enumerate(found, start=1)
    )
    twice = [name for name, n in Counter(a.id for a in named).items() if n > 1]
    if twice:
        raise ValueError(f"two jobs have the id {twice[0]!r}; ids must differ")
    return named


# What an Arrival is made of, in its order; the name may still be empty.
_Draft = tuple[float, str, Job, str | None, float | None]


def _listed(at: str, entry: JobEntry, board: Board) -> Iterator[_Draft]:
    with place(at):
        if entry.unit is not None:
            board.unit(entry.unit)
        job = _job(entry, board)
    if isinstance(entry, LoadEntry):
        for n, (t_s, works_s) in enumerate(pulses(entry, board)):
            name = f"{entry.id}-{n}" if entry.id and n else entry.id or ""
            yield t_s, name, job, entry.unit, works_s
        return
    lifetime_s = entry.lifetime_s if isinstance(entry, ApplicationEntry) else None
    yield entry.at_s, entry.id or "", job, entry.unit, lifetime_s


def _job(entry: JobEntry, board: Board) -> Job:
    from hw_models.workloads import load_application, load_network

    if isinstance(entry, ApplicationEntry):
        profile = load_application(entry.program, entry.dataset)
        target_ips = entry.target_ips
        if entry.target_share is not None:
            target_ips = entry.target_share * full_speed_ips(profile, board)
        instructions = inf if entry.instructions == "endless" else entry.instructions
        return Application(
            profile=profile,
            instructions=instructions,
            target_ips=target_ips,
            pass_insns=entry.pass_instructions,
        )
    if isinstance(entry, LoadEntry):
        return load_job(entry, board)
    network = load_network(entry.network)
    if isinstance(entry, TrainingEntry):
        return TrainingJob(
            network=network,
            batch=entry.batch,
            samples_to_target=entry.samples_by_batch,
            optimizer_bytes_per_parameter=entry.optimizer_bytes_per_parameter,
        )
    return ForwardJob(
        network=network,
        batch=entry.batch,
        passes=entry.passes,
        steps=entry.steps,
        noise_bytes=entry.noise_bytes,
    )


def _drawn(spec: Arrivals, board: Board, seeds: tuple[int, int]) -> Iterator[_Draft]:
    from hw_models.workloads import load_application

    children = np.random.SeedSequence(seeds).spawn(len(_STREAMS))
    seeds_of = dict(zip(_STREAMS, children, strict=True))
    times_s = _poisson_times_s(spec, np.random.default_rng(seeds_of["times"]))

    n = len(times_s)
    pool = _pool(spec.programs)
    which = (np.random.default_rng(seeds_of["programs"]).random(n) * len(pool)).astype(int).tolist()
    insns = _draw(spec.instructions, seeds_of["instructions"], n, in_log=True)
    shares = _draw(spec.target_share, seeds_of["targets"], n)
    lifetimes_s = _draw(spec.lifetime_s, seeds_of["lifetimes"], n)
    drawn = zip(times_s, which, insns, shares, lifetimes_s, strict=True)
    for t_s, at, instructions, share, lifetime_s in drawn:
        profile = load_application(pool[at])
        job = Application(
            profile=profile,
            instructions=instructions or inf,
            target_ips=None if share is None else share * full_speed_ips(profile, board),
            pass_insns=spec.pass_instructions,
        )
        yield t_s, "", job, None, lifetime_s


def _poisson_times_s(spec: Arrivals, rng: np.random.Generator) -> list[float]:
    most = inf if spec.count is None else spec.count
    end_s = spec.first_at_s + (inf if spec.duration_s is None else spec.duration_s)
    gaps_s = chain.from_iterable(rng.exponential(1.0 / spec.rate_hz, 32).tolist() for _ in count())
    times_s: list[float] = []
    t_s = spec.first_at_s
    while len(times_s) < most and t_s <= end_s:
        times_s.append(t_s)
        t_s += next(gaps_s)
    return times_s


def _pool(programs: str | Sequence[str]) -> Sequence[str]:
    from hw_models.workloads import application_names, parsec_names, polybench_names

    if not isinstance(programs, str):
        return programs
    sets = {"polybench": polybench_names, "parsec": parsec_names, "all": application_names}
    return sets[programs]()


def _draw(
    spec: float | Literal["endless"] | tuple[float, float] | Choices | None,
    seed: np.random.SeedSequence,
    n: int,
    *,
    in_log: bool = False,
) -> list[float | None]:
    """n numbers as the file asks for them; None: no number."""
    match spec:
        case None | "endless":
            return [None] * n
        case Choices(choices=choices):
            return [choices[int(x * len(choices))] for x in np.random.default_rng(seed).random(n)]
        case (low, high):
            u = np.random.default_rng(seed).random(n)
            drawn = low * (high / low) ** u if in_log else low + (high - low) * u
            return [float(x) for x in drawn]
    return [float(spec)] * n
