"""The row about digits: FLOPs to a target, every method tuned by the same search."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from edgetwin.cells import CellStore, run_cells
from edgetwin.reproduce.federated.devices import device_name
from edgetwin.reproduce.federated.digits import reach
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
from edgetwin.studies import Figure, Means, Rows, row

BARS: Final = {"fedzo": 2.0, "decomfl": 1.5}
NOT_REACHED: Final = 1.5
"""Budgets that a run counts in the search when it ends before the target."""

_RATE: Final = {"lr": (1e-4, 1e-2)}


def _whole(rates: Mapping[str, float], perturbations: int) -> Settings:
    return {"perturbations": perturbations, "lr": rates["lr"]}


def _split(rates: Mapping[str, float], how: tuple[str, int, int]) -> Settings:
    """The second rate is a multiple of the first."""
    difference, first, second = how
    both = [rates["lr"], float(f"{rates['lr'] * rates['ratio']:.3g}")]
    return {"counts": [first, second], "difference": difference, "lr": both}


SPACES: Final = {
    "fedspzo": Space(
        ranges=_RATE | {"ratio": (2.0, 32.0)},
        choices=(("central", 1, 4), ("forward", 4, 16)),
        make=_split,
    ),
    "fedzo": Space(ranges=_RATE, choices=(1, 4), make=_whole),
    "decomfl": Space(ranges=_RATE, choices=(5, 10), make=_whole),
}


def effort_of(quick: bool) -> Effort:
    """Quick: a fraction of the whole, stated in the row."""
    if quick:
        return Effort(settings=8, tuning_seeds=2, seeds=10, budget_flops=40e9)
    return Effort(settings=24, tuning_seeds=4, seeds=16, budget_flops=40e9)


def digits_rows(folder: Path, means: Means) -> Rows:
    """The row by name; its runs are kept in cells under the folder."""
    measure = partial(_digits, CellStore(path=folder), means)
    return {"digits": ("FLOPs to 90 % on digits", measure)}


def _digits(store: CellStore, means: Means, quick: bool) -> dict[str, Any]:
    """Every method takes the settings that the search chose to other seeds."""
    effort = effort_of(quick)

    def run(trials: Sequence[Trial]) -> list[Any]:
        keys = [[*trial, effort.budget_flops] for trial in trials]
        return run_cells(store, keys, partial(_reach, means), jobs=means.jobs)

    def cost(trials: Sequence[Trial]) -> list[float]:
        return [min(flops, NOT_REACHED * effort.budget_flops) for flops in _flops(run(trials))]

    tried = {name: candidates(space, effort.settings) for name, space in SPACES.items()}
    chosen = best_of(tried, effort, cost)
    seeds = range(JUDGED_SEED, JUDGED_SEED + effort.seeds)
    judged = run([(name, chosen[name], seed) for name in SPACES for seed in seeds])
    spent = np.array(_flops(judged)).reshape(len(SPACES), -1)
    found = dict(zip(SPACES, spent, strict=True))
    figures, ratios = {}, {}
    for other, bar in BARS.items():
        ratios[other] = ratio_interval(found[other], found["fedspzo"])
        figures[f"over_{other}"] = Figure(value=ratios[other]["value"], bar=bar, at_least=True)
        figures[f"over_{other}_low"] = Figure(value=ratios[other]["low"], bar=1.0, at_least=True)
    return row(
        figures, ratios=ratios, seeds=effort.seeds, tuning_seeds=effort.tuning_seeds,
        settings_tried=effort.settings, settings=chosen,
        flops={name: values.tolist() for name, values in found.items()},
        devices=sorted({one["device"] for one in judged}),
    )  # fmt: skip


def _flops(runs: Sequence[Any]) -> list[float]:
    return [np.inf if one["flops"] is None else one["flops"] for one in runs]


def _reach(means: Means, key: list[Any]) -> dict[str, Any]:
    """One run; a cell of the study."""
    means.check_time()
    name, settings, seed, budget_flops = key
    found = reach(name, settings, seed, budget_flops, device=means.device)
    return found | {"device": device_name(means.device)}
