"""What a board is: clocks, power, heat, speed, sensors, and the work that runs on it.

Each public name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hw_models.board import Board, Knobs, board_names, load_board, register_board
    from hw_models.jobs import Application, ForwardJob, Job, TrainingJob
    from hw_models.trace import JobReading, Reading, Trace, read_trace
    from hw_models.workloads import (
        application_names,
        load_application,
        load_network,
        network_names,
        register_workload,
    )

__all__ = [
    "Application",
    "Board",
    "ForwardJob",
    "Job",
    "JobReading",
    "Knobs",
    "Reading",
    "Trace",
    "TrainingJob",
    "application_names",
    "board_names",
    "load_application",
    "load_board",
    "load_network",
    "network_names",
    "read_trace",
    "register_board",
    "register_workload",
]

_HOMES = {
    "hw_models.board": ("Board", "Knobs", "board_names", "load_board", "register_board"),
    "hw_models.jobs": ("Application", "ForwardJob", "Job", "TrainingJob"),
    "hw_models.trace": ("JobReading", "Reading", "Trace", "read_trace"),
    "hw_models.workloads": (
        "application_names",
        "load_application",
        "load_network",
        "network_names",
        "register_workload",
    ),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'hw_models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
