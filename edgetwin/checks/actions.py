"""What every backend promises about knobs, jobs and the end of a run."""

import math
from collections.abc import Iterator

from edgetwin.backend import Applied, Backend, run
from edgetwin.checks.promise import names, refused, require
from edgetwin.replay import RECORDED
from hw_models.board import Knobs
from hw_models.jobs import Job

SETTLING_S = 0.5


def takes_no_knob_for_nothing(backend: Backend) -> None:
    """Knobs that name nothing are accepted and refused nowhere."""
    backend.reset(seed=1)
    applied = backend.apply(Knobs())
    require(applied == Applied(accepted=Knobs()), f"apply(Knobs()) gives {applied}")


def answers_for_every_clock(backend: Backend) -> None:
    """A clock asked for runs in the next readings, or is refused with a reason."""
    for domain, clock in backend.board.clocks.items():
        for hz in (clock.freqs_hz.value[0], clock.freqs_hz.value[-1]):
            backend.reset(seed=1)
            if _taken(backend, Knobs(freq_hz={domain: hz})):
                runs_hz = backend.advance(SETTLING_S).last.freq_hz[domain]
                require(runs_hz == hz, f"{domain} accepted {hz} Hz and runs at {runs_hz} Hz")


def answers_for_every_governor(backend: Backend) -> None:
    """A governor that the domain offers is accepted, or refused with a reason."""
    for domain, clock in backend.board.clocks.items():
        backend.reset(seed=1)
        for governor in clock.governors:
            _taken(backend, Knobs(governor={domain: governor}))
            backend.advance(SETTLING_S)


def answers_for_every_fan_level(backend: Backend) -> None:
    """A fan level runs in the next readings, or is refused; without a fan it is a ValueError."""
    fan = backend.board.limits.fan
    backend.reset(seed=1)
    if fan is None:
        with refused(ValueError, "a fan level on a board without a fan"):
            backend.apply(Knobs(fan=0))
        return
    for level in range(len(fan.pwm)):
        if _taken(backend, Knobs(fan=level)):
            runs = backend.advance(SETTLING_S).last.fan
            require(runs == level, f"the fan accepted level {level} and runs at {runs}")
    with refused(ValueError, "a fan level above the highest"):
        backend.apply(Knobs(fan=len(fan.pwm)))


def refuses_unknown_names(backend: Backend) -> None:
    """A name that the board does not have is a KeyError."""
    backend.reset(seed=1)
    unit = backend.board.unit_list[0].name
    for what, knobs in (
        ("the clock of an unknown domain", Knobs(freq_hz={"nowhere": 1e9})),
        ("the governor of an unknown domain", Knobs(governor={"nowhere": "powersave"})),
        ("the place of an unknown job", Knobs(placement={"nobody": unit})),
        ("the batch of an unknown job", Knobs(batch={"nobody": 8})),
    ):
        with refused(KeyError, what):
            backend.apply(knobs)


def refuses_unknown_values(backend: Backend) -> None:
    """A clock off the table and a governor that is none are ValueErrors."""
    backend.reset(seed=1)
    for domain, clock in backend.board.clocks.items():
        with refused(ValueError, f"a clock of {domain} off its table"):
            backend.apply(Knobs(freq_hz={domain: clock.freqs_hz.value[-1] + 1e6}))
        with refused(ValueError, f"a governor of {domain} that is none"):
            backend.apply(Knobs(governor={domain: "no-such-governor"}))  # type: ignore[dict-item]


def refuses_all_or_nothing_as_recorded(backend: Backend) -> None:
    """A recording refuses every knob with the reason "recorded", and takes no job."""
    backend.reset(seed=1)
    every = {domain: clock.freqs_hz.value[0] for domain, clock in backend.board.clocks.items()}
    reasons = backend.apply(Knobs(freq_hz=every)).refused
    recorded = [place for place, reason in reasons.items() if reason == RECORDED]
    missing = [f"freq_hz.{domain}" for domain in every if f"freq_hz.{domain}" not in recorded]
    require(not recorded or not missing, f"recorded, but {names(missing)} refused otherwise")


def takes_jobs(backend: Backend, job: Job) -> None:
    """A job gets an id of its own, runs where it was put and counts among the results."""
    backend.reset(seed=1)
    ids = [backend.submit(job), backend.submit(job)]
    units = list(_able(backend, job))
    require(bool(units), "no unit takes the job")
    ids += [ident for _, ident in units]
    require(len(set(ids)) == len(ids), f"two jobs share an id: {names(ids)}")
    seen = backend.advance(SETTLING_S).last.jobs
    for unit, ident in units:
        require(ident in seen, f"job {ident} is in no reading; there are {names(seen)}")
        at = seen[ident].unit
        require(at == unit, f"job {ident} was put on {unit} and runs on {at}")
    listed = [result.id for result in backend.results()]
    lost = [ident for ident in ids if ident not in listed]
    require(not lost, f"results() lacks {names(lost)}")
    with refused(KeyError, "a job for an unknown unit"):
        backend.submit(job, "nowhere")


def moves_jobs(backend: Backend, job: Job) -> None:
    """A job that is moved runs on the new unit in the next readings, or the move is refused."""
    backend.reset(seed=1)
    units = [unit for unit, _ in _able(backend, job)]
    backend.reset(seed=1)
    ident = backend.submit(job, units[0])
    for unit in units[1:]:
        if _taken(backend, Knobs(placement={ident: unit})):
            at = backend.advance(SETTLING_S).last.jobs[ident].unit
            require(at == unit, f"moved to {unit}, runs on {at}")


def takes_no_job(backend: Backend, job: Job) -> None:
    """A backend that takes no jobs says so with a ValueError."""
    backend.reset(seed=1)
    with refused(ValueError, "a job"):
        backend.submit(job)


def counts_its_figures(backend: Backend) -> None:
    """Key figures and results are there at any time; figures are finite numbers or None."""
    backend.reset(seed=1)
    for dt_s in (0.0, 1.0):
        backend.advance(dt_s)
        backend.results()
        for name, value in backend.kpis().items():
            require(value is None or math.isfinite(value), f"{name} is {value}")
    lasted_s = backend.kpis().get("duration_s")
    fits = lasted_s is not None and abs(lasted_s - 1.0) < 1e-9
    require(fits, f"duration_s is {lasted_s} after 1 s")


def runs_a_policy(backend: Backend) -> None:
    """A policy runs on it to the end of the time asked for, or until it is done."""
    result = run(backend, lambda reading: Knobs(), duration_s=2.0, seed=1)
    last_s = result.trace.last.t_s
    require(backend.done or abs(last_s - 2.0) < 1e-9, f"the run ended at {last_s} s of 2 s")


def closes_twice(backend: Backend) -> None:
    """Closing twice is fine."""
    backend.reset(seed=1)
    backend.close()
    backend.close()


def _taken(backend: Backend, knobs: Knobs) -> bool:
    """True when all that is named was accepted; what was refused has a reason."""
    applied = backend.apply(knobs)
    asked, taken = _places(knobs), _places(applied.accepted)
    for place in asked:
        reason = applied.refused.get(place, "")
        require(
            (place in taken) != bool(reason), f"{place} is neither accepted nor refused, or both"
        )
    extra = ({*taken} | {*applied.refused}) - {*asked}
    require(not extra, f"answers for {names(sorted(extra))}, which was not asked")
    return not applied.refused


def _places(knobs: Knobs) -> list[str]:
    """Every knob that is named, by its place in Knobs."""
    groups = ("freq_hz", "governor", "placement", "batch")
    named = [f"{group}.{key}" for group in groups for key in getattr(knobs, group)]
    return named + ([] if knobs.fan is None else ["fan"])


def _able(backend: Backend, job: Job) -> Iterator[tuple[str, str]]:
    """Put the job on every unit that takes it: the unit and the job's id."""
    for unit in backend.board.unit_list:
        try:
            ident = backend.submit(job, unit.name)
        except ValueError:
            continue
        yield unit.name, ident
