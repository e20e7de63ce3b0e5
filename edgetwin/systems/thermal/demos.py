"""Demonstrations: what the oracle would do on boards drawn at random, as rows of a table.

A shard is drawn from a seed of its own: one board (the file's, or a draw from its posterior),
programs on random cores, an application of interest whose target is swept, seen from a core of
each cluster. Shards are independent, so that cores share them and a killed run goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.scenario import full_speed_ips
from edgetwin.systems.thermal.branches import HORIZON_S, Outcomes, outcomes
from edgetwin.systems.thermal.chip import chip_of
from edgetwin.systems.thermal.features import NAMES, features
from edgetwin.systems.thermal.labels import soft_labels
from edgetwin.systems.thermal.programs import CHECKED, blend, training_programs, variants
from edgetwin.systems.thermal.snapshots import Drawn, Snapshots
from hw_models.board import Board, load_board
from hw_models.jobs import ApplicationProfile
from hw_models.workloads import load_application

Part = Literal["train", "check"]
SWEEP: Final = 5
PLACES: Final = 8
SHARES: Final = (0.1, 0.75)
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

    To check, applications of interest are programs that "train" never sees.
    """
    names = [n for n in training_programs() if (n in CHECKED) == (part == "check")]
    found = [load_application(name, dataset) for name in names for dataset in variants(name)]
    pairs = [rng.choice(len(found), 2, replace=False) for _ in range(BLENDS)]
    return found + [blend(found[a], found[b], float(rng.uniform(0.2, 0.8))) for a, b in pairs]


def draw_shard(settings: DemoSettings, part: Part, number: int) -> Rows:
    """All examples of one shard; the same for the same settings, part and number."""
    rng = np.random.default_rng([settings.seed, part == "check", number])
    board = load_board(settings.board)
    if settings.posterior and number > 0:
        board = board.sample(rng)
    pool = pool_of(part, rng)
    peaks_ips = np.array([full_speed_ips(profile, board) for profile in pool])
    scenes = Snapshots(board, chip_of(board), pool)
    drawn = _draw(scenes, peaks_ips, settings.scenes, rng)
    states = scenes.states(drawn, rng)
    return _examples(scenes, states, drawn, [p.name for p in pool], settings, number)


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
    share = rng.uniform(*SHARES, (count, PLACES))
    target_ips = peaks_ips[program] * share
    low, high = SHARES
    swept = low + (high - low) * (np.arange(SWEEP) + rng.random((count, SWEEP))) / SWEEP
    elsewhere = _core_of_other_cluster(core, n, scenes.chip.cluster)
    repeat = [np.repeat(a, SWEEP * 2, axis=0) for a in (program, core, target_ips)]
    program, core, target_ips = repeat
    target_ips[:, 0] = (peaks_ips[program[:, 0]].reshape(count, SWEEP, 2) * swept[:, :, None]).ravel()
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


def _examples(
    scenes: Snapshots, states: NDArray[Any], drawn: Drawn, names: Sequence[str],
    settings: DemoSettings, number: int,
) -> Rows:  # fmt: skip
    k = len(states)
    asked = np.zeros((k // 2, PLACES), np.bool_)
    asked[:, 0] = True
    found = outcomes(scenes.chip, scenes.truth(states), np.arange(0, k, 2), asked)
    labels = soft_labels(found, found.temp_c)[:, 0]
    x = features(scenes.view(states, PLACES), scenes.chip)[:, 0]
    facts = {
        "shard": np.full(k, number),
        "scene": np.arange(k) // (2 * SWEEP),
        "program": np.array(names)[drawn.program[:, 0]],
        "jobs": (drawn.program >= 0).sum(axis=1),
        "target_ips": drawn.target_ips[:, 0],
        "core": drawn.core[:, 0],
        "fan": drawn.fan,
        "ambient_c": drawn.ambient_c,
    }
    return replace(rows_of(x, np.repeat(labels, 2, axis=0), found, 2), facts=facts)


def rows_of(
    x: NDArray[np.float32], labels: NDArray[np.float64], found: Outcomes, repeat: int
) -> Rows:
    """Examples of place 0, each outcome counting for `repeat` rows."""
    take = lambda a: np.repeat(a[:, 0], repeat, axis=0)  # noqa: E731
    return Rows(
        x=x,
        y=labels.astype(np.float32),
        temp_c=take(found.temp_c).astype(np.float32),
        later_c=take(found.later_c).astype(np.float32),
        feasible=take(found.feasible),
        facts={},
    )


def write_shard(rows: Rows, path: Path, provenance: Mapping[str, object]) -> str:
    """One Parquet file with the columns by name and what made it; its SHA-256."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    from edgetwin.storage import exact_json, file_sha256, write_atomically

    columns: dict[str, Any] = dict(rows.facts)
    columns |= {f"x.{name}": rows.x[:, i] for i, name in enumerate(NAMES)}
    for name in ("y", "temp_c", "later_c", "feasible"):
        values = getattr(rows, name)
        columns |= {f"{name}.{c}": values[:, c] for c in range(values.shape[1])}
    about = {b"edgetwin": exact_json({**provenance, "horizon_s": HORIZON_S}).encode()}
    buffer = io.BytesIO()
    table = pa.table(columns).replace_schema_metadata(about)
    pq.write_table(table, buffer, compression="zstd")
    write_atomically(path, buffer.getvalue())
    return file_sha256(path)


def read_shard(path: Path) -> Rows:
    """The examples of a file that `write_shard` wrote."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    group = lambda name: np.stack(  # noqa: E731
        [table[c].to_numpy() for c in table.column_names if c.startswith(f"{name}.")], axis=1
    )
    return Rows(
        x=group("x"),
        y=group("y"),
        temp_c=group("temp_c"),
        later_c=group("later_c"),
        feasible=group("feasible"),
        facts={c: table[c].to_numpy() for c in table.column_names if "." not in c},
    )


def joined(parts: Sequence[Rows]) -> Rows:
    """All examples of several shards, without their facts."""
    gather = lambda name: np.concatenate([getattr(p, name) for p in parts])  # noqa: E731
    return Rows(
        x=gather("x"),
        y=gather("y"),
        temp_c=gather("temp_c"),
        later_c=gather("later_c"),
        feasible=gather("feasible"),
        facts={},
    )


def facts_of(settings: DemoSettings) -> dict[str, object]:
    """All that decides demonstrations, for the run folder."""
    return asdict(settings)
