"""Policies of `edgetwin/Federated-v0`: from what a server has seen to its next round."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Protocol, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.federated.env import CLOCKS, P2, SPLITS, STEPS, FederatedEnv, reward_of
from edgetwin.systems.federated.episode import Episode, RoundPlan
from hw_models.naming import unknown


class RoundPolicy(Protocol):
    """Chooses every round; only an oracle may branch the episode."""

    def reset(self, *, seed: int) -> None:
        """Same seed, same choices."""
        ...

    def __call__(self, episode: Episode) -> RoundPlan:
        """The plan of the next round."""
        ...


def _everyone(episode: Episode) -> tuple[int, ...]:
    return tuple(range(len(episode.step_s)))


@final
class Fixed:
    """The same plan every round: everyone, or the clients given."""

    def __init__(
        self, clients: Sequence[int] | None = None, *, p2: int = 4, split: int = 5, steps: int = 2,
        clock: float = 1.0,
    ) -> None:  # fmt: skip
        self._clients = None if clients is None else tuple(clients)
        self._plan = RoundPlan(clients=(), p2=p2, split=split, steps=steps, clock=clock)

    def reset(self, *, seed: int) -> None:
        """Nothing to forget."""

    def __call__(self, episode: Episode) -> RoundPlan:
        """The plan."""
        clients = _everyone(episode) if self._clients is None else self._clients
        return replace(self._plan, clients=clients)


@final
class Random:
    """Half of the clients by chance, and any plan."""

    def reset(self, *, seed: int) -> None:
        """Same seed, same plans."""
        self._rng = np.random.default_rng([seed, 50])

    def __call__(self, episode: Episode) -> RoundPlan:
        """One of all plans."""
        rng, n = self._rng, len(episode.step_s)
        chosen = rng.permutation(n)[: max(1, n // 2)]
        return RoundPlan(
            clients=tuple(sorted(int(c) for c in chosen)),
            p2=P2[int(rng.integers(len(P2)))],
            split=SPLITS[int(rng.integers(len(SPLITS)))],
            steps=STEPS[int(rng.integers(len(STEPS)))],
            clock=CLOCKS[int(rng.integers(len(CLOCKS)))],
        )


@final
class DeadlineAware:
    """Asks whoever answers about as fast as the fastest half, at full clock.

    How long a client takes is what its last step took plus its link's latencies; those never
    asked are tried first, all together.
    """

    def reset(self, *, seed: int) -> None:
        """Nothing to forget: what was seen is in the episode."""

    def __call__(self, episode: Episode) -> RoundPlan:
        """Clients within 1.5 times the median time."""
        times_s = answer_times_s(episode, steps=2)
        quick = np.flatnonzero(times_s <= 1.5 * np.median(times_s))
        return RoundPlan(
            clients=tuple(int(c) for c in quick), p2=4, split=5, steps=2, clock=CLOCKS[-1]
        )


@final
class EnergyAware:
    """Asks the half of the clients whose steps took fewest joules, at a middle clock."""

    def reset(self, *, seed: int) -> None:
        """Nothing to forget: what was seen is in the episode."""

    def __call__(self, episode: Episode) -> RoundPlan:
        """The frugal half; everyone once, to see."""
        n = len(episode.step_j)
        frugal = np.argsort(episode.step_j, kind="stable")[: max(1, n // 2)]
        untried = np.flatnonzero(episode.step_j == 0.0)
        chosen = untried if len(untried) else np.sort(frugal)
        return RoundPlan(
            clients=tuple(int(c) for c in chosen), p2=4, split=5, steps=2, clock=CLOCKS[1]
        )


@final
class Oracle:
    """Plays every candidate on the twins, data included, and takes the one that rewards most.

    Candidates are the k quickest and the k most frugal clients for k of 1, 2, n/2 and n, with
    every number of steps and clock. It knows the answers that will be lost, and the batches.
    """

    def reset(self, *, seed: int) -> None:
        """Nothing to forget."""

    def __call__(self, episode: Episode) -> RoundPlan:
        """The best of the candidates."""
        return max(self._candidates(episode), key=lambda plan: _reward(episode, plan))

    def _candidates(self, episode: Episode) -> list[RoundPlan]:
        n = len(episode.step_s)
        if not episode.step_s.all():  # nothing is known of someone: all are tried
            groups = {tuple(range(n))}
        else:
            orders = (answer_times_s(episode, steps=1), episode.step_j)
            sizes = sorted({1, 2, max(1, n // 2), n})
            groups = {
                tuple(sorted(int(c) for c in np.argsort(order, kind="stable")[:k]))
                for order in orders
                for k in sizes
            }
        return [
            RoundPlan(clients=group, p2=4, split=5, steps=steps, clock=clock)
            for group, steps, clock in product(sorted(groups), STEPS, (CLOCKS[0], CLOCKS[-1]))
        ]


def answer_times_s(episode: Episode, steps: int) -> NDArray[Any]:
    """Seconds until each client's answer as far as is known, (n,)."""
    latencies_s = np.array([2 * client.link.latency_s for client in episode.fleet.clients])
    return np.asarray(latencies_s + steps * episode.step_s)


def _reward(episode: Episode, plan: RoundPlan) -> float:
    before = episode.loss_now
    loss, energy_j, time_s = episode.branch(plan)
    return reward_of(before - loss, energy_j, time_s)


ROUND_POLICIES: dict[str, Callable[[], RoundPolicy]] = {
    "fixed": Fixed,
    "random": Random,
    "deadline-aware": DeadlineAware,
    "energy-aware": EnergyAware,
    "oracle": Oracle,
}


def make_round_policy(name: str) -> RoundPolicy:
    """A fresh policy by name; KeyError with the nearest name otherwise."""
    if name not in ROUND_POLICIES:
        raise KeyError(unknown("policy", name, list(ROUND_POLICIES)))
    return ROUND_POLICIES[name]()


def action_of(env: FederatedEnv, plan: RoundPlan) -> NDArray[Any]:
    """The action of the environment that says the same as a plan."""
    asked = [int(client in plan.clients) for client in range(env.clients)]
    choices = [
        P2.index(plan.p2), SPLITS.index(plan.split), STEPS.index(plan.steps),
        CLOCKS.index(plan.clock),
    ]  # fmt: skip
    return np.array(asked + choices)


def play(
    env: FederatedEnv, policy: RoundPolicy, *, seed: int, options: dict[str, Any] | None = None
) -> dict[str, float | None]:
    """One episode of a policy: its return and key figures."""
    env.reset(seed=seed, options=options)
    policy.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        action = action_of(env, policy(env.episode))
        _, reward, ended, late, _ = env.step(action)
        total, over = total + reward, ended or late
    return {"return": total, **env.kpis()}
