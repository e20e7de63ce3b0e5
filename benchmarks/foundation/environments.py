"""How many steps per second `edgetwin/Thermal-v0` does, beside CartPole-v1."""

import operator
import time
from statistics import median
from typing import Any, final

import gymnasium as gym

from benchmarks.frame.side_by_side import median_ratio, side_by_side
from edgetwin import register_envs
from edgetwin.studies import Figure, row

INFO_KEYS = (
    "t_s", "temps_c", "power_w", "energy_j", "freq_hz", "fan", "throttled", "cap_w",
    "cap_violation", "qos_violation", "reward_temp", "reward_qos", "backend", "calibration",
)  # fmt: skip
CARTPOLE, THERMAL = "CartPole-v1", "edgetwin/Thermal-v0"


@final
class Loop:
    """Steps in one environment; every step reads one key of `info`, each in turn.

    Thermal-v0 moves an application at random every move_s and does nothing in between; CartPole
    is pushed at random in every step. Episodes start anew when they end. The clock stands still
    meanwhile unless with_resets.
    """

    def __init__(
        self, env_id: str, steps: int, *, with_resets: bool, move_s: float = 0.0, **options: Any
    ) -> None:
        self.env = gym.make(env_id, **options)
        self.with_resets = with_resets
        self.read = operator.getitem if env_id == THERMAL else dict.get  # CartPole has none
        space = self.env.action_space
        space.seed(5)
        every = max(1, round(move_s / options.get("step_s", 1.0)))
        self.actions = [0 if i % every else space.sample() for i in range(steps)]
        self.keys = [INFO_KEYS[i % len(INFO_KEYS)] for i in range(steps)]
        self.env.reset(seed=5)

    def __call__(self, _round: int) -> float:
        """Seconds per step."""
        step, read = self.env.step, self.read
        pairs = list(zip(self.actions, self.keys, strict=True))
        taken_s, start_s = 0.0, time.perf_counter()
        for action, key in pairs:
            _, _, terminated, truncated, info = step(action)
            read(info, key)
            if terminated or truncated:
                taken_s += time.perf_counter() - start_s
                start_s = time.perf_counter()
                self.env.reset()
                if not self.with_resets:
                    start_s = time.perf_counter()
        return (taken_s + time.perf_counter() - start_s) / len(pairs)


ROUNDS, STEPS = 15, 6000


def measure(_quick: bool) -> dict[str, Any]:
    """Steps per second over those of CartPole-v1, at steps of 50 ms and of 500 ms.

    Quick is no different: shorter rounds time how programs are seen for the first time.
    """
    register_envs()
    check_work(0.05)
    check_work(0.5)
    found = {
        name: side_by_side(
            {
                "cartpole": Loop(CARTPOLE, STEPS, **kinds),
                "50 ms": Loop(THERMAL, STEPS, move_s=move_s, step_s=0.05, **kinds),
                "500 ms": Loop(THERMAL, STEPS, move_s=move_s, step_s=0.5, **kinds),
            },
            ROUNDS,
        )
        for name, move_s, kinds in (
            ("judged", 0.5, {"with_resets": True}),
            ("resets_off_the_clock", 0.5, {"with_resets": False}),
            ("moving_every_5_s_resets_off_the_clock", 5.0, {"with_resets": False}),
        )
    }
    ratios = {
        name: {f"at_{n}_ms": median_ratio(contest, "cartpole", f"{n} ms") for n in (50, 500)}
        for name, contest in found.items()
    }
    judged = ratios.pop("judged")
    return row(
        {
            "at_50_ms": Figure(value=judged["at_50_ms"], bar=2.0, goal=3.0, at_least=True),
            "at_500_ms": Figure(value=judged["at_500_ms"], bar=1.2, at_least=True),
        },
        n={"rounds": ROUNDS, "steps_per_round": STEPS},
        steps_per_s={name: 1.0 / median(t_s) for name, t_s in found["judged"].items()},
        **ratios,
        method="gym.make with default wrappers, a random move every 500 ms, resets on the clock",
    )


def check_work(step_s: float, steps: int = 100) -> None:
    """RuntimeError unless steps advance time, move jobs, draw energy and fill all of `info`."""
    env = gym.make(THERMAL, step_s=step_s)
    env.action_space.seed(5)
    env.reset(seed=1)
    for _ in range(steps):
        _, _, _, _, info = env.step(env.action_space.sample())
    missing = [key for key in INFO_KEYS if key not in dict(info)]
    if missing:
        raise RuntimeError(f"info of {THERMAL} lacks {', '.join(missing)}.")
    kpis = env.get_wrapper_attr("kpis")()
    if abs(info["t_s"] - steps * step_s) > 1e-6 or not kpis["energy_j"] * kpis["migrations"] > 0:
        raise RuntimeError(f"{steps} steps of {step_s} s led to {info['t_s']} s and {kpis}.")
    env.close()
