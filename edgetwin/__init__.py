"""Digital twins of edge boards: run a policy on a simulated, recorded or real board alike."""

from edgetwin.backend import (
    Applied,
    Backend,
    FunctionPolicy,
    JobResult,
    Policy,
    RunResult,
    run,
)
from edgetwin.envs import register_envs
from edgetwin.factory import make_backend
from edgetwin.policies import PolicyEntry, make_policy, register_policy
from edgetwin.scenario import Scenario, load_scenario, scenario_names

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
    "load_scenario",
    "make_backend",
    "make_policy",
    "register_envs",
    "register_policy",
    "run",
    "scenario_names",
]

register_envs()
