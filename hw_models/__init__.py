"""What a board is: clocks, power, heat, speed, sensors, and the work that runs on it."""

from hw_models.board import Board, Knobs, board_names, load_board
from hw_models.jobs import Application, ForwardJob, Job, TrainingJob
from hw_models.trace import JobReading, Reading, Trace, read_trace
from hw_models.workloads import (
    application_names,
    load_application,
    load_network,
    network_names,
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
]
