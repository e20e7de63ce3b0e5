"""How the cost of a step grows with boards, with thermal nodes and with cores."""

import os
import time
from functools import partial
from statistics import median
from typing import Any

import gymnasium as gym
import numpy as np

import edgetwin
from benchmarks.foundation.heat import random_inputs
from benchmarks.foundation.plain import PlainBoard
from benchmarks.frame.side_by_side import median_ratio, side_by_side, timed_s
from benchmarks.speed.courses import Inputs, exact
from benchmarks.speed.floorplan import N_BLOCKS, network
from edgetwin.studies import Figure, row
from hw_models import load_board
from hw_models.thermal import Network, leakage_law

STEP_S = 0.05
BOARDS = ("jetson-nano", "jetson-tx2", "odroid-xu3", "hikey960", "hikey970")
N_PERIODS = 1000


def measure(quick: bool) -> dict[str, Any]:
    """Steps per second over N boards, seconds per thermal step over nodes, runs over cores."""
    edgetwin.register_envs()
    most = 4096 if quick else 65536
    sizes = [n for n in (1, 8, 64, 256, 1024, 4096, 16384, 65536) if n <= most]
    by_boards = {n: steps_per_s(n, rounds=3 if quick else 5) for n in sizes}
    by_nodes = seconds_by_nodes(rounds=3 if quick else 7)
    cores = os.cpu_count() or 1
    by_cores = runs_over_cores(cores, rounds=2 if quick else 4)
    return row(
        {
            "steps_per_s_1024_over_1": Figure(
                value=by_boards[1024] / by_boards[1], bar=10.0, at_least=True
            ),
        },
        n={"boards": sizes, "periods": N_PERIODS},
        steps_per_s_by_boards=by_boards,
        thermal_step_s_by_nodes=by_nodes,
        cores=cores,
        times_faster_on_all_cores=by_cores,
        load_average=os.getloadavg()[0],
        method="Thermal-v0 at 50 ms through the vector API; a sweep in 1 and in all processes",
    )


def steps_per_s(n: int, rounds: int) -> float:
    """Environment steps per second of n boards in one vector; RuntimeError for skipped work."""
    env: Any = gym.make_vec(
        "edgetwin/Thermal-v0",
        num_envs=n,
        vectorization_mode="vector_entry_point",
        step_s=STEP_S,
    )
    env.action_space.seed(5)
    env.reset(seed=5)
    steps = max(10, min(1000, 100_000 // n))
    still = np.zeros(n, np.int64)
    actions = [still if k % 10 else env.action_space.sample() for k in range(steps)]
    taken_s = []
    for _ in range(rounds + 1):
        start_s = time.perf_counter()
        for action in actions:
            _, _, _, _, info = env.step(action)
        taken_s.append(time.perf_counter() - start_s)
    batch = env.unwrapped.batch
    drawn_j = sum(batch.get("energy_j", part) for part in range(len(batch.lowered.parts)))
    reached_s, moves = float(np.min(info["t_s"])), int(batch.get("migrations").sum())
    env.close()
    idle = drawn_j.min() < 0.5 * reached_s or moves == 0  # the board draws over a watt at rest
    if idle or abs(reached_s - (rounds + 1) * steps * STEP_S) > 1e-6:
        raise RuntimeError(
            f"{n} boards reached {reached_s} s with {moves} moves; work was skipped."
        )
    return n * steps / median(taken_s[1:])


def seconds_by_nodes(rounds: int) -> dict[int, float]:
    """Seconds per exact step with leakage, by number of thermal nodes."""
    inputs = {}
    for name in BOARDS:
        board = load_board(name)
        rng, plain = np.random.default_rng(3), PlainBoard(board)
        pairs = [random_inputs(rng, plain) for _ in range(N_PERIODS)]
        inputs[len(board.thermal.nodes)] = Inputs(
            network=Network.of(board),
            powers_w=np.array([power_w for power_w, _ in pairs]),
            gains_w=np.array([gain_w for _, gain_w in pairs]),
            law=leakage_law(board),
            ambient_c=board.thermal.ambient_c.value,
            start_c=np.full(len(board.thermal.nodes), 40.0),
        )
    powers_w = np.random.default_rng(2).uniform(0.0, 1.0, (N_PERIODS, N_BLOCKS))
    inputs[68] = Inputs(
        network=network(), powers_w=powers_w, gains_w=0.02 * np.ones_like(powers_w),
        law=leakage_law(load_board("hikey970")), ambient_c=25.0, start_c=np.full(68, 25.0),
    )  # fmt: skip
    ways = {str(nodes): partial(_course_s, one) for nodes, one in inputs.items()}
    found = side_by_side(ways, rounds)
    return {int(nodes): median(t) / N_PERIODS for nodes, t in found.items()}


def _course_s(inputs: Inputs, _: int) -> float:
    return timed_s(lambda: exact(inputs))


def runs_over_cores(cores: int, rounds: int) -> float:
    """How many times faster a sweep is in `cores` processes than in one."""
    joules: set[float] = set()

    def sweep(jobs: int, _: int) -> float:
        start_s = time.perf_counter()
        rows = edgetwin.sweep(
            ["qos-dvfs"], ["hikey970"], ["mixed-20"], seeds=16, duration_s=120.0, jobs=jobs
        )
        joules.add(sum(float(one.kpis["energy_j"] or 0.0) for one in rows))
        return time.perf_counter() - start_s

    found = side_by_side({"one": partial(sweep, 1), "all": partial(sweep, cores)}, rounds)
    if len(joules) != 1 or min(joules) <= 0.0:
        raise RuntimeError(f"one and {cores} processes drew {sorted(joules)} J, not the same.")
    return median_ratio(found, "one", "all")
