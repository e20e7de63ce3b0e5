"""Gymnasium environments of boards; importing edgetwin registers them."""

import gymnasium as gym

from edgetwin.tasks import ADDED, TASKS


def register_envs() -> None:
    """Register every task's environment; doing it twice is fine."""
    added = (ADDED.find(name) for name in ADDED.added())  # no entry point is looked for at import
    for task in (*TASKS.values(), *filter(None, added)):
        if task.env_id not in gym.registry:
            gym.register(
                id=task.env_id,
                entry_point=task.entry_point,
                vector_entry_point=task.vector_entry_point,
                max_episode_steps=round(task.duration_s / task.step_s),
            )
