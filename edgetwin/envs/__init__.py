"""Gymnasium environments of boards; importing edgetwin registers them."""

import gymnasium as gym

from edgetwin.tasks import ADDED, ROUND_TASKS, TASKS


def register_envs() -> None:
    """Register every task's environment; doing it twice is fine."""
    added = (ADDED.find(name) for name in ADDED.added())  # no entry point is looked for at import
    for task in (*TASKS.values(), *ROUND_TASKS.values(), *filter(None, added)):
        if task.env_id not in gym.registry:
            gym.register(
                id=task.env_id,
                entry_point=task.entry_point,
                vector_entry_point=task.vector_entry_point,
                max_episode_steps=round(task.duration_s / task.step_s),
            )
        if task.name in TASKS and hardware_id(task.env_id) not in gym.registry:
            gym.register(
                id=hardware_id(task.env_id),
                entry_point=task.entry_point,
                kwargs={"backend": "hardware"},
                max_episode_steps=round(task.duration_s / task.step_s),
                nondeterministic=True,
            )


def hardware_id(env_id: str) -> str:
    """The id of a task on hardware, where the same seed does not give the same run.

    >>> hardware_id("edgetwin/Thermal-v0")
    'edgetwin/Thermal-hw-v0'
    """
    name, _, version = env_id.rpartition("-")
    return f"{name}-hw-{version}"
