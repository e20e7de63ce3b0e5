"""Policies by name: one table that systems and third parties extend."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from inspect import getdoc
from typing import TYPE_CHECKING, final

import numpy as np

from edgetwin.backend import Policy
from edgetwin.governors import GOVERNORS, RulePolicy
from edgetwin.policy_files import is_place, policy_at
from edgetwin.tasks import TASKS
from hw_models.board import Board, Knobs
from hw_models.board_schema import Governor
from hw_models.naming import unknown
from hw_models.plugins import Registry
from hw_models.trace import Reading

if TYPE_CHECKING:
    from edgetwin.simulator import Simulator

# Systems of the library whose policies are registered by their module `entries`.
SYSTEMS = ("planner", "thermal")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEntry:
    """A named policy: how it is made, what it does in a line, the tasks it is meant for.

    sha256 is that of its source where it is a file of the user's: results belong to that source.
    """

    name: str
    make: Callable[[], Policy]
    title: str
    tasks: tuple[str, ...] = ("thermal", "training")
    sha256: str | None = None

    def suits(self, task: str) -> bool:
        """Is the policy meant for that task? Tasks of third parties take every policy."""
        return task in self.tasks or task not in TASKS


@final
class GovernorPolicy:
    """Hands every clock that has units over to one governor of the board, once."""

    def __init__(self, governor: Governor, period_s: float = 0.5) -> None:
        self.governor = governor
        self.period_s = period_s
        self._first = Knobs()

    def reset(self, board: Board, *, seed: int, twin: "Simulator | None" = None) -> None:
        """ValueError for a board that offers the governor on none of its units' clocks."""
        domains = {u.domain for u in board.unit_list}
        offered = [
            d for d, c in board.clocks.items() if d in domains and self.governor in c.governors
        ]
        if not offered:
            raise ValueError(f"{board.name} offers governor {self.governor!r} on no unit's clock.")
        self._first = Knobs(governor=dict.fromkeys(offered, self.governor))

    def __call__(self, reading: Reading) -> Knobs:
        """The governor at the first call, nothing afterwards."""
        knobs, self._first = self._first, Knobs()
        return knobs


@final
class RandomPlacement:
    """Moves one random application to a random core each period, under the QoS DVFS rule."""

    def __init__(self, period_s: float = 0.5) -> None:
        self.period_s = period_s
        self._dvfs = GovernorPolicy("qos-dvfs", period_s)

    def reset(self, board: Board, *, seed: int, twin: "Simulator | None" = None) -> None:
        """Same seed, same moves."""
        self._dvfs.reset(board, seed=seed)
        kinds = board.performance.cores
        self._cores = [u.name for u in board.unit_list if u.kind in kinds]
        self._rng = np.random.default_rng([seed, 7])

    def __call__(self, reading: Reading) -> Knobs:
        """One move among the jobs that run."""
        knobs = self._dvfs(reading)
        jobs = [name for name, job in reading.jobs.items() if job.unit is not None]
        if not jobs:
            return knobs
        job = jobs[int(self._rng.integers(len(jobs)))]
        core = self._cores[int(self._rng.integers(len(self._cores)))]
        return Knobs(governor=knobs.governor, placement={job: core})


_GOVERNORS: Mapping[Governor, str] = {
    "performance": "every clock at its highest operating point",
    "powersave": "every clock at its lowest operating point",
    "ondemand": "Linux ondemand: the top above 80 % load, else in proportion to the load",
    "schedutil": "Linux schedutil: 1.25 times the clock that the load needs",
    "qos-dvfs": "the lowest clock that keeps every application at its target, 50 ms loop",
}

ADDED: Registry[PolicyEntry] = Registry("edgetwin.policies", "policy")
"""Policies by name: those of edgetwin, of this process, and of installed packages."""


def register_policy(entry: PolicyEntry) -> None:
    """Add a policy to the table; ValueError if the name is taken."""
    ADDED.add(entry.name, entry)


def policy_entries() -> Mapping[str, PolicyEntry]:
    """All policies by name, added governors and those of installed packages included."""
    for system in SYSTEMS:
        import_module(f"edgetwin.systems.{system}.entries")
    found = {name: ADDED.find(name) for name in ADDED.names()}
    table = {name: entry for name, entry in found.items() if entry is not None}
    for name in GOVERNORS.names():
        rule = GOVERNORS.find(name)
        if rule is not None and name not in table:
            title = (getdoc(rule) or "a governor of its own").partition("\n")[0].rstrip(".")
            table[name] = PolicyEntry(name=name, make=partial(RulePolicy, rule), title=title)
    return table


def find_policy(name: str) -> PolicyEntry:
    """The policy of that name, or at a place like `policy.py:make`.

    KeyError with the nearest name otherwise; for places see `edgetwin.policy_files.policy_at`.
    """
    if is_place(name):
        at = policy_at(name)
        return PolicyEntry(
            name=at.name, make=at.make, title=at.title, tasks=tuple(TASKS), sha256=at.sha256
        )
    entries = policy_entries()
    if name not in entries:
        raise KeyError(unknown("policy", name, list(entries)))
    return entries[name]


def make_policy(name: str) -> Policy:
    """A fresh policy by name; KeyError with the nearest name otherwise."""
    return find_policy(name).make()


def _register_own() -> None:
    for governor, title in _GOVERNORS.items():
        make = lambda g=governor: GovernorPolicy(g)  # noqa: E731
        register_policy(PolicyEntry(name=governor, make=make, title=title))
    register_policy(
        PolicyEntry(
            name="random-placement",
            make=RandomPlacement,
            title="one random migration per period, clocks by qos-dvfs",
            tasks=("thermal",),
        )
    )


_register_own()
