"""Vector boards against scalar boards with the same seeds, over random actions of every task."""

from typing import Any

import gymnasium as gym
import numpy as np

import edgetwin
from edgetwin.studies import Figure, row
from edgetwin.tasks import TASKS

N_BOARDS, STEPS = 50, 20
VARIANTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("thermal", {}),
    ("thermal", {"step_s": 0.05}),
    ("thermal", {"clocks": "agent", "step_s": 0.1}),
    ("thermal", {"scenario": "mixed-20-fast", "step_s": 5.0}),
    ("thermal", {"board": "jetson-tx2", "scenario": "single-app", "step_s": 1.0}),
    ("training", {}),
    ("training", {"scenario": "train-cap-steps", "step_s": 60.0}),
    ("training", {"board": "jetson-orin-nano", "step_s": 20.0}),
)
COUNTERS = ("finished", "migrations", "transitions", "throttled", "fan")


def measure(quick: bool) -> dict[str, Any]:
    """The largest difference over 10 000 sequences (400 if quick)."""
    edgetwin.register_envs()
    rounds = 1 if quick else 25
    worst_k, unequal, done = 0.0, 0, {"sequences": 0, "completions": 0, "migrations": 0}
    joules = 0.0
    for number in range(rounds):
        for task, given in VARIANTS:
            found = compare(TASKS[task].env_id, given, seed=1000 * number)
            worst_k = max(worst_k, found["worst_k"])
            unequal += found["unequal"]
            joules += found["energy_j"]
            done["sequences"] += N_BOARDS
            for name in ("completions", "migrations"):
                done[name] += found[name]
    if not joules > 0 or not done["migrations"] > 0 or not done["completions"] > 0:
        raise RuntimeError(f"{done} with {joules} J: the boards did nothing.")
    return row(
        {
            "max_difference_k": Figure(value=worst_k, bar=1e-6),
            "unequal_numbers": Figure(value=float(unequal), bar=0.0),
        },
        n=done | {"steps": STEPS},
        energy_j=joules,
    )


def compare(env_id: str, given: dict[str, Any], seed: int) -> dict[str, Any]:
    """One batch and as many scalar boards under the same random actions."""
    batch: Any = gym.make_vec(
        env_id, num_envs=N_BOARDS, vectorization_mode="vector_entry_point", **given
    )
    one: Any = gym.make(env_id, **given).unwrapped
    batch.action_space.seed(seed)
    actions = [batch.action_space.sample() for _ in range(STEPS)]
    batch.reset(seed=seed)
    for chosen in actions:
        batch.step(chosen)
    twin = batch.batch
    found = {"worst_k": 0.0, "unequal": 0, "energy_j": float(twin.energy_j.sum())}
    found |= {"completions": int(twin.get("finished").sum())}
    found |= {"migrations": int(twin.get("migrations").sum())}
    temps_c = twin.node_temps_c()
    domains = len(twin.lowered.domains)
    levels = np.stack([twin.get("level", d) for d in range(domains)], axis=1)
    for i in range(N_BOARDS):
        one.reset(seed=seed + i)
        over = False
        for chosen in actions:
            if over:
                one.reset()
                over = False
                continue
            *_, terminated, truncated, _ = one.step(chosen[i])
            over = terminated or truncated
        state = one.sim.state[0]
        truth_c = np.array(list(one.sim.node_temps_c().values()))
        found["worst_k"] = max(found["worst_k"], float(np.abs(temps_c[i] - truth_c).max()))
        scalar = {"finished": len(one.sim.finished)}
        scalar |= {name: int(state[name]) for name in COUNTERS[1:]}
        found["unequal"] += sum(int(twin.get(name)[i]) != scalar[name] for name in COUNTERS)
        found["unequal"] += int((levels[i] != state["level"][:domains]).sum())
    batch.close()
    return found
