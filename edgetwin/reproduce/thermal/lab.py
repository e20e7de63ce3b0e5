"""Where the experiment is worked out: trainings and runs, each done once and kept in the folder."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from edgetwin.cells import CellStore, run_cells
from edgetwin.progress import Progress
from edgetwin.reproduce.thermal.grid import (
    ORACLE,
    STUDENT,
    SWAPS,
    Condition,
    Runs,
    Trainings,
    conditions,
    manager,
    mixes_of,
    play,
    runs_of,
)
from edgetwin.systems.thermal.demos import DemoSettings
from edgetwin.systems.thermal.lessons import train_all
from edgetwin.systems.thermal.make_demos import make_demos
from edgetwin.systems.thermal.toprl import PENALTIES
from hw_models.board import Board, load_board

BOARD: Final = "hikey970"
LOW_BAND: Final = (0.2, 0.3)
HIGH_BAND: Final = (0.4, 0.5)
WIDE_BAND: Final = (0.2, 0.6)
JOBS: Final = 2
"""The promise is about two cores."""

UNLEARNED: Final = (
    "gts-ondemand", "oracle", "dvfs-only", "eas-uclamp", "analytic", "always-big",
    "little-if-fits", "random-placement", "joint-oracle", "gts-powersave",
)  # fmt: skip


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured: seeds of workloads and of trainings, shards, states of decisions."""

    seeds: int
    trainings: int
    shards: int
    states: int
    posterior_boards: int = 20


QUICK: Final = Size(seeds=1, trainings=1, shards=24, states=2000)
FULL: Final = Size(seeds=10, trainings=3, shards=24, states=10_000)


@final
class Lab:
    """The experiment in a folder; what is there already is not done again."""

    def __init__(self, folder: Path, quick: bool) -> None:
        self.folder = folder / ("quick" if quick else "full")
        self.quick = quick
        self.size = QUICK if quick else FULL
        self.board: Board = load_board(BOARD)
        self._runs: dict[Any, Runs] = {}

    @property
    def cells(self) -> CellStore:
        """Finished runs."""
        return CellStore(path=self.folder / "cells")

    # -- training ----------------------------------------------------------------------------------

    @cached_property
    def demos(self) -> dict[str, Any]:
        """Demonstrations, made by all cores."""
        settings = DemoSettings(board=BOARD, shards=self.size.shards)
        return make_demos(settings, self.folder / "demos", _COMMAND, JOBS)

    @cached_property
    def trainings(self) -> Trainings:
        """Students trained with both coolings, one trained with the fan only, and rivals."""
        assert self.demos
        found = Trainings(both=self.folder / "students", fan=self.folder / "students-fan")
        demos = self.folder / "demos"
        train_all(
            demos, found.both, _COMMAND, seeds=self.size.trainings,
            rounds=1 if self.quick else 2, rivals=True, quick=self.quick,
        )  # fmt: skip
        train_all(
            demos, found.fan, _COMMAND, seeds=1, rounds=0 if self.quick else 1, rivals=False,
            quick=True, fan_only=True,
        )  # fmt: skip
        return found

    # -- runs --------------------------------------------------------------------------------------

    @cached_property
    def grid(self) -> list[Condition]:
        """Unseen programs in three ranges of targets and seen ones in one, all else crossed."""
        mixes = mixes_of(["unseen"], [LOW_BAND, HIGH_BAND, WIDE_BAND]) + mixes_of(
            ["seen"], [WIDE_BAND]
        )
        return conditions(mixes, self.size.seeds)

    @cached_property
    def wide(self) -> list[Condition]:
        """The part of the grid with the widest targets and unseen programs."""
        return conditions(mixes_of(["unseen"], [WIDE_BAND]), self.size.seeds)

    def keys(self) -> list[list[Any]]:
        """Every run of the two grids: [grid, manager, training seed]."""
        seeds = range(self.size.trainings)
        return [
            *(["grid", name, 0] for name in (*UNLEARNED, ORACLE, f"student-fan{SWAPS}")),
            *(["grid", STUDENT, s] for s in seeds),
            *(["wide", "student", s] for s in seeds),
            *(["wide", "ppo", s] for s in seeds),
            *(["wide", f"top-rl-{p:g}", s] for p in PENALTIES for s in seeds),
            *(["wide", f"top-rl-{p:g}{SWAPS}", s] for p in PENALTIES for s in seeds),
            ["wide", f"eas-uclamp{SWAPS}", 0],
        ]

    def runs(self, name: str, seed: int = 0) -> Runs:
        """The runs of a manager on its grid; all that are missing are done first."""
        if not self._runs:
            assert self.trainings  # before the work is shared out
            keys = self.keys()
            with Progress("managers on workloads") as progress:
                kept = run_cells(self.cells, keys, self._play, JOBS, progress)
            for key, value in zip(keys, kept, strict=True):
                self._runs[key[1], key[2]] = runs_of(value, getattr(self, key[0]))
        return self._runs[name, seed]

    def wide_part(self, runs: Runs) -> Runs:
        """The runs of the wide part of the grid, in its order."""
        which = runs.where(programs="unseen", shares=WIDE_BAND)
        names = (f.name for f in fields(Runs) if f.name != "conditions")
        return Runs(conditions=self.wide, **{n: getattr(runs, n)[which] for n in names})

    def students(self, name: str = STUDENT) -> list[Runs]:
        """The runs of a learned manager for every training seed."""
        return [self.runs(name, seed) for seed in range(self.size.trainings)]

    def _play(self, key: Sequence[Any]) -> dict[str, Any]:
        grid, name, seed = key
        return play(self.board, manager(name, seed, self.trainings), getattr(self, grid))

    def kept(self, key: Any, work: Any) -> Any:
        """A value of the folder, worked out once: numbers, lists and mappings."""
        return run_cells(self.cells, [key], lambda _: work())[0]

    def rng(self, *words: int) -> np.random.Generator:
        """Random numbers for one purpose."""
        return np.random.default_rng([17, *words])


_COMMAND: Final = ("edgetwin", "reproduce", "thermal")
