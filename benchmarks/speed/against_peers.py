"""Steps per second of Thermal-v0 and of what others offer, asked in turn in every round."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from typing import Any

import gymnasium as gym

from benchmarks.foundation.environments import CARTPOLE, THERMAL, Loop, check_work
from benchmarks.frame.side_by_side import Contest, median_ratio, side_by_side
from benchmarks.speed.peers import Peer, open_peers
from edgetwin import register_envs
from edgetwin.studies import Figure, absent, row

Contestant = Callable[[int], float]
N_ENVS = 1024
# Steps of a round: enough for a tenth of a second or so.
PEER_STEPS = {"halfcheetah": 2000, "electric_motor": 500, "highway_fast": 8}


def cartpole_vector(n: int = N_ENVS, steps: int = 50) -> Contestant:
    """Seconds per step of one environment in CartPole's own NumPy vector of n."""
    env = gym.make_vec(CARTPOLE, num_envs=n, vectorization_mode="vector_entry_point")
    env.action_space.seed(5)
    env.reset(seed=5)
    actions = [env.action_space.sample() for _ in range(steps)]

    def run(_: int) -> float:
        start_s = time.perf_counter()
        for action in actions:
            env.step(action)
        return (time.perf_counter() - start_s) / (steps * n)

    return run


def beside_peers(ours: Mapping[str, Contestant], rounds: int) -> tuple[Contest, dict[str, str]]:
    """Seconds per environment step of ours, of CartPole and of every peer, side by side.

    Also the peers that cannot run here, with the reason.
    """
    with open_peers() as (peers, missing):
        others: dict[str, Contestant] = {
            "cartpole": Loop(CARTPOLE, 2000, with_resets=True),
            "cartpole_vector": cartpole_vector(),
        }
        for name, peer in peers.items():
            others[name] = partial(_asked, peer, PEER_STEPS[name])
        found = side_by_side({**ours, **others}, rounds)
        idle = [name for name, peer in peers.items() if not any(peer.rewards)]
    if idle:
        raise RuntimeError(f"{', '.join(idle)} gave no reward at all; nothing was simulated.")
    return found, missing


def _asked(peer: Peer, steps: int, _: int) -> float:
    return peer.step_s(steps)


def measure(quick: bool) -> dict[str, Any]:
    """Scalar Thermal-v0 against all peers."""
    register_envs()
    for step_s in (0.05, 0.5):
        check_work(step_s)
    rounds, steps = (5, 1500) if quick else (9, 4000)
    ours = {
        f"thermal_{name}": Loop(THERMAL, steps, move_s=0.5, step_s=step_s, with_resets=True)
        for name, step_s in (("50_ms", 0.05), ("500_ms", 0.5))
    }
    found, missing = beside_peers(ours, rounds)
    ratios = {
        our: {name: median_ratio(found, name, our) for name in found if name not in ours}
        for our in ours
    }
    peers = {name for name in ("halfcheetah", "electric_motor") if name in found}
    details = {
        "steps_per_s": {name: 1.0 / median(t_s) for name, t_s in found.items()},
        "times_faster": ratios,
        "absent": missing,
        "n": {"rounds": rounds},
    }
    if not peers:
        return absent(f"no peer can run here: {missing}") | details
    return row(
        {
            f"times_{name}": Figure(value=ratios["thermal_50_ms"][name], bar=1.0, at_least=True)
            for name in sorted(peers)
        },
        **details,
        method="gym.make with default wrappers, random actions, every peer in its own environment",
    )
