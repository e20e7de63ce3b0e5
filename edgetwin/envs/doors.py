"""Where an environment is made: the same task on the twin, or on a board on the desk."""

from typing import Any

import gymnasium as gym


def thermal(*, backend: str = "sim", **given: Any) -> gym.Env[Any, Any]:
    """edgetwin/Thermal-v0; on hardware with target= and root= as in `make_backend`."""
    if backend == "hardware":
        from edgetwin.envs.device_thermal import DeviceThermalEnv

        return DeviceThermalEnv(**given)
    from edgetwin.envs.thermal import ThermalEnv

    return ThermalEnv(backend=backend, **given)


def training(*, backend: str = "sim", **given: Any) -> gym.Env[Any, Any]:
    """edgetwin/Training-v0; on hardware with target= and root= as in `make_backend`."""
    if backend == "hardware":
        from edgetwin.envs.device_training import DeviceTrainingEnv

        return DeviceTrainingEnv(**given)
    from edgetwin.envs.training import TrainingEnv

    return TrainingEnv(backend=backend, **given)
