"""Batch size and clock under a power cap: reach the target accuracy soonest (arXiv 2502.18323).

Each public name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgetwin.systems.planner.choice import Cell, Plan, Planner
    from edgetwin.systems.planner.design import fixed_design
    from edgetwin.systems.planner.efficiency import (
        Efficiency,
        Runs,
        read_runs,
        runs_of,
        table_efficiency,
    )
    from edgetwin.systems.planner.profiler import GridMeter, Hold, Profile, profile, usable
    from edgetwin.systems.planner.replayed import Replayed, read_replayed, replayed
    from edgetwin.systems.planner.space import Space, product_space
    from edgetwin.systems.planner.surface import Belief, Point, Surface, known_belief

_HOMES = {
    "choice": ("Cell", "Plan", "Planner"),
    "design": ("fixed_design",),
    "efficiency": ("Efficiency", "Runs", "read_runs", "runs_of", "table_efficiency"),
    "profiler": ("GridMeter", "Hold", "Profile", "profile", "usable"),
    "replayed": ("Replayed", "read_replayed", "replayed"),
    "space": ("Space", "product_space"),
    "surface": ("Belief", "Point", "Surface", "known_belief"),
}

__all__ = [
    "Belief",
    "Cell",
    "Efficiency",
    "GridMeter",
    "Hold",
    "Plan",
    "Planner",
    "Point",
    "Profile",
    "Replayed",
    "Runs",
    "Space",
    "Surface",
    "fixed_design",
    "known_belief",
    "product_space",
    "profile",
    "read_replayed",
    "read_runs",
    "replayed",
    "runs_of",
    "table_efficiency",
    "usable",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
