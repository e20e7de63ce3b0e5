"""Demonstrations on disk: shards in a run folder, made by all cores, resumed after a kill."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgetwin.cells import run_cells
from edgetwin.progress import Progress
from edgetwin.runs import RunFolder
from edgetwin.storage import exact_json, file_sha256, read_json, write_atomically
from edgetwin.systems.thermal.branches import HORIZON_S
from edgetwin.systems.thermal.demos import (
    SWEEP,
    DemoSettings,
    Rows,
    chosen,
    draw_shard,
    joined,
    keys_of,
)
from edgetwin.systems.thermal.features import NAMES
from hw_models.board import load_board


def make_demos(
    settings: DemoSettings, out: Path, command: Sequence[str], jobs: int = -1
) -> dict[str, Any]:
    """Draw every shard that the folder does not hold yet; what they hold in all.

    FileExistsError when the folder holds other demonstrations.
    """
    board = load_board(settings.board)
    digest = hashlib.sha256(board.model_dump_json().encode()).hexdigest()
    with RunFolder.create(
        out, command, {"verb": "demos", **asdict(settings)}, {f"board {board.name}": digest}
    ) as folder:
        keys = keys_of(settings)
        draw_shard(replace(settings, scenes=1), "train", 0)  # compiles once, not once a process
        with Progress("shards") as progress:
            work = partial(_shard, settings, out)
            found = run_cells(folder.cells, keys, work, jobs, progress)
        shas = [one["sha256"] for one in found]
        total = {
            "decisions": sum(one["decisions"] for one in found),
            "examples": sum(one["examples"] for one in found),
            "sha256": hashlib.sha256("".join(shas).encode()).hexdigest(),
            "shards": len(keys),
        }
        folder.write_kpis(total)
    return total


def shard_path(out: Path, part: str, number: int) -> Path:
    """Where a shard lies."""
    return out / part / f"{number:05d}.parquet"


def _shard(settings: DemoSettings, out: Path, key: Sequence[Any]) -> dict[str, Any]:
    part, number = key
    rows = draw_shard(settings, part, number)
    sha = write_shard(
        rows, shard_path(out, part, number), {**asdict(settings), "part": part, "shard": number}
    )
    return {"sha256": sha, "examples": len(rows.x), "decisions": settings.scenes * SWEEP}


def read_demos(out: Path, part: str, *, fan_only: bool = False) -> Rows:
    """All examples of one part ("train" or "check"), or those under the highest fan level.

    FileNotFoundError where there are none.
    """
    files = sorted((out / part).glob("*.parquet"))
    if not files:
        raise FileNotFoundError(f"no demonstrations in {out}; make them with: edgetwin demos --out")
    shards = [read_shard(file) for file in files]
    if fan_only:
        shards = [chosen(s, s.facts["fan"] == s.facts["fan"].max()) for s in shards]
    return joined(shards)


def demos_sha256(out: Path) -> str:
    """One hash of all shards, as `make_demos` tells it."""
    found = read_json(out / "kpis.json")
    if not isinstance(found, dict) or "sha256" not in found:
        raise FileNotFoundError(f"{out} holds no finished demonstrations; run edgetwin demos.")
    return str(found["sha256"])


def write_shard(rows: Rows, path: Path, provenance: Mapping[str, object]) -> str:
    """One Parquet file with the columns by name and what made it; its SHA-256."""
    import pyarrow as pa
    import pyarrow.parquet as pq

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
    columns = {name: table[name].to_numpy() for name in table.column_names}
    groups = {
        group: np.stack([v for name, v in columns.items() if name.startswith(f"{group}.")], axis=1)
        for group in ("x", "y", "temp_c", "later_c", "feasible")
    }
    return Rows(**groups, facts={name: v for name, v in columns.items() if "." not in name})
