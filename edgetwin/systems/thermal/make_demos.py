"""Demonstrations on disk: shards in a run folder, made by all cores, resumed after a kill."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from edgetwin.cells import run_cells
from edgetwin.progress import Progress
from edgetwin.runs import RunFolder
from edgetwin.systems.thermal.demos import (
    SWEEP,
    DemoSettings,
    Rows,
    draw_shard,
    joined,
    keys_of,
    read_shard,
    write_shard,
)
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


def read_demos(out: Path, part: str) -> Rows:
    """All examples of one part ("train" or "check"); FileNotFoundError where there are none."""
    files = sorted((out / part).glob("*.parquet"))
    if not files:
        raise FileNotFoundError(f"no demonstrations in {out}; make them with: edgetwin demos --out")
    return joined([read_shard(file) for file in files])


def demos_sha256(out: Path) -> str:
    """One hash of all shards, as `make_demos` tells it."""
    from edgetwin.storage import read_json

    found = read_json(out / "kpis.json")
    if not isinstance(found, dict) or "sha256" not in found:
        raise FileNotFoundError(f"{out} holds no finished demonstrations; run edgetwin demos.")
    return str(found["sha256"])
