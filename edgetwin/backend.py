"""The seam: a Policy reads a Reading and returns Knobs, a Backend turns Knobs into a Trace."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, final, runtime_checkable

from edgetwin.kernel.state import QOS_SHARE
from hw_models.board import Board, Knobs
from hw_models.jobs import Job, JobKind
from hw_models.log_work import LOOPS, WORK
from hw_models.naming import unknown
from hw_models.trace import Reading, Trace

if TYPE_CHECKING:
    from edgetwin.scenario import Scenario
    from edgetwin.simulator import Simulator

JobId = str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of a request: the knobs that were taken, and why the others were not."""

    accepted: Knobs
    refused: Mapping[str, str] = field(default_factory=dict)


class JobResult(NamedTuple):
    """One job's life: work done and time spent, in all and below its target.

    end_s is None while it runs. work counts instructions, samples or steps.
    """

    id: JobId
    title: str
    kind: JobKind
    start_s: float
    end_s: float | None
    work: float
    target: float | None
    alive_s: float
    below_s: float

    @property
    def violated(self) -> bool:
        """Mean rate over its life below 98 % of its target."""
        if self.target is None or self.alive_s == 0:
            return False
        return self.work / self.alive_s < QOS_SHARE * self.target


@runtime_checkable
class Backend(Protocol):
    """A board that can be driven: simulated, recorded, virtual or real."""

    board: Board

    @property
    def done(self) -> bool:
        """True when nothing is left to happen: work finished, record at its end, board off."""

    def reset(self, *, seed: int | None = None, scenario: "Scenario | None" = None) -> Reading:
        """Start again and return the first reading. None keeps what was given before."""

    def submit(self, job: Job, unit: str | None = None) -> JobId:
        """Start a job on a unit, or where the backend's own scheduler puts it."""

    def apply(self, knobs: Knobs) -> Applied:
        """Turn knobs. A name or value the board does not have is a KeyError or ValueError."""

    def advance(self, dt_s: float) -> Trace:
        """Let dt_s pass; the trace's last reading is taken at its end."""

    def results(self) -> tuple[JobResult, ...]:
        """The jobs so far, finished ones first."""

    def kpis(self) -> dict[str, float | None]:
        """Key figures since reset; None for what this backend cannot know."""

    def close(self) -> None:
        """Leave the board as it was found. Closing twice is fine."""


@runtime_checkable
class Policy(Protocol):
    """Decides every period_s seconds. A twin is given to oracles only."""

    period_s: float

    def reset(self, board: Board, *, seed: int, twin: "Simulator | None" = None) -> None:
        """Forget the last run; refuse a board this policy cannot drive with a ValueError."""

    def __call__(self, reading: Reading) -> Knobs:
        """The knobs to turn now, given what the sensors say."""


@runtime_checkable
class Briefed(Protocol):
    """A policy that plans ahead: it is told the jobs of the scenario before the run."""

    def brief(self, jobs: Mapping[JobId, Job]) -> None:
        """What will run, by name, after `reset` and before the first reading."""


@final
class FunctionPolicy:
    """A plain function Reading -> Knobs as a policy."""

    def __init__(self, function: Callable[[Reading], Knobs], period_s: float = 0.5) -> None:
        self.function = function
        self.period_s = period_s

    def reset(self, board: Board, *, seed: int, twin: "Simulator | None" = None) -> None:
        """A function has nothing to forget."""

    def __call__(self, reading: Reading) -> Knobs:
        """What the function says."""
        return self.function(reading)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """One run: every reading, the jobs' lives, the key figures."""

    trace: Trace
    jobs: tuple[JobResult, ...]
    kpis: Mapping[str, float | None]


def as_policy(policy: Policy | Callable[[Reading], Knobs]) -> Policy:
    """A policy as it is, a function wrapped as one; ValueError for neither."""
    if not callable(policy):
        raise ValueError(f"{policy!r} is no policy; give a function or make_policy(name).")
    made = policy if isinstance(policy, Policy) else FunctionPolicy(policy)
    if not made.period_s > 0:
        raise ValueError(f"the policy's period_s is {made.period_s}; it must be positive.")
    return made


def run(
    backend: Backend,
    policy: Policy | Callable[[Reading], Knobs],
    *,
    duration_s: float,
    seed: int = 0,
    scenario: "Scenario | None" = None,
    twin: "Simulator | None" = None,
    watch: Callable[[Reading], None] | None = None,
) -> RunResult:
    """Run a policy on a backend until duration_s has passed or the backend is done.

    watch is called with every reading (progress, live views). A policy with `brief` is told the
    jobs of the scenario, where one is given here. ValueError for a duration or a period that is not
    positive, or a policy that returns no Knobs. The backend is not closed.
    """
    if not duration_s > 0:
        raise ValueError(f"duration is {duration_s} s; it must be positive.")
    policy = as_policy(policy)
    reading = backend.reset(seed=seed, scenario=scenario)
    policy.reset(backend.board, seed=seed, twin=twin)
    if scenario is not None and isinstance(policy, Briefed):
        planned = scenario.realise(backend.board, seed=seed).arrivals
        policy.brief({arrival.id: arrival.job for arrival in planned})
    start_s, traces = reading.t_s, [Trace.from_readings([reading])]
    while (left_s := start_s + duration_s - reading.t_s) > 1e-9 and not backend.done:
        knobs = policy(reading)
        if not isinstance(knobs, Knobs):
            raise ValueError(f"the policy returned {knobs!r}; give Knobs, Knobs() for no change.")
        backend.apply(knobs)
        traces.append(backend.advance(min(policy.period_s, left_s)))
        reading = traces[-1].last
        if watch:
            watch(reading)
    jobs = backend.results()
    meta = {"board": backend.board.name, "source": "edgetwin"} | ({WORK: LOOPS} if jobs else {})
    whole = Trace.from_readings(Trace.concat(traces), meta)
    return RunResult(trace=whole, jobs=jobs, kpis=backend.kpis())


def asked_knobs(board: Board, knobs: Knobs, jobs: Collection[str]) -> list[str]:
    """Every knob that is named, by its place in Knobs; jobs are those that run.

    KeyError or ValueError for a name or value that the board does not have.
    """
    asked = []
    for domain, hz in knobs.freq_hz.items():
        board.opp(domain, hz)
        asked.append(f"freq_hz.{domain}")
    for domain, governor in knobs.governor.items():
        offered = board.domain(domain).governors
        if governor not in offered:
            raise ValueError(unknown(f"governor of {domain}", governor, offered))
        asked.append(f"governor.{domain}")
    for name, values in (("placement", knobs.placement), ("batch", knobs.batch)):
        for job in values:
            if job not in jobs:
                raise KeyError(unknown("running job", job, jobs))
            asked.append(f"{name}.{job}")
    for unit in knobs.placement.values():
        board.unit(unit)
    return [*asked, *_asked_fan(board, knobs.fan)]


def _asked_fan(board: Board, level: int | None) -> list[str]:
    fan = board.limits.fan
    if level is None:
        return []
    if fan is None:
        raise ValueError(f"{board.name} has no fan to set.")
    if not -1 <= level < len(fan.pwm):
        raise ValueError(f"fan level {level} is not -1 (automatic) or 0..{len(fan.pwm) - 1}.")
    return ["fan"]
