"""A version of an environment is a promise: same seed and actions, same rollout, ever after.

A change of dynamics, reward or observation bumps the version and gets a new hash here. Numbers
are rounded to five digits so that the order of a processor's additions does not matter.
"""

import hashlib

import gymnasium as gym
import numpy as np
import pytest

import edgetwin

GOLDEN = {
    "edgetwin/Thermal-v0": "71804b6d26d37ce2",
    "edgetwin/Training-v0": "398e1d665e10342b",
}

FEDERATED = ("5ba5de1d93f56413", 39)
FEDERATED_LOSS = 0.7081033  # of that at the start


def rollout_hash(env_id: str) -> str:
    env = gym.make(env_id)
    env.action_space.seed(11)
    obs, _ = env.reset(seed=11)
    digest = hashlib.sha256()
    for _ in range(60):
        digest.update(" ".join(f"{x:.4e}" for x in np.asarray(obs, np.float64)).encode())
        obs, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        digest.update(f"{reward:.4e} {terminated} {truncated}".encode())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize("env_id", GOLDEN)
def test_rollout_is_that_of_its_version(env_id: str) -> None:
    assert edgetwin.__version__
    assert rollout_hash(env_id) == GOLDEN[env_id]


def test_rollout_of_federations_is_that_of_its_version() -> None:
    """What boards and links do is hashed; losses depend on the processor's order of additions."""
    pytest.importorskip("torch", reason="needs the extra `learn`")
    env = gym.make("edgetwin/Federated-v0")
    env.action_space.seed(11)
    obs, _ = env.reset(seed=11)
    digest, over = hashlib.sha256(), False
    while not over:
        digest.update(" ".join(f"{x:.4e}" for x in np.asarray(obs[1:], np.float64)).encode())
        obs, _, terminated, truncated, info = env.step(env.action_space.sample())
        digest.update(f"{terminated} {truncated} {info['arrived']}".encode())
        over = terminated or truncated
    assert (digest.hexdigest()[:16], info["round"]) == FEDERATED
    assert obs[0] == pytest.approx(FEDERATED_LOSS, rel=1e-3)
