"""Rows about the encoder: FLOPs to equal loss, final accuracy, curves over split point and P2."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from edgetwin.cells import CellStore, run_cells
from edgetwin.progress import Progress
from edgetwin.reproduce.federated.encoder import (
    TASKS,
    TUNING_SEED,
    equal_loss_flops,
    learn,
    material,
    sst2_files,
)
from edgetwin.reproduce.federated.ratios import ratio_interval
from edgetwin.studies import Figure, Rows, absent, row

Key = dict[str, Any]

BARS: Final = {"fedzo": 1.6, "fedkseed": 1.6, "decomfl": 1.2}
GOAL: Final = 3.0
_RATES: Final = (1e-4, 2e-4, 4e-4, 5e-5, 2.5e-5)
_DIFFERENCES: Final = {"forward": (1, 4, 32), "central": (1, 2, 32)}
_SPLIT: Final = tuple(  # two layers and the head, counts growing with depth
    {
        "at": [1, 2],
        "difference": difference,
        "counts": list(_DIFFERENCES[difference]),
        "lr": [rate, _DIFFERENCES[difference][1] * rate, head],
    }
    for difference, rate, head in (
        ("forward", 4e-4, 0.2),
        ("central", 4e-4, 0.2),
        ("forward", 2e-4, 0.2),
        ("central", 2e-4, 0.5),
        ("forward", 8e-4, 0.2),
    )
)
CANDIDATES: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "fedspzo": _SPLIT,
    "fedzo": tuple({"lr": rate} for rate in _RATES),
    "fedkseed": tuple({"lr": rate} for rate in _RATES),
    "decomfl": tuple({"lr": 2 * rate} for rate in _RATES),
}
FIRST_ORDER: Final = tuple({"lr": rate} for rate in (0.05, 0.02, 0.1, 0.2, 0.01))
CURVES: Final = tuple(  # of two blocks: where they are split, and P2
    ([at], [1, p2]) for at in (1, 2) for p2 in (2, 4, 8, 16)
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is spent: settings tried per method on how many other seeds, seeds, FLOPs a run."""

    settings: int
    tuning_seeds: int
    seeds: int
    budget_flops: float


def effort_of(quick: bool) -> Effort:
    """Quick: a fraction of the whole, stated in every row."""
    if quick:
        return Effort(settings=3, tuning_seeds=1, seeds=3, budget_flops=0.3e12)
    return Effort(settings=5, tuning_seeds=2, seeds=6, budget_flops=1e12)


@final
class Encoder:
    """The runs behind the rows, each computed once and kept in the study's folder."""

    def __init__(self, folder: Path) -> None:
        self.store = CellStore(path=folder / "cells")

    def curves(self, keys: Iterable[Key]) -> list[Any]:
        """Curves of runs, in order."""
        with Progress("runs of the encoder") as progress:
            return run_cells(self.store, list(keys), _work, jobs=-1, progress=progress)

    def tuned(
        self,
        task: str,
        method: str,
        tried: Sequence[Mapping[str, Any]],
        effort: Effort,
        **more: Any,
    ) -> Mapping[str, Any]:
        """The settings with the least loss at the end, on seeds that are not judged."""
        seeds = range(TUNING_SEED, TUNING_SEED + effort.tuning_seeds)
        some = tried[: effort.settings]
        keys = [_key(task, method, one, seed, effort, **more) for one in some for seed in seeds]
        ends = [curve[-1][1] for curve in self.curves(keys)]
        losses = np.array(ends, float).reshape(len(some), len(seeds)).mean(axis=1)
        return some[int(np.argmin(losses))]

    def judged(
        self, task: str, method: str, settings: Mapping[str, Any], effort: Effort, **more: Any
    ) -> list[Any]:
        """Curves of the seeds that are judged."""
        keys = [_key(task, method, settings, s, effort, **more) for s in range(effort.seeds)]
        return self.curves(keys)

    def gains(self, quick: bool) -> dict[str, Any]:
        """FLOPs of each other method over ours to an equal held-out loss, on every task."""
        effort, figures = effort_of(quick), dict[str, Figure]()
        details: dict[str, Any] = {}
        for task in tasks_here():
            chosen = {m: self.tuned(task, m, tried, effort) for m, tried in CANDIDATES.items()}
            curves = {m: self.judged(task, m, chosen[m], effort) for m in CANDIDATES}
            for other, bar in BARS.items():
                pairs = zip(curves["fedspzo"], curves[other], strict=True)
                flops = np.array([equal_loss_flops(ours, theirs) for ours, theirs in pairs])
                found = ratio_interval(flops[:, 1], flops[:, 0])
                figures[f"{task}_over_{other}"] = Figure(
                    value=found["value"], bar=bar, at_least=True, goal=GOAL
                )
                details[f"{task}_over_{other}"] = found
            details[task] = {m: {"settings": chosen[m], **_ends(curves[m])} for m in CANDIDATES}
        missing = sorted(set(TASKS) - set(tasks_here()))
        return row(
            figures, n=effort.seeds, settings_tried=effort.settings,
            budget_flops=effort.budget_flops, detail=details, not_here=missing,
        )  # fmt: skip

    def accuracy(self, quick: bool) -> dict[str, Any]:
        """Final accuracy, against first-order FedAvg on as many batches, and the majority."""
        effort, task = effort_of(quick), "docstrings"
        chosen = self.tuned(task, "fedspzo", CANDIDATES["fedspzo"], effort)
        ours = self.judged(task, "fedspzo", chosen, effort)
        rounds = _rounds(effort)
        first = self.tuned(task, "fedavg", FIRST_ORDER, effort, most_rounds=rounds)
        theirs = self.judged(task, "fedavg", first, effort, most_rounds=rounds)
        own, reference = _ends(ours)["accuracy"], _ends(theirs)["accuracy"]
        guessing = _majority(task)
        return row(
            {"over_majority": Figure(value=own - guessing, bar=0.1, at_least=True)},
            accuracy=own, first_order_accuracy=reference, gap=reference - own, majority=guessing,
            untrained=ours[0][0][2], n=effort.seeds, settings=chosen, first_order_settings=first,
        )  # fmt: skip

    def where(self, quick: bool) -> dict[str, Any]:
        """Loss at one budget by split point and P2, two blocks, rates as the search chose them."""
        effort, task = effort_of(quick), "docstrings"
        rates = self.tuned(task, "fedspzo", CANDIDATES["fedspzo"], effort)["lr"]
        found = {}
        for at, counts in CURVES:
            rest = rates[0] * counts[1] if at == [1] else rates[2]
            settings = {"at": at, "counts": counts, "lr": [rates[0], rest]}
            ends = _ends(self.judged(task, "fedspzo", settings, effort))
            found[f"after_{at[0]}_p2_{counts[1]}"] = ends
        best = min(found, key=lambda name: found[name]["loss"])
        reason = f"least loss of two blocks {found[best]['loss']:.4g} nat: {best}"
        return absent(reason) | {"n": effort.seeds, "detail": found}


def tasks_here() -> list[str]:
    """Films only where the data are."""
    try:
        sst2_files()
    except FileNotFoundError:
        return [task for task in TASKS if task != "sst2"]
    return list(TASKS)


def encoder_rows(folder: Path) -> tuple[Rows, Rows]:
    """Rows that are judged, and the curves beside them."""
    runs = Encoder(folder)
    judged = {
        "encoder": ("encoder: FLOPs of others over FedSPZO's to an equal loss", runs.gains),
        "accuracy": ("encoder: final accuracy beside first-order FedAvg", runs.accuracy),
    }
    return judged, {"split": ("encoder: loss over split point and P2", runs.where)}


def _key(
    task: str, method: str, settings: Mapping[str, Any], seed: int, effort: Effort, **more: Any
) -> Key:
    return {
        "task": task, "method": method, "settings": dict(settings), "seed": seed,
        "budget_flops": effort.budget_flops, **more,
    }  # fmt: skip


def _work(key: Key) -> Any:
    return learn(**key)


def _rounds(effort: Effort) -> int:
    """Rounds of ours in a budget: two clients, batches of eight, two layers, three blocks."""
    step_flops = (2 + 6) / 2 * 8 * 14 * 2 * 2 * 1.77e6
    return max(20, round(effort.budget_flops / (2 * step_flops)))


def _ends(curves: Sequence[Any]) -> dict[str, float]:
    last = np.array([curve[-1] for curve in curves])
    return {
        "loss": float(last[:, 1].mean()), "loss_std": float(last[:, 1].std(ddof=1)),
        "accuracy": float(last[:, 2].mean()), "flops": float(last[:, 0].mean()),
    }  # fmt: skip


def _majority(task: str) -> float:
    labels = material(task)[2].labels
    return float(np.bincount(labels).max() / len(labels))
