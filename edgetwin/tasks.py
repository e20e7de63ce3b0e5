"""The tasks of the library: which environment, board and scenario stand for each by default."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from hw_models.naming import unknown
from hw_models.plugins import Registry


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task: its environment and what `edgetwin run` does with it by default.

    kpis are the key figures of its table, in order, each with its unit; entry points are what
    `gymnasium.register` takes.
    """

    name: str
    title: str
    env_id: str
    entry_point: str | Callable[..., Any]
    vector_entry_point: str | None = None
    board: str
    scenario: str
    step_s: float
    duration_s: float
    policies: tuple[str, ...]
    kpis: dict[str, str]


TASKS = {
    task.name: task
    for task in (
        Task(
            name="thermal",
            title="Place and migrate applications with QoS targets; keep the SoC cool",
            env_id="edgetwin/Thermal-v0",
            entry_point="edgetwin.envs.doors:thermal",
            vector_entry_point="edgetwin.envs.vector_thermal:ThermalVectorEnv",
            board="hikey970",
            scenario="mixed-20",
            step_s=0.5,
            duration_s=3600.0,
            policies=("powersave", "ondemand", "qos-dvfs"),
            kpis={
                "mean_temp_c": "degC",
                "peak_temp_c": "degC",
                "violation_time_share": "",
                "violated_jobs_share": "",
                "energy_j": "J",
                "migrations": "",
                "completed": "",
                "instructions_done": "",
            },
        ),
        Task(
            name="training",
            title="Choose GPU clock and batch size of a training job under a power cap",
            env_id="edgetwin/Training-v0",
            entry_point="edgetwin.envs.doors:training",
            vector_entry_point="edgetwin.envs.vector_training:TrainingVectorEnv",
            board="jetson-tx2",
            scenario="train-cap",
            step_s=5.0,
            duration_s=7200.0,
            policies=("performance", "powersave", "schedutil"),
            kpis={
                "time_to_target_s": "s",
                "samples_done": "",
                "energy_j": "J",
                "peak_power_w": "W",
                "cap_violation_time_share": "",
                "max_overshoot_share": "",
                "peak_temp_c": "degC",
            },
        ),
    )
}

ROUND_TASKS = {
    "federated": Task(
        name="federated",
        title="Choose clients, perturbations, split, local steps and clocks of federated rounds",
        env_id="edgetwin/Federated-v0",
        entry_point="edgetwin.systems.federated.env:FederatedEnv",
        vector_entry_point="edgetwin.systems.federated.env:FederatedVectorEnv",
        board="mixed fleet",
        scenario="clusters",
        step_s=0.6,
        duration_s=120.0,
        policies=(),
        kpis={"loss": "", "loss_decrease": "", "energy_j": "J", "duration_s": "s", "rounds": ""},
    )
}
"""Tasks that decide once a round over many boards; `edgetwin federate` runs them, not `run`."""


ADDED: Registry[Task] = Registry("edgetwin.tasks", "task")
"""Tasks of third parties."""


def register_task(task: Task) -> None:
    """Add a task; `edgetwin.register_envs()` then registers its environment.

    ValueError where the name is taken.
    """
    if task.name in TASKS:
        raise ValueError(f"a task named {task.name!r} exists; choose another name.")
    ADDED.add(task.name, task)


def task_names() -> tuple[str, ...]:
    """Names of all tasks: those of edgetwin, then those that others have added."""
    return (*TASKS, *ADDED.names())


def find_task(name: str) -> Task:
    """The task of that name; KeyError with the nearest name otherwise."""
    found = TASKS.get(name) or ADDED.find(name)
    if found is None:
        raise KeyError(unknown("task", name, task_names()))
    return found
