"""The tasks of the library: which environment, board and scenario stand for each by default."""

from dataclasses import dataclass
from typing import final

from hw_models.naming import unknown


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task: its environment and what `edgetwin run` does with it by default.

    kpis are the key figures of its table, in order, each with its unit.
    """

    name: str
    title: str
    env_id: str
    entry_point: str
    vector_entry_point: str
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
            entry_point="edgetwin.envs.thermal:ThermalEnv",
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
            entry_point="edgetwin.envs.training:TrainingEnv",
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


def find_task(name: str) -> Task:
    """The task of that name; KeyError with the nearest name otherwise."""
    if name not in TASKS:
        raise KeyError(unknown("task", name, list(TASKS)))
    return TASKS[name]
