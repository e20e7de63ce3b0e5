"""Steps on boards: what they cost, who is in time, and that budgets end an episode."""

import gymnasium as gym
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn`")

import federated_case as case  # noqa: E402
from gymnasium.utils.env_checker import check_env, data_equivalence  # noqa: E402

import edgetwin  # noqa: E402, F401  registers the environments
from edgetwin.fleet import Client, Fleet, Link  # noqa: E402
from edgetwin.systems.federated.boards import mixed_clients  # noqa: E402
from edgetwin.systems.federated.episode import Episode, RoundPlan  # noqa: E402
from edgetwin.systems.federated.pricing import Prices, profile  # noqa: E402
from edgetwin.systems.federated.round_policies import (  # noqa: E402
    ROUND_POLICIES,
    Fixed,
    action_of,
    make_round_policy,
    play,
)
from edgetwin.systems.federated.runtime import Federation  # noqa: E402
from hw_models import ForwardJob, load_board, load_network  # noqa: E402

ID = "edgetwin/Federated-v0"


def prices(name: str = "fedspzo", **settings: object) -> Prices:
    model = case.model()
    return Prices(case.make_method(name, model, **settings), model, case.examples(8), "tiny")


def test_a_profile_counts_weights_flops_and_launches() -> None:
    network, live_bytes = profile(case.model(), case.examples(8), "tiny")
    weights = 12 * 16 + 4 * 2 * 16 * 16 + 16 * 3
    assert network.parameter_bytes == 4 * weights
    assert network.forward_flops == 2 * weights
    assert network.forward_kernels >= 14  # products alone
    row_bytes = 8 * 16 * 4
    assert 2 * row_bytes <= live_bytes <= 8 * row_bytes


def test_a_job_carries_the_flops_of_the_method() -> None:
    made = prices()
    job = made.job(steps=3)
    whole = sum(case.model().flops(case.examples(8)))
    assert job.passes * job.batch * job.network.forward_flops == pytest.approx(made.cost.flops)
    assert job.passes == pytest.approx(made.cost.flops / whole)
    assert job.steps == 3
    assert made.job(3, replayed=5) is made.job(3, replayed=8)
    assert (
        made.job(3, replayed=8).noise_bytes > made.job(3, replayed=1).noise_bytes > job.noise_bytes
    )


def test_memory_is_weights_and_what_is_held() -> None:
    net = load_network("mobilenet-v2")
    job = ForwardJob(network=net, batch=8, passes=2, steps=1, held_bytes=1e6)
    assert job.memory_bytes() == net.parameter_bytes + 1e6
    board = load_board("jetson-nano")
    fleet = Fleet([Client(board=board, link=Link(down_bytes_per_s=1e6, up_bytes_per_s=1e6))])
    from edgetwin.fleet import Task

    large = ForwardJob(network=net, batch=8, passes=2, steps=1, held_bytes=5e9)
    with pytest.raises(ValueError, match="bytes of memory"):
        fleet.round([Task(client=0, job=large)])


def test_answers_that_come_too_late_or_get_lost_do_not_count() -> None:
    server = case.server()
    boards = mixed_clients(case.CLIENTS, seed=1, loss=0.5)
    federation = Federation(server, case.shards(), fleet=Fleet(boards, seed=2), prices=prices())
    found = federation.round(range(case.CLIENTS))
    assert found.priced is not None
    assert 0 < len(found.arrived) < case.CLIENTS
    assert len(found.record.entries) == len(found.arrived)
    assert found.upload_bytes == 32 * len(found.arrived)
    late = federation.round(range(case.CLIENTS), deadline_s=1e-3)
    assert (late.arrived, late.record.entries) == ((), ())
    assert late.energy_j > 0 or late.priced.compute_s.max() == 0  # type: ignore[union-attr]


def test_a_fleet_does_not_change_what_is_learnt() -> None:
    bare, timed = case.server(), case.server()
    fleet = Fleet(mixed_clients(case.CLIENTS, seed=1), seed=2)
    with_boards = Federation(timed, case.shards(), fleet=fleet, prices=prices())
    without = case.federation(bare)
    for _ in range(3):
        with_boards.round(range(6))
        without.round(range(6))
    assert bare.replica.method.snapshot() == timed.replica.method.snapshot()
    assert fleet.clock.now > 0


# -- the environment --------------------------------------------------------------------------


def test_gymnasium_accepts_the_environment() -> None:
    check_env(gym.make(ID, clients=3).unwrapped)


def test_same_seed_and_actions_give_the_same_rollout() -> None:
    def rollout(seed: int) -> list[object]:
        env = gym.make(ID, clients=3)
        env.action_space.seed(4)
        first = env.reset(seed=seed)
        return [first, *(env.step(env.action_space.sample()) for _ in range(4))]

    assert data_equivalence(rollout(3), rollout(3), exact=True)
    assert not data_equivalence(rollout(3), rollout(4), exact=True)


def test_reward_is_the_decrease_per_joule_and_second_and_the_sum_of_its_terms() -> None:
    env = gym.make(ID, clients=3)
    _, info = env.reset(seed=1)
    everyone = action_of(env.unwrapped, Fixed()(env.unwrapped.episode))  # type: ignore[attr-defined]
    for _ in range(3):
        before = info
        _, reward, _, _, info = env.step(everyone)
        energy_j, time_s = info["energy_j"] - before["energy_j"], info["t_s"] - before["t_s"]
        assert reward == pytest.approx(1000 * (before["loss"] - info["loss"]) / (energy_j * time_s))
        assert reward == info["reward_gain"] + info["reward_loss"]


def test_a_round_of_nobody_lets_a_second_pass() -> None:
    env = gym.make(ID, clients=3)
    env.reset(seed=1)
    _, reward, _, _, info = env.step(np.zeros(7, np.int64))
    assert (reward, info["t_s"], info["energy_j"]) == (0.0, 1.0, 0.0)


def test_budgets_end_the_episode() -> None:
    env = gym.make(ID, clients=3)
    everyone = np.array([1, 1, 1, 1, 2, 1, 2])
    env.reset(seed=1, options={"energy_j": 1e-3})
    assert env.step(everyone)[2] is True
    env.reset(seed=1, options={"deadline_s": 0.05})
    over, late = env.step(everyone)[2:4]
    assert (over, late) == (False, True)
    with pytest.raises(KeyError, match="Did you mean 'energy_j'"):
        env.reset(options={"energy": 1.0})
    with pytest.raises(ValueError, match="is not in"):
        env.step(np.full(7, 9))


def test_the_vector_form_does_what_the_scalar_one_does() -> None:
    many = gym.make_vec(ID, num_envs=2, vectorization_mode="vector_entry_point", clients=3)
    seen, _ = many.reset(seed=5)
    actions = np.array([[1, 0, 1, 1, 2, 0, 2], [0, 1, 1, 0, 1, 1, 0]])
    stepped = many.step(actions)
    for i in range(2):
        one = gym.make(ID, clients=3)
        assert np.array_equal(one.reset(seed=5 + i)[0], seen[i])
        observation, reward, *_ = one.step(actions[i])
        assert np.array_equal(observation, stepped[0][i])
        assert reward == stepped[1][i]


def test_a_change_of_split_and_perturbations_keeps_the_weights() -> None:
    episode = Episode(3, 1, energy_j=1e3, deadline_s=1e3, loss=0.0)
    before = episode.server.replica.method.snapshot()["weights"]
    episode._reform((8, 2))
    assert episode.server.replica.method.snapshot()["weights"] == before
    assert episode.server.judge.form.groups == (1, 8)


def test_a_branch_says_what_would_come_and_leaves_everything_as_it_was() -> None:
    episode = Episode(3, 1, energy_j=1e3, deadline_s=1e3, loss=0.0)
    plan = RoundPlan(clients=(0, 2), p2=8, split=2, steps=2, clock=0.7)
    episode.play(RoundPlan(clients=(0, 1, 2), p2=4, split=5, steps=1, clock=1.0))
    kept = (episode.kpis(), episode.server.replica.method.snapshot(), list(episode.server.known))
    foreseen = episode.branch(plan)
    assert kept == (
        episode.kpis(), episode.server.replica.method.snapshot(), list(episode.server.known)
    )  # fmt: skip
    episode.play(plan)
    assert foreseen == (episode.loss_now, episode.last_energy_j, episode.last_time_s)


@pytest.mark.parametrize("name", [name for name in ROUND_POLICIES if name != "oracle"])
def test_every_policy_plays_an_episode_to_its_end(name: str) -> None:
    env = gym.make(ID, clients=4).unwrapped
    found = play(env, make_round_policy(name), seed=2, options={"deadline_s": 3.0})  # type: ignore[arg-type]
    assert found["duration_s"] >= 3.0  # type: ignore[operator]
    assert found["rounds"] >= 1  # type: ignore[operator]


def test_the_oracle_earns_no_less_in_its_round_than_any_plan_it_could_choose() -> None:
    episode = Episode(3, 1, energy_j=1e3, deadline_s=1e3, loss=0.0)
    episode.play(Fixed()(episode))
    from edgetwin.systems.federated.round_policies import _reward

    chosen = _reward(episode, make_round_policy("oracle")(episode))
    assert chosen >= _reward(episode, Fixed(steps=1)(episode))
    assert chosen >= _reward(episode, Fixed(steps=4, clock=0.4)(episode))
