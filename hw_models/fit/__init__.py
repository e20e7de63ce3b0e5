"""How a trace becomes numbers: estimates with error bars, and what the data cannot tell.

Each public name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hw_models.fit.cluster_power import fit_cluster_power, predict_cluster_power
    from hw_models.fit.designs import space_filling
    from hw_models.fit.excitation import plan_excitation
    from hw_models.fit.grid import GridFit, GridPrediction, fit_grid
    from hw_models.fit.latency import Predicted, board_performance, fit_latency, predict_latency
    from hw_models.fit.meter import Meter, read_meter
    from hw_models.fit.networks import coarser, lumped
    from hw_models.fit.plan import ExcitationPlan, Segment
    from hw_models.fit.result import Candidate, Finding, FitResult, Parameter, Regime
    from hw_models.fit.runs import Run, check_run, read_runs
    from hw_models.fit.sources import grid_task, latency_tasks, step_tasks
    from hw_models.fit.steps import StepPrediction, fit_steps, predict_steps, step_form
    from hw_models.fit.tasks import Transfer, learning_curve, transfer
    from hw_models.fit.traces import fit_joint, fit_power, fit_thermal

_HOMES = {
    "hw_models.fit.cluster_power": (
        "fit_cluster_power",
        "predict_cluster_power",
    ),
    "hw_models.fit.designs": ("space_filling",),
    "hw_models.fit.excitation": ("plan_excitation",),
    "hw_models.fit.grid": (
        "GridFit",
        "GridPrediction",
        "fit_grid",
    ),
    "hw_models.fit.latency": (
        "Predicted",
        "board_performance",
        "fit_latency",
        "predict_latency",
    ),
    "hw_models.fit.meter": ("Meter", "read_meter"),
    "hw_models.fit.networks": ("coarser", "lumped"),
    "hw_models.fit.plan": ("ExcitationPlan", "Segment"),
    "hw_models.fit.result": ("Candidate", "Finding", "FitResult", "Parameter", "Regime"),
    "hw_models.fit.runs": ("Run", "check_run", "read_runs"),
    "hw_models.fit.sources": (
        "grid_task",
        "latency_tasks",
        "step_tasks",
    ),
    "hw_models.fit.steps": (
        "StepPrediction",
        "fit_steps",
        "predict_steps",
        "step_form",
    ),
    "hw_models.fit.tasks": (
        "Transfer",
        "learning_curve",
        "transfer",
    ),
    "hw_models.fit.traces": ("fit_joint", "fit_power", "fit_thermal"),
}

__all__ = [
    "Candidate",
    "ExcitationPlan",
    "Finding",
    "FitResult",
    "GridFit",
    "GridPrediction",
    "Meter",
    "Parameter",
    "Predicted",
    "Regime",
    "Run",
    "Segment",
    "StepPrediction",
    "Transfer",
    "board_performance",
    "check_run",
    "coarser",
    "fit_cluster_power",
    "fit_grid",
    "fit_joint",
    "fit_latency",
    "fit_power",
    "fit_steps",
    "fit_thermal",
    "grid_task",
    "latency_tasks",
    "learning_curve",
    "lumped",
    "plan_excitation",
    "predict_cluster_power",
    "predict_latency",
    "predict_steps",
    "read_meter",
    "read_runs",
    "space_filling",
    "step_form",
    "step_tasks",
    "transfer",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'hw_models.fit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
