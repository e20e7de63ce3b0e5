"""The row about digits: FLOPs to a target, every method tuned by the same search."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

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
from edgetwin.studies import Figure, Means, Rows, absent, row

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


PARTS: Final = {
    "rates by block": Space(
        ranges=_RATE | {"ratio": (2.0, 32.0)},
        choices=(("central", 1, 1),),
        make=lambda rates, how: {**_split(rates, how), "coupling": "joint"},
    ),
    "splitting": Space(
        ranges=_RATE,
        choices=(("central", 1, 4), ("forward", 4, 16)),
        make=lambda rates, how: _split({**rates, "ratio": 1.0}, how),
    ),
}
_METHODS: Final = dict.fromkeys((*PARTS, "both"), "fedspzo")


def effort_of(quick: bool) -> Effort:
    """Quick: a fraction of the whole, stated in the row."""
    if quick:
        return Effort(settings=8, tuning_seeds=2, seeds=10, budget_flops=40e9)
    return Effort(settings=24, tuning_seeds=4, seeds=16, budget_flops=40e9)


def digits_rows(folder: Path, means: Means) -> Rows:
    """The row by name; its runs are kept in cells under the folder."""
    runs = Digits(CellStore(path=folder), means)
    return {"digits": ("FLOPs to 90 % on digits", runs.against_others)}


def parts_rows(folder: Path, means: Means) -> Rows:
    """Where the gain comes from; beside the judged rows."""
    runs = Digits(CellStore(path=folder), means)
    return {"parts": ("digits: rates by block alone, splitting alone", runs.by_part)}


@final
class Digits:
    """The runs behind the rows, each computed once and kept."""

    def __init__(self, store: CellStore, means: Means) -> None:
        self.store, self.means = store, means

    def against_others(self, quick: bool) -> dict[str, Any]:
        """Every method takes the settings that the search chose to other seeds."""
        effort = effort_of(quick)
        chosen, found, devices = self.tuned(SPACES, effort)
        figures, ratios = {}, {}
        for other, bar in BARS.items():
            ratios[other] = ratio_interval(found[other], found["fedspzo"])
            figures[f"over_{other}"] = Figure(value=ratios[other]["value"], bar=bar, at_least=True)
            figures[f"over_{other}_low"] = Figure(
                value=ratios[other]["low"], bar=1.0, at_least=True
            )
        return row(
            figures, ratios=ratios, seeds=effort.seeds, tuning_seeds=effort.tuning_seeds,
            settings_tried=effort.settings, settings=chosen,
            flops={name: values.tolist() for name, values in found.items()}, devices=devices,
        )  # fmt: skip

    def by_part(self, quick: bool) -> dict[str, Any]:
        """MeZO's FLOPs over those of each part of FedSPZO and of the whole, tuned alike."""
        effort = effort_of(quick)
        spaces = {"fedzo": SPACES["fedzo"], **PARTS, "both": SPACES["fedspzo"]}
        chosen, found, devices = self.tuned(spaces, effort)
        gains = {name: ratio_interval(found["fedzo"], found[name]) for name in (*PARTS, "both")}
        said = ", ".join(f"{name} {gain['value']:.3g}" for name, gain in gains.items())
        return absent(f"MeZO's FLOPs over those of {said}") | {
            "detail": gains, "settings": chosen, "seeds": effort.seeds, "devices": devices,
        }  # fmt: skip

    def tuned(
        self, spaces: Mapping[str, Space], effort: Effort
    ) -> tuple[dict[str, Settings], dict[str, NDArray[np.float64]], list[str]]:
        """By name the settings chosen and the FLOPs on judged seeds, (seeds,); the devices."""

        def run(trials: Sequence[Trial]) -> list[Any]:
            keys = [[_METHODS.get(n, n), one, k, effort.budget_flops] for n, one, k in trials]
            return run_cells(self.store, keys, partial(_reach, self.means), jobs=self.means.jobs)

        def cost(trials: Sequence[Trial]) -> list[float]:
            return [min(flops, NOT_REACHED * effort.budget_flops) for flops in _flops(run(trials))]

        tried = {name: candidates(space, effort.settings) for name, space in spaces.items()}
        chosen = best_of(tried, effort, cost)
        seeds = range(JUDGED_SEED, JUDGED_SEED + effort.seeds)
        judged = run([(name, chosen[name], seed) for name in spaces for seed in seeds])
        spent = np.array(_flops(judged)).reshape(len(spaces), -1)
        devices = sorted({one["device"] for one in judged})
        return chosen, dict(zip(spaces, spent, strict=True)), devices


def _flops(runs: Sequence[Any]) -> list[float]:
    return [np.inf if one["flops"] is None else one["flops"] for one in runs]


def _reach(means: Means, key: list[Any]) -> dict[str, Any]:
    """One run; a cell of the study."""
    means.check_time()
    name, settings, seed, budget_flops = key
    found = reach(name, settings, seed, budget_flops, device=means.device)
    return found | {"device": device_name(means.device)}
