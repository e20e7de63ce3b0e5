"""Networks whose profiles ship with the package, so that using them needs no torch."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

from hw_models.jobs import NetworkProfile
from hw_models.naming import unknown
from hw_models.workloads.added import added_workload


def network_names() -> tuple[str, ...]:
    """Names of the networks in networks.toml."""
    return tuple(_table())


@cache
def load_network(name: str) -> NetworkProfile:
    """The profile of a network; KeyError, with the nearest name, for an unknown one."""
    if name not in _table():
        added = added_workload(name, NetworkProfile)
        if added is not None:
            return added
        raise KeyError(unknown("network", name, list(network_names())))
    return NetworkProfile(name=name, **_table()[name])


@cache
def _table() -> dict[str, dict[str, Any]]:
    """Tables of networks.toml by network; their keys are the fields of NetworkProfile."""
    file = resources.files("hw_models.workloads") / "networks.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))
