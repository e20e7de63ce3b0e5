"""The list of what a backend promises, and the function that goes through it."""

from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Final

from edgetwin.backend import Backend
from edgetwin.checks import actions, readings
from edgetwin.checks.promise import ConformanceError, keep, require
from hw_models.jobs import Application, Job

Make = Callable[[], Backend]

BACKEND_CHECKS: Final = (
    readings.starts_at_zero,
    readings.repeats_with_its_seed,
    readings.moves_the_clock_exactly,
    readings.stands_still_at_zero,
    readings.refuses_bad_times,
    readings.times_increase,
    readings.uses_the_names_of_the_board,
    readings.has_no_power_without_a_sensor,
    readings.says_numbers_or_none,
    readings.runs_on_its_table,
    readings.is_busy_by_shares,
    readings.never_loses_energy,
    readings.keeps_old_readings,
    actions.takes_no_knob_for_nothing,
    actions.answers_for_every_clock,
    actions.answers_for_every_governor,
    actions.answers_for_every_fan_level,
    actions.refuses_unknown_names,
    actions.refuses_unknown_values,
    actions.refuses_all_or_nothing_as_recorded,
    actions.counts_its_figures,
    actions.runs_a_policy,
    actions.closes_twice,
)
JOB_CHECKS: Final = (actions.takes_jobs, actions.moves_jobs)


def check_backend(make: Make, *, can_submit: bool = True, job: Job | None = None) -> None:
    """Go through what a backend promises, each check on a new one; stop at the first that fails.

    make returns a backend on a board at rest; each one is closed afterwards. can_submit is False
    for one that takes no jobs, such as a recording; job is what is submitted otherwise, by default
    an endless program that is shipped. ConformanceError, in one line, for a broken promise.
    """
    work = job or _program()
    for check in BACKEND_CHECKS:
        _check(make, check)
    for job_check in JOB_CHECKS if can_submit else (actions.takes_no_job,):
        _check(make, job_check, work)


def _check(make: Make, check: Callable[..., None], *arguments: Job) -> None:
    backend = make()
    what = type(backend).__name__
    try:
        keep(what, _is_backend, backend)
        keep(what, check, backend, *arguments)
    except ConformanceError:
        with suppress(Exception):  # the first broken promise is the one to tell
            backend.close()
        raise
    keep(what, _closes, backend)


def _is_backend(backend: Backend) -> None:
    """It has every method of the protocol."""
    require(isinstance(backend, Backend), "a method or attribute of Backend is missing")


def _closes(backend: Backend) -> None:
    """It can be closed."""
    backend.close()


def _program() -> Application:
    from hw_models.workloads import application_names, load_application

    return Application(profile=load_application(application_names()[0]), instructions=inf)
