"""Programs and networks of the user's own, by name wherever a workload's name is taken."""

from typing import Any, TypeVar

from hw_models.jobs import ApplicationProfile, NetworkProfile
from hw_models.plugins import Registry

Profile = TypeVar("Profile", ApplicationProfile, NetworkProfile)
WORKLOADS: Registry[Any] = Registry("edgetwin.workloads", "workload")
"""Workloads of third parties: a profile, or a function that returns one."""


def register_workload(profile: ApplicationProfile | NetworkProfile) -> None:
    """Add a program or a network under its own name; ValueError where the name is taken."""
    WORKLOADS.add(profile.name, profile)


def added_workload(name: str, kind: type[Profile]) -> Profile | None:
    """The added workload of a name and kind; None where there is none."""
    found = WORKLOADS.find(name)
    made = found() if callable(found) else found
    return made if isinstance(made, kind) else None
