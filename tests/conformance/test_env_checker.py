"""Every registered environment keeps Gymnasium's contract, and ours beyond it."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

import edgetwin
from edgetwin.tasks import TASKS

IDS = [task.env_id for task in TASKS.values()]
COMMON_INFO = {
    "t_s", "temps_c", "power_w", "energy_j", "freq_hz", "fan", "throttled", "cap_w",
    "cap_violation", "qos_violation", "backend", "calibration",
}  # fmt: skip


def rollout(env_id: str, seed: int, steps: int = 40) -> list[object]:
    env = gym.make(env_id)
    env.action_space.seed(seed)
    first = env.reset(seed=seed)
    return [first, *(env.step(env.action_space.sample()) for _ in range(steps))]


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_accepts_the_environment(env_id: str) -> None:
    check_env(gym.make(env_id).unwrapped)


@pytest.mark.parametrize("env_id", IDS)
def test_same_seed_and_actions_give_the_same_rollout(env_id: str) -> None:
    assert data_equivalence(rollout(env_id, 3), rollout(env_id, 3), exact=True)
    assert not data_equivalence(rollout(env_id, 3), rollout(env_id, 4), exact=True)


@pytest.mark.parametrize("env_id", IDS)
def test_a_second_reset_without_seed_is_another_episode(env_id: str) -> None:
    env = gym.make(env_id)
    env.reset(seed=1)
    first = [env.step(env.action_space.sample())[0] for _ in range(30)]
    env.reset()
    second = [env.step(env.action_space.sample())[0] for _ in range(30)]
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("env_id", IDS)
def test_info_has_the_documented_keys(env_id: str) -> None:
    env = gym.make(env_id)
    env.reset(seed=0)
    info = env.step(env.action_space.sample())[4]
    rewards = set(env.unwrapped.reward_names)  # type: ignore[attr-defined]
    assert set(info) == COMMON_INFO | rewards
    assert set(info["calibration"]) == {"id", "grade", "sampled", "in_envelope"}
    assert isinstance(info, dict)


@pytest.mark.parametrize("env_id", IDS)
def test_info_and_observation_are_not_touched_by_later_steps(env_id: str) -> None:
    env = gym.make(env_id)
    env.reset(seed=0)
    obs, _, _, _, info = env.step(env.action_space.sample())
    seen, kept = obs.copy(), copy.deepcopy(info)
    for _ in range(20):
        env.step(env.action_space.sample())
    assert np.array_equal(obs, seen)
    assert info == kept
    assert info["t_s"] == pytest.approx(env.unwrapped.step_s)  # type: ignore[attr-defined]


@pytest.mark.parametrize("env_id", IDS)
def test_reward_is_the_sum_of_its_terms(env_id: str) -> None:
    env = gym.make(env_id)
    env.reset(seed=2)
    for _ in range(30):
        _, reward, _, _, info = env.step(env.action_space.sample())
        terms = [info[name] for name in env.unwrapped.reward_names]  # type: ignore[attr-defined]
        assert reward == pytest.approx(sum(terms), abs=1e-12)


@pytest.mark.parametrize("env_id", IDS)
def test_truncated_at_the_end_of_the_scenario(env_id: str) -> None:
    env = gym.make(env_id).unwrapped
    env.reset(seed=0, options={"duration_s": 4 * env.step_s})  # type: ignore[attr-defined]
    ends = [env.step(env.action_space.sample())[3] for _ in range(4)]
    assert ends == [False, False, False, True]
    assert all(type(end) is bool for end in ends)


@pytest.mark.parametrize("env_id", IDS)
def test_an_unknown_reset_option_is_an_error_with_a_suggestion(env_id: str) -> None:
    with pytest.raises(KeyError, match="Did you mean 'ambient'"):
        gym.make(env_id).reset(options={"ambiant": 30.0})


@pytest.mark.parametrize("env_id", IDS)
def test_a_hotter_ambient_makes_a_hotter_board(env_id: str) -> None:
    env = gym.make(env_id)
    temps_c = []
    for ambient_c in (15.0, 35.0):
        _, info = env.reset(seed=0, options={"ambient": ambient_c})
        temps_c.append(max(info["temps_c"].values()))
    assert temps_c[1] - temps_c[0] == pytest.approx(20.0, abs=2.0)


@pytest.mark.parametrize("env_id", IDS)
def test_initial_temperatures_can_be_given(env_id: str) -> None:
    env = gym.make(env_id)
    _, info = env.reset(seed=0, options={"initial": "ambient", "ambient": 22.0})
    assert info["temps_c"] == pytest.approx(dict.fromkeys(info["temps_c"], 22.0), abs=2.0)


@pytest.mark.parametrize("env_id", IDS)
def test_close_twice_and_both_render_modes(env_id: str) -> None:
    pytest.importorskip("matplotlib", reason="rgb_array needs the extra `report`")
    for mode, kind in (("ansi", str), ("rgb_array", np.ndarray)):
        env = gym.make(env_id, render_mode=mode)
        env.reset(seed=0)
        env.step(env.action_space.sample())
        assert isinstance(env.render(), kind)
        env.close()
        env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_kpis_stand_apart_from_the_reward(env_id: str) -> None:
    env = gym.make(env_id)
    env.reset(seed=0)
    for _ in range(10):
        env.step(env.action_space.sample())
    kpis = env.unwrapped.kpis()  # type: ignore[attr-defined]
    assert kpis["duration_s"] == pytest.approx(10 * env.unwrapped.step_s)  # type: ignore[attr-defined]
    assert kpis["energy_j"] > 0


def test_registering_twice_changes_nothing() -> None:
    before = dict(gym.registry)
    edgetwin.register_envs()
    assert dict(gym.registry) == before
    assert gym.make("edgetwin:edgetwin/Thermal-v0").spec is not None


def test_info_behaves_like_the_plain_dict_it_stands_for() -> None:
    env = gym.make(IDS[0])
    env.reset(seed=0)
    info = env.step(0)[4]
    plain = dict(info)
    assert plain["freq_hz"] and type(plain) is dict
    assert pickle.loads(pickle.dumps(info)) == plain == info.copy()
    assert info.get("nothing", 7) == 7
    assert "energy_j" in info and "nothing" not in info
    assert {**info} == plain and info | {"more": 1} == plain | {"more": 1}
    with pytest.raises(KeyError):
        info["nothing"]
