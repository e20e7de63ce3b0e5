"""The policies of the thermal system by name; nothing heavy is loaded before one is made."""

from collections.abc import Callable
from importlib import import_module
from typing import Final

from edgetwin.backend import Policy
from edgetwin.policies import PolicyEntry, register_policy

ROOM: Final = "edgetwin.systems.thermal"
# name: (module, class, its arguments, period in s, is it an oracle, what it does)
MANAGERS: Final = {
    "imitation": ("student", "shipped", (), 0.5, False,
                  "the shipped student: moves by imitation of the oracle, and swaps"),
    "oracle": ("oracle", "Oracle", (), 0.5, True,
               "the best move of one application, known from the twin"),
    "joint-oracle": ("joint", "JointOracle", (), 0.5, True,
                     "the best placement of all applications, known from the twin"),
    "gts-ondemand": ("managers", "Gts", ("ondemand",), 0.5, False,
                     "big.LITTLE's global task scheduling with the ondemand governor"),
    "gts-powersave": ("managers", "Gts", ("powersave",), 0.5, False,
                      "big.LITTLE's global task scheduling with the powersave governor"),
    "eas-uclamp": ("eas", "EasUclamp", (), 0.1, False,
                   "schedutil and energy-aware scheduling, uclamp from targets and rates"),
    "analytic": ("analytic", "Analytic", (), 0.5, False,
                 "greedy by formulas of speed and power"),
    "always-big": ("managers", "AlwaysBig", (), 0.5, False,
                   "big cores while one is free, clocks by qos-dvfs"),
    "little-if-fits": ("managers", "LittleIfFits", (), 0.5, False,
                       "LITTLE where the vendor's capacities allow, else big"),
    "top-rl": ("rivals", "shipped_rl", (), 0.5, False,
               "tabular multi-agent Q-learning, tables of rivals.npz"),
    "ppo": ("rivals", "shipped_ppo", (), 0.5, False,
            "an actor trained with PPO, weights of rivals.npz"),
}  # fmt: skip


def _maker(name: str) -> Callable[[], Policy]:
    module, what, arguments, period_s, is_oracle, _ = MANAGERS[name]

    def make() -> Policy:
        from edgetwin.systems.thermal.policies import ManagedPolicy

        home = import_module(f"{ROOM}.{module}")
        return ManagedPolicy(lambda: getattr(home, what)(*arguments), period_s, is_oracle=is_oracle)

    return make


for _name, (*_, _title) in MANAGERS.items():
    register_policy(PolicyEntry(name=_name, make=_maker(_name), title=_title, tasks=("thermal",)))
