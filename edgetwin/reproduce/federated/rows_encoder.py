"""Rows about the encoder: FLOPs to equal loss, final accuracy, curves over split point and P2."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from edgetwin.cells import CellStore, run_cells
from edgetwin.progress import Progress
from edgetwin.reproduce.federated.devices import device_name
from edgetwin.reproduce.federated.encoder import (
    TASKS,
    equal_loss_flops,
    learn,
    material,
    sst2_files,
)
from edgetwin.reproduce.federated.ratios import ratio_interval
from edgetwin.reproduce.federated.search import (
    JUDGED_SEED,
    Effort,
    Settings,
    Space,
    Trial,
    best_of,
    candidates,
)
from edgetwin.reproduce.federated.spaces import CURVE_SEEDS, CURVES, FIRST_ORDER, SPACES
from edgetwin.studies import Figure, Means, Rows, absent, row

Key = dict[str, Any]
Run = Mapping[str, Any]
"""A finished run: its "curve", and the "device" that computed it."""

BARS: Final = {"fedzo": 1.6, "fedkseed": 1.6, "decomfl": 1.2}
GOAL: Final = 3.0
FIRST_ORDER_SETTINGS: Final = 5
FIRST_ORDER_SEEDS: Final = 3


def effort_of(quick: bool) -> Effort:
    """Quick: a fraction of the whole, stated in every row."""
    if quick:
        return Effort(settings=4, tuning_seeds=1, seeds=3, budget_flops=0.3e12)
    return Effort(settings=16, tuning_seeds=3, seeds=6, budget_flops=3e12)


@final
class Encoder:
    """The runs behind the rows, each computed once and kept in the study's folder."""

    def __init__(self, folder: Path, means: Means) -> None:
        self.store, self.means = CellStore(path=folder / "cells"), means

    def runs(self, keys: Iterable[Key]) -> list[Run]:
        """Finished runs, in order."""
        work = partial(_work, self.means)
        with Progress("runs of the encoder") as progress:
            return run_cells(self.store, list(keys), work, jobs=self.means.jobs, progress=progress)

    def tuned(
        self, tasks: Sequence[str], spaces: Mapping[str, Space], effort: Effort, **more: Any
    ) -> dict[tuple[str, str], Settings]:
        """By task and method the settings with the least loss at the end, on other seeds."""

        def losses(trials: list[Trial]) -> list[float]:
            keys = [
                _key(task, method, one, seed, effort, **more)
                for (task, method), one, seed in trials
            ]
            return [run["curve"][-1][1] for run in self.runs(keys)]

        tried = {
            (task, method): candidates(space, effort.settings)
            for task in tasks
            for method, space in spaces.items()
        }
        return best_of(tried, effort, losses)

    def judged(
        self, runs: Sequence[tuple[str, str, Settings]], effort: Effort, **more: Any
    ) -> list[list[Run]]:
        """Runs of the judged seeds for each task, method and settings."""
        seeds = range(JUDGED_SEED, JUDGED_SEED + effort.seeds)
        keys = [_key(*run, seed, effort, **more) for run in runs for seed in seeds]
        found = self.runs(keys)
        return [found[k : k + effort.seeds] for k in range(0, len(found), effort.seeds)]

    def gains(self, quick: bool) -> dict[str, Any]:
        """FLOPs of each other method over ours to an equal held-out loss, on every task."""
        effort, figures = effort_of(quick), dict[str, Figure]()
        chosen = self.tuned(tasks_here(), SPACES, effort)
        names = list(chosen)
        judged = self.judged([(*name, chosen[name]) for name in names], effort)
        runs = dict(zip(names, judged, strict=True))
        details: dict[str, Any] = {}
        for task in tasks_here():
            for other, bar in BARS.items():
                found = _gain(runs[task, "fedspzo"], runs[task, other])
                figures[f"{task}_over_{other}"] = Figure(
                    value=found["value"], bar=bar, at_least=True, goal=GOAL
                )
                details[f"{task}_over_{other}"] = found
            details[task] = {
                m: {"settings": chosen[task, m], **_ends(runs[task, m])} for m in SPACES
            }
        missing = sorted(set(TASKS) - set(tasks_here()))
        return row(
            figures, n=effort.seeds, settings_tried=effort.settings,
            tuning_seeds=effort.tuning_seeds, budget_flops=effort.budget_flops, detail=details,
            not_here=missing, devices=_devices(judged),
        )  # fmt: skip

    def accuracy(self, quick: bool) -> dict[str, Any]:
        """Final accuracy, against first-order FedAvg on as many batches, and the majority."""
        effort, task = effort_of(quick), "docstrings"
        chosen = self.tuned([task], {"fedspzo": SPACES["fedspzo"]}, effort)[task, "fedspzo"]
        (ours,) = self.judged([(task, "fedspzo", chosen)], effort)
        rounds = _rounds(effort, chosen)
        few = replace(effort, settings=min(effort.settings, FIRST_ORDER_SETTINGS), tuning_seeds=1)
        first = self.tuned([task], FIRST_ORDER, few, most_rounds=rounds)[task, "fedavg"]
        fewer = replace(effort, seeds=min(effort.seeds, FIRST_ORDER_SEEDS))
        (theirs,) = self.judged([(task, "fedavg", first)], fewer, most_rounds=rounds)
        own, reference = _ends(ours)["accuracy"], _ends(theirs)["accuracy"]
        guessing = _majority(task)
        return row(
            {"over_majority": Figure(value=own - guessing, bar=0.1, at_least=True)},
            accuracy=own, first_order_accuracy=reference, gap=reference - own, majority=guessing,
            untrained=ours[0]["curve"][0][2], n=effort.seeds, settings=chosen,
            first_order_settings=first, first_order_n=fewer.seeds, devices=_devices([ours]),
            first_order_devices=_devices([theirs]),
        )  # fmt: skip

    def where(self, quick: bool) -> dict[str, Any]:
        """Loss at one budget by split point and P2, two blocks, rates as the search chose them."""
        effort, task = effort_of(quick), "docstrings"
        rates = self.tuned([task], {"fedspzo": SPACES["fedspzo"]}, effort)[task, "fedspzo"]["lr"]
        few = replace(effort, seeds=min(effort.seeds, CURVE_SEEDS))
        splits = [
            {"at": at, "counts": counts,
             "lr": [rates[0], rates[0] * counts[1] if at == [1] else rates[2]]}
            for at, counts in CURVES
        ]  # fmt: skip
        judged = self.judged([(task, "fedspzo", one) for one in splits], few, looks=1)
        found = {
            f"after_{at[0]}_p2_{counts[1]}": _ends(own)
            for (at, counts), own in zip(CURVES, judged, strict=True)
        }
        best = min(found, key=lambda name: found[name]["loss"])
        reason = f"least loss of two blocks {found[best]['loss']:.4g} nat: {best}"
        return absent(reason) | {"n": few.seeds, "detail": found, "devices": _devices(judged)}


def tasks_here() -> list[str]:
    """Films only where the data are."""
    try:
        sst2_files()
    except FileNotFoundError:
        return [task for task in TASKS if task != "sst2"]
    return list(TASKS)


def encoder_rows(folder: Path, means: Means) -> tuple[Rows, Rows]:
    """Rows that are judged, and the curves beside them."""
    runs = Encoder(folder, means)
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


def _work(means: Means, key: Key) -> Run:
    means.check_time()
    return {"curve": learn(**key, device=means.device), "device": device_name(means.device)}


def _devices(runs: Iterable[Iterable[Run]]) -> list[str]:
    return sorted({run["device"] for some in runs for run in some})


def _gain(ours: Sequence[Run], theirs: Sequence[Run]) -> dict[str, float]:
    """FLOPs of theirs over ours to an equal loss, over seeds."""
    pairs = [(a["curve"], b["curve"]) for a, b in zip(ours, theirs, strict=True)]
    flops = np.array([equal_loss_flops(*pair) for pair in pairs])
    return ratio_interval(flops[:, 1], flops[:, 0])


def _rounds(effort: Effort, settings: Settings) -> int:
    """Rounds of two clients that a budget of ours holds, about: the head costs next to nothing,
    and batches are of 16 examples with 14 tokens."""
    layers: list[int] = [2 * n for n in settings["counts"][:2]]
    if settings["difference"] == "forward":
        layers = [1 + sum(settings["counts"][: k + 1]) for k in range(2)]
    step_flops = sum(layers) * 16 * 14 * 2 * 1.77e6
    return max(20, round(effort.budget_flops / (2 * step_flops)))


def _ends(runs: Sequence[Run]) -> dict[str, float]:
    last = np.array([run["curve"][-1] for run in runs])
    return {
        "loss": float(last[:, 1].mean()), "loss_std": float(last[:, 1].std(ddof=1)),
        "accuracy": float(last[:, 2].mean()), "flops": float(last[:, 0].mean()),
    }  # fmt: skip


def _majority(task: str) -> float:
    labels = material(task)[2].labels
    return float(np.bincount(labels).max() / len(labels))
