"""Vector environments keep Gymnasium's conventions and equal the scalar ones they stand for."""

import threading
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

import edgetwin
from edgetwin.envs.seeds import SeedStreams
from edgetwin.kernel.batch_read import HEAD
from edgetwin.tasks import TASKS
from hw_models.board import Board

edgetwin.register_envs()
IDS = [task.env_id for task in TASKS.values()]
MODES = ["NextStep", "SameStep"]
THERMAL = "edgetwin/Thermal-v0"


def vector(env_id: str, n: int = 5, **given: Any) -> Any:
    return gym.make_vec(env_id, num_envs=n, vectorization_mode="vector_entry_point", **given)


def scalars(env_id: str, n: int, mode: str, **given: Any) -> SyncVectorEnv:
    return SyncVectorEnv([lambda: gym.make(env_id, **given)] * n, autoreset_mode=mode)


def assert_infos_match(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Every entry that Gymnasium would give, with its mask; None may be NaN or infinite."""
    assert set(ours) == set(theirs)
    for key, value in theirs.items():
        if isinstance(value, dict):
            assert_infos_match(ours[key], value)
        elif value.dtype != object:
            assert np.allclose(ours[key], value, rtol=1e-9, atol=1e-12, equal_nan=True), key


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("env_id", "given"),
    [
        (THERMAL, {}),
        (THERMAL, {"step_s": 0.05, "max_episode_steps": 14}),
        (THERMAL, {"clocks": "agent", "slots": 3, "max_episode_steps": 9}),
        (THERMAL, {"board": "jetson-tx2", "scenario": "single-app", "step_s": 20.0}),
        ("edgetwin/Training-v0", {"scenario": "train-cap-steps", "max_episode_steps": 13}),
    ],
)
def test_every_board_does_what_the_scalar_environment_does(
    env_id: str, given: dict[str, Any], mode: str
) -> None:
    ours, theirs = vector(env_id, autoreset_mode=mode, **given), scalars(env_id, 5, mode, **given)
    seen, info = ours.reset(seed=7)
    expected, their_info = theirs.reset(seed=7)
    assert np.array_equal(seen, expected)
    assert_infos_match(dict(info), their_info)
    theirs.action_space.seed(3)
    for _ in range(40):
        actions = theirs.action_space.sample()
        *stepped, info = ours.step(actions)
        *expected_step, their_info = theirs.step(actions)
        for mine, other in zip(stepped, expected_step, strict=True):
            assert mine.dtype == other.dtype
            assert np.allclose(mine, other, rtol=1e-6, atol=1e-9)
        assert_infos_match(dict(info), their_info)
    truth_c = [list(env.unwrapped.sim.node_temps_c().values()) for env in theirs.envs]
    assert np.abs(ours.batch.node_temps_c() - truth_c).max() <= 1e-6
    ours.close()


@pytest.mark.parametrize("env_id", IDS)
def test_the_vector_environment_is_what_make_vec_takes(env_id: str) -> None:
    env = gym.make_vec(env_id, num_envs=3)
    assert isinstance(env, VectorEnv) and not isinstance(env, SyncVectorEnv)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    seen, _ = env.reset(seed=1)
    assert env.observation_space.contains(seen)
    one = gym.make(env_id)
    assert env.single_observation_space == one.observation_space
    assert env.single_action_space == one.action_space
    env.close()
    env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_the_same_seed_gives_the_same_rollout(env_id: str) -> None:
    envs = [vector(env_id, 4) for _ in range(2)]
    first, again = (env.reset(seed=[4, 9, 4, 1])[0] for env in envs)
    assert np.array_equal(first, again)
    envs[0].action_space.seed(2)
    for _ in range(5):
        actions = envs[0].action_space.sample()
        first, again = (env.step(actions)[0] for env in envs)
        assert np.array_equal(first, again)


def test_a_mask_starts_some_and_leaves_the_others() -> None:
    env = vector(THERMAL, 4)
    env.reset(seed=1)
    for _ in range(4):
        env.step(np.zeros(4, np.int64))
    mask = np.array([False, True, False, True])
    _, info = env.reset(seed=8, options={"reset_mask": mask, "ambient": 40.0})
    assert info["t_s"].tolist() == [2.0, 0.0, 2.0, 0.0]
    assert info["_t_s"].tolist() == mask.tolist()
    with pytest.raises(ValueError, match="no True"):
        env.reset(options={"reset_mask": np.zeros(4, np.bool_)})


@pytest.mark.parametrize("env_id", IDS)
def test_a_whole_group_is_told_as_a_part_of_one_is(env_id: str) -> None:
    """What eight boards say is written in blocks, what fewer say number by number."""
    many, few = vector(env_id, 11), vector(env_id, 3)
    seen, _ = many.reset(seed=7)
    expected, _ = few.reset(seed=7)
    many.action_space.seed(3)
    for _ in range(6):
        assert np.array_equal(seen[:3], expected)
        assert np.array_equal(many.batch.readings[:3], few.batch.readings, equal_nan=True)
        assert np.ptp(many.batch.readings[:, HEAD:], axis=0).any(), "all boards say the same"
        actions = many.action_space.sample()
        seen, expected = many.step(actions)[0], few.step(actions[:3])[0]


def test_what_is_returned_does_not_change_later() -> None:
    env = vector(THERMAL, 3)
    first, info = env.reset(seed=1)
    kept, at_s = first.copy(), info["t_s"].copy()
    second, *_ = env.step(np.zeros(3, np.int64))
    third, *_ = env.step(np.zeros(3, np.int64))
    assert np.array_equal(first, kept) and at_s.tolist() == [0.0] * 3
    assert not np.shares_memory(first, second)
    kept = third.copy()
    mask = np.array([True, False, False])
    fourth, _ = env.reset(seed=2, options={"reset_mask": mask, "ambient": 40.0})
    assert np.array_equal(third, kept)
    assert np.array_equal(fourth[1:], kept[1:]) and not np.array_equal(fourth[0], kept[0])


@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_infos_do_not_change_later(mode: str) -> None:
    """Neither when steps follow, nor when some or all episodes start again.

    They are worked out when they are read: at once in one environment, at the end in the other.
    """
    at_once, late = (vector(THERMAL, 3, autoreset_mode=mode, max_episode_steps=3) for _ in "ab")
    seen = [late.reset(seed=1)[1]]
    at_s = [np.array(at_once.reset(seed=1)[1]["t_s"])]
    mask = {"reset_mask": np.array([False, True, False])}
    for number in range(8):
        if number == 2:
            seen.append(late.reset(options=mask)[1])
            at_s.append(np.array(at_once.reset(options=mask)[1]["t_s"]))
        else:
            seen.append(late.step(np.zeros(3, np.int64))[-1])
            at_s.append(np.array(at_once.step(np.zeros(3, np.int64))[-1]["t_s"]))
    assert sum(np.array_equal(a, b) for a, b in pairwise(at_s)) == 0
    for info, kept in zip(seen, at_s, strict=True):
        assert np.array_equal(info["t_s"], kept)


def test_a_refused_reset_leaves_what_was_read() -> None:
    env = vector(THERMAL, 3)
    env.reset(seed=1)
    env.step(np.zeros(3, np.int64))
    before = env.batch.readings.copy()
    with pytest.raises(KeyError, match="no-such-scenario"):
        env.reset(options={"scenario": "no-such-scenario"})
    assert np.array_equal(env.batch.readings, before, equal_nan=True)


def test_threads_share_acting_and_looking() -> None:
    """Every group is in one share, and each share acts, runs and looks in a thread of the pool."""
    env = vector(THERMAL, 70, threads=2)
    env.reset(seed=4)
    shares: dict[str, list[tuple[int, int]]] = {"act": [], "look": []}
    threads = set()
    act, look = env._act, env._look

    def note_act(actions: Any, frozen: Any, first: int, last: int) -> None:
        shares["act"].append((first, last))
        threads.add(threading.current_thread())
        act(actions, frozen, first, last)

    def note_look(seen: Any, first: int, last: int) -> None:
        shares["look"].append((first, last))
        look(seen, first, last)

    env._act, env._look = note_act, note_look
    env.step(np.zeros(70, np.int64))
    for found in shares.values():
        assert [g for first, last in sorted(found) for g in range(first, last)] == list(range(9))
        assert len(found) > 2
    assert threading.main_thread() not in threads
    env.close()


def test_threads_of_an_environment_change_nothing() -> None:
    one, two = vector(THERMAL, 70), vector(THERMAL, 70, threads=2)
    rng = np.random.default_rng(3)
    assert np.array_equal(one.reset(seed=4)[0], two.reset(seed=4)[0])
    for _ in range(5):
        actions = rng.integers(0, 65, 70)
        ours, theirs = one.step(actions), two.step(actions)
        for mine, other in zip(ours[:4], theirs[:4], strict=True):
            assert np.array_equal(mine, other)
        assert np.array_equal(ours[4]["t_s"], theirs[4]["t_s"])
    two.close()


def test_observations_reach_other_libraries_without_a_copy() -> None:
    env = vector(THERMAL, 3)
    seen, _ = env.reset(seed=1)
    assert np.shares_memory(np.from_dlpack(seen), seen)
    torch = pytest.importorskip("torch")
    shared = torch.from_dlpack(seen)
    shared[0, 0] = 77.0
    assert seen[0, 0] == 77.0


def test_seed_streams_are_those_of_scalar_environments() -> None:
    streams = SeedStreams(3)
    for i in range(3):
        streams.start(i, 40 + i)
    for i in range(3):
        env = gym.make(THERMAL).unwrapped
        env.np_random = gym.utils.seeding.np_random(40 + i)[0]
        expected = [int(env.np_random.integers(2**31)) for _ in range(4)]
        assert [streams.draw(i) for _ in range(4)] == expected


def test_boards_are_drawn_per_block_at_a_seed() -> None:
    drawn: list[float] = []

    def note(board: Board, rng: np.random.Generator) -> Board:
        drawn.append(float(rng.random()))
        return board

    env = vector(THERMAL, 40, randomize=note)
    drawn.clear()
    env.reset(seed=6)
    expected = [float(np.random.default_rng([6, block]).random()) for block in range(2)]
    assert drawn == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"autoreset_mode": "Disabled"}, "give 'NextStep' or 'SameStep'"),
        ({"scenarios": ["mixed-20"]}, "1 scenarios for 5 boards"),
    ],
)
def test_a_bad_argument_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        vector(THERMAL, **given)


def test_a_bad_action_is_refused() -> None:
    env = vector(THERMAL)
    env.reset(seed=1)
    for actions in (np.zeros(4, np.int64), np.zeros(5), np.full(5, 65)):
        with pytest.raises(ValueError, match=r"actions are|an action is"):
            env.step(actions)
