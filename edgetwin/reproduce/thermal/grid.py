"""The runs of the experiment: managers by name, workloads, and what is kept of each run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.thermal.analytic import Analytic
from edgetwin.systems.thermal.eas import EasUclamp
from edgetwin.systems.thermal.joint import JointOracle
from edgetwin.systems.thermal.lessons import RIVALS
from edgetwin.systems.thermal.managers import AlwaysBig, Gts, LittleIfFits, RandomPlacement, Still
from edgetwin.systems.thermal.oracle import Oracle
from edgetwin.systems.thermal.ppo import Ppo
from edgetwin.systems.thermal.rivals import load_actors, load_tables
from edgetwin.systems.thermal.rollout import Rollout
from edgetwin.systems.thermal.student import Student
from edgetwin.systems.thermal.swaps import WithSwaps
from edgetwin.systems.thermal.toprl import TopRl
from edgetwin.systems.thermal.train import student_path
from edgetwin.systems.thermal.view import Manager
from edgetwin.systems.thermal.workloads import LOADS, Mix
from hw_models.board import Board

Array = NDArray[np.float64]

PLAIN: Final[dict[str, Callable[[], Manager]]] = {
    "gts-ondemand": lambda: Gts("ondemand"),
    "gts-powersave": lambda: Gts("powersave"),
    "dvfs-only": Still,
    "random-placement": RandomPlacement,
    "always-big": AlwaysBig,
    "little-if-fits": LittleIfFits,
    "analytic": Analytic,
    "eas-uclamp": EasUclamp,
    "oracle": Oracle,
    "joint-oracle": JointOracle,
}
SWAPS: Final = "-with-swaps"
STUDENT: Final = "student" + SWAPS
ORACLE: Final = "oracle" + SWAPS


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trainings:
    """Where students and rivals lie: folders of the two trainings (both coolings, fan only)."""

    both: Path
    fan: Path


def manager(name: str, seed: int, trainings: Trainings) -> Manager:
    """A manager by name; seed tells learned ones apart.

    "student", "student-int8", "student-fan" (trained with the fan only), "ppo", "top-rl-<penalty>",
    and any of them "-with-swaps", as students are meant to work.
    """
    if name.endswith(SWAPS):
        return WithSwaps(manager(name.removesuffix(SWAPS), seed, trainings))
    if name in PLAIN:
        return PLAIN[name]()
    if name.startswith("student"):
        folder = trainings.fan if name == "student-fan" else trainings.both
        kind = "int8" if name == "student-int8" else "float"
        return Student(student_path(folder, seed, kind))
    if name == "ppo":
        return Ppo(load_actors(trainings.both / RIVALS)[seed])
    tables = load_tables(trainings.both / RIVALS)
    which = (tables.penalties == float(name.removeprefix("top-rl-"))) & (tables.seeds == seed)
    return TopRl(tables.q[which])


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One workload of the grid under one workload seed."""

    mix: Mix
    seed: int


def conditions(mixes: Sequence[Mix], seeds: int, loads: Sequence[float] = LOADS) -> list[Condition]:
    """Every mix at every load under every seed."""
    return [
        Condition(mix=replace(mix, load=load), seed=seed)
        for mix in mixes
        for load in loads
        for seed in range(seeds)
    ]


def mixes_of(
    programs: Sequence[str], bands: Sequence[tuple[float, float]],
    fixed: Sequence[Any] = ("work", "duration"), coolings: Sequence[Any] = ("fan", "no-fan"),
    count: int = 20,
) -> list[Mix]:  # fmt: skip
    """Mixes of every combination; their load is still to be set."""
    return [
        Mix(programs=p, load=1.0, shares=band, fixed=f, cooling=c, count=count)
        for p in programs
        for band in bands
        for f in fixed
        for c in coolings
    ]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What is kept of the runs of one manager: a number per run, and per program of a run."""

    conditions: Sequence[Condition]
    mean_c: Array
    idle_c: Array
    peak_c: Array
    makespan_s: Array
    migrations: Array
    slow_windows: Array
    violated: Array
    shortfall: Array
    programs: Array

    def where(self, **wanted: Any) -> NDArray[np.bool_]:
        """Runs whose mix has these fields (a value or a tuple of values), (n,)."""

        def fits(mix: Mix) -> bool:
            return all(
                getattr(mix, name) in value
                if isinstance(value, list)
                else getattr(mix, name) == value
                for name, value in wanted.items()
            )

        return np.array([fits(c.mix) for c in self.conditions])

    @property
    def blocks(self) -> NDArray[Any]:
        """What a bootstrap draws together, (n,): workload seeds, or loads if there is one seed."""
        seeds = np.array([c.seed for c in self.conditions])
        loads = np.array([c.mix.load for c in self.conditions])
        return seeds if len(set(seeds.tolist())) > 1 else loads


def play(
    board: Board, player: Manager, given: Sequence[Condition], sample: Any = None
) -> dict[str, Any]:
    """Run a manager on every condition at once; the numbers of `Runs` as lists.

    sample: see `Rollout`.
    """
    scenarios = [c.mix.scenario(board) for c in given]
    outcome = Rollout(board, player, scenarios, [c.seed for c in given], sample=sample).run()
    lives, n = outcome.lives, len(given)
    return {
        "mean_c": outcome.mean_c,
        "idle_c": outcome.idle_c,
        "peak_c": outcome.peak_c,
        "makespan_s": outcome.makespan_s,
        "migrations": outcome.migrations,
        "slow_windows": outcome.windows[:, 1] / np.maximum(outcome.windows[:, 0], 1),
        "violated": np.bincount(lives.board, lives.violated, minlength=n),
        "shortfall": np.bincount(lives.board, lives.shortfall, minlength=n),
        "programs": np.bincount(lives.board, minlength=n),
    }


def runs_of(kept: dict[str, Any], given: Sequence[Condition]) -> Runs:
    """The runs as they come back from a cell."""
    return Runs(conditions=given, **{name: np.array(v, float) for name, v in kept.items()})
