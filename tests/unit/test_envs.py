"""What each task sees, decides and is rewarded for."""

import gymnasium as gym
import numpy as np
import pytest

import edgetwin  # noqa: F401  registers the environments
from hw_models.board import load_board


def loaded_thermal(**kwargs: object) -> gym.Env:  # type: ignore[type-arg]
    env = gym.make("edgetwin/Thermal-v0", scenario="mixed-20-fast", **kwargs).unwrapped
    env.reset(seed=5)
    for _ in range(20):
        env.step(env.action_space.sample() if kwargs else 0)
    return env


def place_in(obs: np.ndarray, slot: int, n_cores: int = 8) -> int | None:  # type: ignore[type-arg]
    start = 1 + 2 + n_cores + slot * (3 + n_cores) + 3
    cores = np.flatnonzero(obs[start : start + n_cores])
    return int(cores[0]) if len(cores) else None


def test_a_migration_puts_the_application_where_the_action_says() -> None:
    env = loaded_thermal()
    for core in (0, 6, 3):
        obs = env.step(1 + 0 * 8 + core)[0]
        assert place_in(obs, 0) == core


def test_an_action_on_an_empty_slot_does_nothing() -> None:
    env = gym.make("edgetwin/Thermal-v0").unwrapped
    env.reset(seed=5)
    before = env.kpis()["migrations"]
    obs = env.step(1 + 7 * 8 + 2)[0]
    assert place_in(obs, 7) is None
    assert env.kpis()["migrations"] == before


def test_the_agent_sets_both_clocks() -> None:
    env = gym.make("edgetwin/Thermal-v0", clocks="agent").unwrapped
    env.reset(seed=0)
    board = load_board("hikey970")
    for little, big in ((6, 0), (0, 8), (3, 4)):
        env.step(np.array([0, little, big]))
        freq_hz = env.step(np.array([0, little, big]))[4]["freq_hz"]
        assert freq_hz["little"] == board.clocks["little"].freqs_hz.value[little]
        assert freq_hz["big"] == board.clocks["big"].freqs_hz.value[big]


@pytest.mark.parametrize("action", [-1, 65, 1000])
def test_an_action_out_of_the_space_is_an_error(action: int) -> None:
    env = gym.make("edgetwin/Thermal-v0").unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match="is not in Discrete"):
        env.step(action)


def test_thermal_terminates_when_all_applications_are_done() -> None:
    env = gym.make("edgetwin/Thermal-v0", scenario="single-app").unwrapped
    env.reset(seed=0)
    for _ in range(2000):
        _, _, terminated, truncated, _ = env.step(0)
        if terminated or truncated:
            break
    assert terminated and not truncated
    assert env.kpis()["completed"] == 1


def test_a_board_without_quality_problems_is_rewarded_more() -> None:
    rewards = {}
    for clock in (0, 6):
        env = gym.make("edgetwin/Thermal-v0", clocks="agent", scenario="mixed-20").unwrapped
        env.reset(seed=1)
        rewards[clock] = sum(
            env.step(np.array([0, clock, clock]))[4]["reward_qos"] for _ in range(40)
        )
    assert rewards[6] > rewards[0]


def test_more_clock_draws_more_and_trains_faster() -> None:
    seen = {}
    for level in (2, 10):
        env = gym.make("edgetwin/Training-v0").unwrapped
        env.reset(seed=0)
        for _ in range(5):
            obs = env.step(np.array([level, 3]))[0]
        seen[level] = obs
    assert seen[10][1] > seen[2][1] + 0.5
    assert seen[10][6] > 1.5 * seen[2][6]
    assert seen[10][5] > seen[2][5]


def test_changing_the_batch_keeps_the_progress() -> None:
    env = gym.make("edgetwin/Training-v0").unwrapped
    env.reset(seed=0)
    for _ in range(20):
        before = env.step(np.array([8, 4]))[0][5]
    after = env.step(np.array([8, 2]))[0]
    assert before < after[5] < before + 0.02
    assert after[4] == pytest.approx(2 / 6)


def test_the_cap_is_charged_for_the_share_of_time_above_it() -> None:
    env = gym.make("edgetwin/Training-v0").unwrapped
    env.reset(seed=0, options={"cap": 3.0})
    info = env.step(np.array([12, 6]))[4]
    assert info["reward_cap"] == -info["cap_violation"] < -0.9
    env.reset(seed=0, options={"cap": 60.0})
    assert env.step(np.array([12, 6]))[4]["reward_cap"] == 0


def test_training_terminates_at_the_target() -> None:
    env = gym.make("edgetwin/Training-v0", step_s=120.0).unwrapped
    env.reset(seed=0, options={"cap": 60.0})
    for _ in range(200):
        obs, _, terminated, truncated, _ = env.step(np.array([12, 2]))
        if terminated or truncated:
            break
    assert terminated and obs[5] == 1.0
    assert env.kpis()["time_to_target_s"] is not None


def test_a_board_without_power_sensor_shows_no_power() -> None:
    env = gym.make("edgetwin/Thermal-v0").unwrapped
    _, info = env.reset(seed=0)
    assert info["power_w"] is None and info["energy_j"] is None


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"board": "hikey97"}, "Did you mean 'hikey970'"),
        ({"scenario": "mixd-20"}, "Did you mean 'mixed-20'"),
        ({"step_s": 0.0}, "positive number of seconds"),
        ({"slots": 99}, "give 1 to 24"),
        ({"clocks": "mine"}, "'governor' or 'agent'"),
        ({"backend": "simm"}, "Did you mean 'sim'"),
        ({"render_mode": "human"}, "no render mode"),
    ],
)
def test_bad_arguments_are_named(kwargs: dict[str, object], message: str) -> None:
    from edgetwin.envs.thermal import ThermalEnv

    with pytest.raises((KeyError, ValueError), match=message):
        ThermalEnv(**kwargs)  # type: ignore[arg-type]
