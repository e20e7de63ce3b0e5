"""The environments as stable-baselines3 takes them: its checker, and a short PPO run."""

import importlib
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import edgetwin

sb3: Any = pytest.importorskip(
    "stable_baselines3", reason="stable-baselines3 is not installed (extra `rl`)"
)
IDS = ("edgetwin/Thermal-v0", "edgetwin/Training-v0")
STEPS = 2048


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks learn faster on one thread."""
    torch: Any = importlib.import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=IDS)
def env(request: pytest.FixtureRequest) -> Iterator[Any]:
    gym.register_envs(edgetwin)
    made = gym.make(request.param)
    yield made
    made.close()


def test_the_checker_of_stable_baselines3_has_nothing_to_say(env: Any) -> None:
    checker: Any = importlib.import_module("stable_baselines3.common.env_checker")
    checker.check_env(env.unwrapped, warn=True)  # a warning is an error here


@pytest.mark.slow
def test_a_short_ppo_run_moves_the_policy_on_finite_and_varied_rewards(env: Any) -> None:
    agent = _agent(env)
    before = [weights.clone() for weights in agent.policy.parameters()]
    agent.learn(STEPS)
    assert agent.num_timesteps == STEPS
    moved = zip(agent.policy.parameters(), before, strict=True)
    assert any(not weights.equal(old) for weights, old in moved)
    observation, _ = env.reset(seed=1)
    action, _ = agent.predict(observation, deterministic=True)
    assert env.action_space.contains(action if action.shape else np.int64(action))
    assert agent.rollout_buffer.rewards.std() > 0.0
    assert np.isfinite(agent.rollout_buffer.rewards).all()


def _agent(env: Any) -> Any:
    return sb3.PPO("MlpPolicy", env, n_steps=256, batch_size=64, seed=0, device="cpu")
