"""From demonstrations to policy files: search, DAgger, calibration, export with a parity gate."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np

from edgetwin.progress import Progress
from edgetwin.scenario import Scenario
from edgetwin.storage import read_json, strict_json, write_atomically
from edgetwin.systems.thermal.calibration import calibrate, handicapped, pooled
from edgetwin.systems.thermal.dagger import visited
from edgetwin.systems.thermal.demos import Rows, chosen, joined
from edgetwin.systems.thermal.net import Recipe, Trained, search, train
from edgetwin.systems.thermal.policy_file import (
    PARITY,
    described,
    load,
    same_decisions,
    to_int8,
    to_onnx,
)
from edgetwin.systems.thermal.scores import Score, score
from edgetwin.systems.thermal.student import Student
from edgetwin.systems.thermal.swaps import WithSwaps
from edgetwin.systems.thermal.workloads import LOADS, Mix
from hw_models.board import Board

SHARES: Final = ((0.2, 0.3), (0.2, 0.6))
SEARCHED: Final = 3
"""Networks are compared on every third example, for half as many epochs."""
RANGES: Final = 4096
"""Examples from which the int8 export takes the ranges of activations."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """What decides students: seeds, networks to search, DAgger rounds and boards in each.

    A round runs the student for limit_s on so many boards of every load, range of targets and
    cooling.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    depths: tuple[int, ...] = (1, 2, 4)
    widths: tuple[int, ...] = (32, 64, 128)
    rounds: int = 2
    boards: int = 4
    limit_s: float = 800.0
    epochs: int = 40
    coolings: tuple[Literal["fan", "no-fan"], ...] = ("fan", "no-fan")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One student: its model files as bytes and what was measured while it was made."""

    float32: bytes
    int8: bytes
    metrics: dict[str, Any]

    @property
    def passed(self) -> dict[str, bool]:
        """Which exports decide as the trained network does in at least 99.5 % of the states."""
        return {name: self.metrics[f"{name}_parity"] >= PARITY for name in ("float", "int8")}


def train_students(
    board: Board, rows: Rows, check: Rows, settings: TrainSettings, data_sha256: str, out: Path
) -> list[dict[str, Any]]:
    """A policy file per seed in `out`, student-<seed>.onnx and .int8.onnx; their metrics.

    What is there already is kept, so that a killed training goes on. An export that does not pass
    the parity gate is not written.
    """
    with Progress("students", 1 + len(settings.seeds)) as progress:
        told = read_json(out / "search.json")
        if told is None:
            told = _searched(rows, check, settings)
            write_atomically(out / "search.json", strict_json(told) + "\n")
        progress.advance()
        about = {"board": board.name, "data_sha256": data_sha256, "recipe": told["recipe"]}
        found = []
        for seed in settings.seeds:
            file = out / f"student-{seed}.json"
            metrics = read_json(file)
            if metrics is None:
                made = make_student(board, rows, check, settings, seed, about)
                metrics = {"seed": seed, **made.metrics, "passed": made.passed}
                for name, model in (("float", made.float32), ("int8", made.int8)):
                    if made.passed[name]:
                        write_atomically(student_path(out, seed, name), model)
                write_atomically(file, strict_json(metrics) + "\n")
            found.append(metrics)
            progress.advance()
    return found


def student_path(out: Path, seed: int, kind: str = "float") -> Path:
    """Where the policy file of a seed lies, kind "float" or "int8"."""
    return out / f"student-{seed}{'.int8' if kind == 'int8' else ''}.onnx"


def _searched(rows: Rows, check: Rows, settings: TrainSettings) -> dict[str, Any]:
    """The network with the least checked cost, and the figures of all that were tried."""
    recipes = [
        Recipe(depth=d, width=w, epochs=settings.epochs // 2)
        for d in settings.depths
        for w in settings.widths
    ]
    some = chosen(rows, np.arange(len(rows.x)) % SEARCHED == 0)
    found = search(some, check, recipes, settings.seeds[0])
    tried = [
        {"depth": r.depth, "width": r.width, "loss": min(t.losses), **figures(t.checked)}
        for r, t in found
    ]
    return {"recipe": {**asdict(found[0][0]), "epochs": settings.epochs}, "tried": tried}


def make_student(
    board: Board,
    rows: Rows,
    check: Rows,
    settings: TrainSettings,
    seed: int,
    about: dict[str, Any],
) -> Made:
    """Train, let it drive and learn from where it got (DAgger), calibrate and export.

    The states it visits are on boards drawn from the posterior; check is not added to.
    """
    recipe = replace(Recipe(), **about["recipe"])
    trained = train(rows, check, recipe, seed)
    history = [figures(trained.checked)]
    for turn in range(settings.rounds):
        told = described(calibrate(pooled(trained.net(check.x), check.x), check))
        scenarios, seeds = _drives(board, settings, seed, turn)
        more = visited(
            board, WithSwaps(Student(to_onnx(trained.net, told))), scenarios, seeds,
            sample=lambda b, rng: b.sample(rng), limit_s=settings.limit_s,
        )  # fmt: skip
        rows = joined([rows, more])
        trained = train(rows, check, recipe, seed)
        history.append({**figures(trained.checked), "examples": len(rows.x)})
    return _export(trained, rows, check, {**about, "seed": seed}, history)


def _drives(
    board: Board, settings: TrainSettings, seed: int, turn: int
) -> tuple[list[Scenario], list[int]]:
    """Scenarios and seeds of one DAgger round, with seen programs."""
    mixes = [
        Mix(programs="seen", load=load, shares=shares, fixed="duration", cooling=cooling)
        for load in LOADS
        for shares in SHARES
        for cooling in settings.coolings
    ]
    scenarios = [mix.scenario(board) for mix in mixes for _ in range(settings.boards)]
    first = 100_000 + 10_000 * seed + 1000 * turn
    return scenarios, [first + i for i in range(len(scenarios))]


def _export(
    trained: Trained, rows: Rows, check: Rows, about: dict[str, Any], history: list[Any]
) -> Made:
    plain = pooled(trained.net(check.x), check.x)
    calibration = calibrate(plain, check)
    metrics: dict[str, Any] = {
        "checked": figures(score(handicapped(plain, calibration.handicap), check)),
        "history": history,
        "examples": len(rows.x),
        "losses": trained.losses,
    }
    full = to_onnx(trained.net, described(calibration, **about, metrics=metrics))
    rng = np.random.default_rng(about["seed"])
    small = to_int8(full, rows.x[rng.choice(len(rows.x), min(RANGES, len(rows.x)), replace=False)])
    free = ~np.isnan(check.temp_c)
    decided = handicapped(plain, calibration.handicap)
    for name, model in (("float", full), ("int8", small)):
        rated = handicapped(pooled(load(model).rate(check.x), check.x), calibration.handicap)
        metrics[f"{name}_parity"] = same_decisions(decided, rated, free)
    return Made(float32=full, int8=small, metrics=metrics)


def figures(found: Score) -> dict[str, float]:
    """A score as numbers by name."""
    return {**asdict(found), "regret": found.regret}
