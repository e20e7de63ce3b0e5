"""The whole training: students from demonstrations, and the rivals that learn by reward."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from edgetwin.runs import RunFolder
from edgetwin.systems.thermal.make_demos import demos_sha256, read_demos
from edgetwin.systems.thermal.rivals import RivalSettings, train_rivals
from edgetwin.systems.thermal.train import TrainSettings, train_students
from hw_models.board import load_board

RIVALS = "rivals.npz"


def train_settings(seeds: int, rounds: int, quick: bool) -> TrainSettings:
    """Settings of students; quick ones search less and drive less."""
    if not quick:
        return TrainSettings(seeds=tuple(range(seeds)), rounds=rounds)
    return TrainSettings(
        seeds=tuple(range(seeds)), depths=(2, 4), widths=(64,), rounds=rounds, boards=1,
        limit_s=400.0, epochs=40,
    )  # fmt: skip


def rival_settings(seeds: int, quick: bool) -> RivalSettings:
    """Settings of the rivals; quick ones learn for half as long."""
    if not quick:
        return RivalSettings(seeds=tuple(range(seeds)))
    return RivalSettings(seeds=tuple(range(seeds)), episodes=6, ppo_steps=16_000)


def train_all(
    demonstrations: Path,
    out: Path,
    command: Sequence[str],
    *,
    seeds: int,
    rounds: int,
    rivals: bool,
    quick: bool,
    fan_only: bool = False,
) -> list[dict[str, Any]]:
    """Policy files in `out`, and rivals.npz if asked for; the students' metrics.

    With fan_only students see boards under the highest fan level alone. A killed training goes on
    where it stood. FileNotFoundError without demonstrations, FileExistsError when the folder holds
    another training.
    """
    from edgetwin.storage import read_json

    sha256 = demos_sha256(demonstrations)
    board = load_board(read_json(demonstrations / "run.json")["arguments"]["board"])
    arguments: dict[str, object] = {
        "verb": "train-manager",
        "seeds": seeds,
        "rounds": rounds,
        "quick": quick,
    }
    if fan_only:
        arguments["fan_only"] = True
    with RunFolder.create(out, command, arguments, {"demonstrations": sha256}) as folder:
        rows, check = (
            read_demos(demonstrations, part, fan_only=fan_only) for part in ("train", "check")
        )
        settings = train_settings(seeds, rounds, quick)
        if fan_only:
            settings = replace(settings, coolings=("fan",))
        found = train_students(board, rows, check, settings, sha256, out)
        if rivals:
            train_rivals(board, rival_settings(seeds, quick), out / RIVALS)
        folder.write_kpis({"students": found})
    return found
