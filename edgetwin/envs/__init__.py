"""Gymnasium environments of boards; importing edgetwin registers them."""

import gymnasium as gym

from edgetwin.tasks import ROUND_TASKS, TASKS


def register_envs() -> None:
    """Register every task's environment; doing it twice is fine."""
    for task in (*TASKS.values(), *ROUND_TASKS.values()):
        if task.env_id not in gym.registry:
            gym.register(
                id=task.env_id,
                entry_point=task.entry_point,
                vector_entry_point=task.vector_entry_point,
                max_episode_steps=round(task.duration_s / task.step_s),
            )
