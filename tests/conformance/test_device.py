"""A device keeps a backend's promises: virtual boards over real FUSE, here and over real ssh."""

from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import edgetwin
from edgetwin.checks import check_backend
from edgetwin.factory import make_backend
from edgetwin.reproduce.hardware.bench import Served, Sshd, served, sshd, why_no_ssh, why_not

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(bool(why_not()), reason=f"no virtual board here: {why_not()}"),
]
SPEED = 20.0


@pytest.fixture(scope="module")
def nano() -> Iterator[Served]:
    with served("jetson-nano", speed=SPEED) as board:
        yield board


@pytest.fixture(scope="module")
def hikey() -> Iterator[Served]:
    with served("hikey970", speed=SPEED) as board:
        yield board


@pytest.fixture(scope="module")
def door() -> Iterator[Sshd]:
    if why_no_ssh():
        pytest.skip(f"no sshd here: {why_no_ssh()}")
    with sshd() as one:
        yield one


def test_a_local_device_keeps_its_promises(nano: Served, tmp_path: Path) -> None:
    state = str(tmp_path)
    check_backend(
        lambda: make_backend("hardware", board="jetson-nano", root=str(nano.root), state=state)
    )


def test_a_device_without_a_power_sensor_keeps_its_promises(hikey: Served, tmp_path: Path) -> None:
    state = str(tmp_path)
    check_backend(
        lambda: make_backend("hardware", board="hikey970", root=str(hikey.root), state=state)
    )


def test_a_device_over_ssh_keeps_its_promises(nano: Served, door: Sshd, tmp_path: Path) -> None:
    state = str(tmp_path)
    check_backend(
        lambda: make_backend(
            "hardware", board="jetson-nano", target=door.target, root=str(nano.root), state=state
        )
    )


def test_the_board_is_as_it_was_found_after_all_that(nano: Served) -> None:
    assert nano.text("/edgetwin/fan") == "automatic\n"
    limits = {path: text for path, text in nano.knobs().items() if path.endswith("_freq")}
    assert limits["/sys/devices/gpu.0/devfreq/57000000.gpu/min_freq"] == "76800000"
    assert limits["/sys/devices/gpu.0/devfreq/57000000.gpu/max_freq"] == "921600000"
    assert nano.text("/edgetwin/work") == "[]\n"


@pytest.mark.parametrize(
    ("env_id", "board"),
    [("edgetwin/Thermal-hw-v0", "hikey970"), ("edgetwin/Training-hw-v0", "jetson-nano")],
)
def test_an_environment_runs_on_a_device(
    env_id: str, board: str, nano: Served, hikey: Served, tmp_path: Path
) -> None:
    root = {"hikey970": hikey, "jetson-nano": nano}[board].root
    env = gym.make(
        env_id,
        board=board,
        root=str(root),
        device={"state": str(tmp_path)},
        disable_env_checker=True,
    )
    try:
        observation, info = env.reset(seed=3)
        assert env.observation_space.contains(observation)
        env.action_space.seed(1)
        for _ in range(4):
            observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
            assert env.observation_space.contains(observation)
            assert np.isfinite(reward)
            assert (terminated, truncated) == (False, False)
        twin = gym.make(env_id.replace("-hw", ""), board=board)
        assert set(twin.reset(seed=3)[1]) < set(info)
        assert (info["backend"], info["tripped"], info["faults"]) == ("hardware", "", {})
        with pytest.raises(ValueError, match="is not in"):
            env.unwrapped.step("nonsense")
    finally:
        env.close()


def test_the_ids_on_hardware_say_that_no_run_repeats() -> None:
    edgetwin.register_envs()
    for env_id in ("edgetwin/Thermal-hw-v0", "edgetwin/Training-hw-v0"):
        assert gym.spec(env_id).nondeterministic
