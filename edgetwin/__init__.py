"""Digital twins of edge boards: run a policy on a simulated, recorded or real board alike.

Importing this package registers the Gymnasium environments; everything else is loaded when it is
first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgetwin.envs import register_envs

if TYPE_CHECKING:
    from edgetwin.backend import (
        Applied,
        Backend,
        FunctionPolicy,
        JobResult,
        Policy,
        RunResult,
        run,
    )
    from edgetwin.factory import make_backend, register_backend
    from edgetwin.governors import register_governor
    from edgetwin.policies import PolicyEntry, make_policy, register_policy
    from edgetwin.scenario import Scenario, load_scenario, scenario_names
    from edgetwin.sweeps import sweep
    from edgetwin.systems.planner.hook import training_hook
    from edgetwin.tasks import Task, register_task

__version__ = "0.1.0"
__all__ = [
    "Applied",
    "Backend",
    "FunctionPolicy",
    "JobResult",
    "Policy",
    "PolicyEntry",
    "RunResult",
    "Scenario",
    "Task",
    "load_scenario",
    "make_backend",
    "make_policy",
    "register_backend",
    "register_envs",
    "register_governor",
    "register_policy",
    "register_task",
    "run",
    "scenario_names",
    "sweep",
    "training_hook",
]

_HOMES = {
    "edgetwin.backend": (
        "Applied",
        "Backend",
        "FunctionPolicy",
        "JobResult",
        "Policy",
        "RunResult",
        "run",
    ),
    "edgetwin.factory": ("make_backend", "register_backend"),
    "edgetwin.governors": ("register_governor",),
    "edgetwin.policies": ("PolicyEntry", "make_policy", "register_policy"),
    "edgetwin.scenario": ("Scenario", "load_scenario", "scenario_names"),
    "edgetwin.sweeps": ("sweep",),
    "edgetwin.tasks": ("Task", "register_task"),
    "edgetwin.systems.planner.hook": ("training_hook",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'edgetwin' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


register_envs()
