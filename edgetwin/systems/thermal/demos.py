"""Demonstrations: what the oracle would do on boards drawn at random, as rows of a table.

A shard is drawn from a seed of its own: one board (the file's, or a draw from its posterior),
programs on random cores, an application of interest whose target is swept, seen from a core of
each cluster. Shards are independent, so that cores share them and a killed run goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.scenario import full_speed_ips
from edgetwin.systems.thermal.branches import Outcomes, outcomes
from edgetwin.systems.thermal.chip import chip_of
from edgetwin.systems.thermal.features import features
from edgetwin.systems.thermal.labels import soft_labels
from edgetwin.systems.thermal.programs import (
    CHECKED,
    blend,
    training_programs,
    unseen_programs,
    variants,
)
from edgetwin.systems.thermal.snapshots import Drawn, Snapshots
from edgetwin.systems.thermal.truth import States
from hw_models.board import load_board
from hw_models.jobs import ApplicationProfile
from hw_models.workloads import load_application

Part = Literal["train", "check", "unseen"]
_PARTS: Final = ("train", "check", "unseen")
SWEEP: Final = 5
PLACES: Final = 8
SHARES: Final = (0.08, 0.75)
"""Targets as shares of peak, even in their logarithm: most choices are among the lower ones."""
BLENDS: Final = 24
RAISED_SHARE: Final = 0.4


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSettings:
    """What decides demonstrations: the board, how many scenes a shard has, and the seed.

    A scene is a board with its programs; each gives 5 targets, each labelled once and seen from
    up to two cores. posterior: every shard but the first of each part draws a board.
    """

    board: str = "hikey970"
    shards: int = 12
    scenes: int = 256
    seed: int = 0
    posterior: bool = True


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Examples: x (rows, 21) features, y (rows, 8) labels, temp_c, later_c and own (rows, 8),
    feasible (rows, 8), and facts by name (rows,).
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    temp_c: NDArray[np.float32]
    later_c: NDArray[np.float32]
    feasible: NDArray[np.bool_]
    facts: Mapping[str, NDArray[Any]]


def keys_of(settings: DemoSettings) -> list[list[Any]]:
    """One key per shard: [part, number]; a quarter as many to check as to train."""
    check = max(1, settings.shards // 4)
    return [
        *(["train", n] for n in range(settings.shards)),
        *(["check", n] for n in range(check)),
    ]


def pool_of(part: Part, rng: np.random.Generator) -> list[ApplicationProfile]:
    """Programs to draw from: every data set of every training program, and blends of two.

    "check" has programs that "train" never sees, "unseen" those of the experiment as they are.
    """
    if part == "unseen":
        return [load_application(name) for name in unseen_programs()]
    names = [n for n in training_programs() if (n in CHECKED) == (part == "check")]
    found = [load_application(name, dataset) for name in names for dataset in variants(name)]
    pairs = [rng.choice(len(found), 2, replace=False) for _ in range(BLENDS)]
    return found + [blend(found[a], found[b], float(rng.uniform(0.2, 0.8))) for a, b in pairs]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Boards drawn for one shard: their states, and what they were drawn as."""

    scenes: Snapshots
    states: States
    drawn: Drawn
    names: tuple[str, ...]


def draw_boards(settings: DemoSettings, part: Part, number: int) -> Shard:
    """All boards of one shard; the same for the same settings, part and number.

    Two rows follow one another that differ in the core of the program in place 0 alone.
    """
    rng = np.random.default_rng([settings.seed, _PARTS.index(part), number])
    board = load_board(settings.board)
    if settings.posterior and number > 0:
        board = board.sample(rng)
    pool = pool_of(part, rng)
    peaks_ips = np.array([full_speed_ips(profile, board) for profile in pool])
    scenes = Snapshots(board, chip_of(board), pool)
    drawn = _draw(scenes, peaks_ips, settings.scenes, rng)
    names = tuple(profile.name for profile in pool)
    return Shard(scenes=scenes, states=scenes.states(drawn, rng), drawn=drawn, names=names)


def judged(shard: Shard) -> Outcomes:
    """The outcome of every move of the program in place 0, one for every second row."""
    k = len(shard.states)
    asked = np.zeros((k // 2, PLACES), np.bool_)
    asked[:, 0] = True
    scenes = shard.scenes
    return outcomes(scenes.chip, scenes.truth(shard.states), np.arange(0, k, 2), asked)


def draw_shard(settings: DemoSettings, part: Part, number: int) -> Rows:
    """All examples of one shard, labelled."""
    shard = draw_boards(settings, part, number)
    found, drawn, k = judged(shard), shard.drawn, len(shard.states)
    labels = np.repeat(soft_labels(found, found.temp_c)[:, 0], 2, axis=0)
    x = features(shard.scenes.view(shard.states, PLACES), shard.scenes.chip)[:, 0]
    facts = {
        "shard": np.full(k, number),
        "scene": np.arange(k) // (2 * SWEEP),
        "program": np.array(shard.names)[drawn.program[:, 0]],
        "jobs": (drawn.program >= 0).sum(axis=1),
        "target_ips": drawn.target_ips[:, 0],
        "core": drawn.core[:, 0],
        "fan": drawn.fan,
        "ambient_c": drawn.ambient_c,
    }
    return replace(rows_of(x, labels, found, 2), facts=facts)


def _draw(
    scenes: Snapshots, peaks_ips: NDArray[np.float64], count: int, rng: np.random.Generator
) -> Drawn:
    """Scenes with the application of interest in place 0, swept over targets and two cores.

    Rows lie as (scene, target, core): those of one scene share programs, cores and targets of the
    background, ambient and cooling.
    """
    cores = len(scenes.chip.cores)
    n = rng.integers(1, PLACES + 1, count)
    program = rng.integers(0, len(peaks_ips), (count, PLACES))
    program = np.where(np.arange(PLACES) < n[:, None], program, -1)
    core = np.argsort(rng.random((count, cores)), axis=1)[:, :PLACES]
    target_ips = peaks_ips[program] * _share(rng.random((count, PLACES)))
    swept = _share((np.arange(SWEEP) + rng.random((count, SWEEP))) / SWEEP)
    elsewhere = _core_of_other_cluster(core, n, scenes.chip.cluster)
    program, core = (np.repeat(a, SWEEP * 2, axis=0) for a in (program, core))
    target_ips = np.repeat(target_ips, SWEEP * 2, axis=0)
    target_ips[:, 0] = peaks_ips[program[:, 0]] * np.repeat(swept, 2)
    second = np.tile([False, True], count * SWEEP)
    core[second, 0] = np.repeat(elsewhere, SWEEP)
    raised = rng.integers(0, 4, (len(core), scenes.chip.clusters))
    raised *= rng.random(raised.shape) < RAISED_SHARE
    fans = len(scenes.lowered.networks)
    return Drawn(
        program=program,
        core=core,
        target_ips=target_ips,
        raised=raised,
        fan=np.repeat(rng.integers(0, fans, count), SWEEP * 2),
        ambient_c=np.repeat(rng.uniform(15.0, 35.0, count), SWEEP * 2),
    )


def _share(u: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of peak from numbers in [0, 1)."""
    low, high = SHARES
    return low * (high / low) ** u


def _core_of_other_cluster(
    core: NDArray[np.int64], n: NDArray[np.int64], cluster: NDArray[np.int64]
) -> NDArray[np.int64]:
    """A free core of the cluster in which place 0 is not; its own where that is full."""
    found = core[:, 0].copy()
    for i, (row, jobs) in enumerate(zip(core, n, strict=True)):
        spare = [c for c in row[jobs:] if cluster[c] != cluster[row[0]]]
        if spare:
            found[i] = spare[0]
    return found


def rows_of(
    x: NDArray[np.float32], labels: NDArray[np.float64], found: Outcomes, repeat: int
) -> Rows:
    """Examples of place 0, each outcome counting for `repeat` rows."""
    first = [a[:, 0] for a in (found.temp_c, found.later_c, found.feasible)]
    temp_c, later_c, feasible = (np.repeat(a, repeat, axis=0) for a in first)
    return Rows(
        x=x,
        y=labels.astype(np.float32),
        temp_c=temp_c.astype(np.float32),
        later_c=later_c.astype(np.float32),
        feasible=feasible.astype(np.bool_),
        facts={},
    )


def joined(parts: Sequence[Rows]) -> Rows:
    """All examples of several shards, without their facts."""
    names = ("x", "y", "temp_c", "later_c", "feasible")
    gathered = {name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
    return Rows(**gathered, facts={})


def chosen(rows: Rows, which: NDArray[np.bool_]) -> Rows:
    """Some of the examples, without their facts."""
    return Rows(
        x=rows.x[which],
        y=rows.y[which],
        temp_c=rows.temp_c[which],
        later_c=rows.later_c[which],
        feasible=rows.feasible[which],
        facts={},
    )
