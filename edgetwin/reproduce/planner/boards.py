"""Twins of four Jetson boards: the planner against the baselines and brute force, cell by cell."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.cells import CellStore, run_cells
from edgetwin.factory import make_backend
from edgetwin.reproduce.planner import tasks
from edgetwin.reproduce.planner.grid_rows import data_folder, no_data
from edgetwin.simulator import Simulator
from edgetwin.studies import Figure, row
from edgetwin.systems.planner.baselines import FIXED_LARGEST, FIXED_MEDIAN, usual
from edgetwin.systems.planner.choice import Planner
from edgetwin.systems.planner.efficiency import Efficiency
from edgetwin.systems.planner.meter import Care
from edgetwin.systems.planner.on_board import Task
from edgetwin.systems.planner.profiler import Hold

Array = NDArray[np.float64]

CAPS: Final = 6
CARE: Final = Care()
HOLD: Final = Hold(overshoot=0.1)


def row_of_boards(store: CellStore, quick: bool) -> dict[str, Any]:
    """Four boards, four networks, six caps: gap, speed-up and energy saved, sensor noise on."""
    if data_folder() is None:
        return no_data()
    seeds = 1 if quick else 3
    found = all_cells(store, quick, seeds)
    whole = [each for of_pair in found.values() for each in of_pair]
    gaps = np.array([each["gap"] for each in whole])
    over = np.array([each["overshoot"] for each in whole])
    seen = [e["baseline_measured"] for e in whole if e["baseline_measured"] is not None]
    return row(
        {"mean_gap": Figure(value=float(gaps.mean()), bar=0.03)},
        n=len(gaps), seeds=seeds, caps=CAPS, p95_gap=float(np.quantile(gaps, 0.95)),
        exact_share=float((gaps < 1e-9).mean()),
        choices_over_cap=sum(e["above"] > 0 for e in whole),
        worst_above_cap=max(e["above"] for e in whole),
        fixed_batch_choice_measured={"share": float(np.mean(seen)), "n": len(seen)},
        profiling_overshoot={
            "asked": HOLD.overshoot, "p95": float(np.quantile(over, 0.95)),
            "worst": float(over.max()),
        },
        profiling_s=float(np.mean([e["profiling_s"] for e in whole])),
        accuracy="every batch size is compared at the same target accuracy",
        efficiency=tasks.SOURCES,
        by_pair={name: _pair(of_pair) for name, of_pair in found.items()},
    )  # fmt: skip


def all_cells(store: CellStore, quick: bool, seeds: int) -> dict[str, list[dict[str, Any]]]:
    """Every choice by "board/network"."""
    folder = data_folder()
    needed = {net: tasks.efficiency(store, folder, net, quick) for net in tasks.NETWORKS}
    keys = [
        {"board": board, "network": network, "seed": seed, "overshoot": HOLD.overshoot,
         "needed": tasks.as_text(needed[network].needed),
         "share": tasks.as_text(needed[network].share)}
        for board in tasks.BOARDS for network in tasks.NETWORKS for seed in range(seeds)
    ]  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = {}
    for key, value in zip(keys, run_cells(store, keys, choices), strict=True):
        found.setdefault(f"{key['board']}/{key['network']}", []).extend(value)
    return found


def choices(key: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The choices of one board, network and seed for every cap, with all baselines."""
    needed = Efficiency(
        needed={int(b): n for b, n in key["needed"].items()},
        share={int(b): n for b, n in key["share"].items()},
    )
    task = tasks.task(key["board"], key["network"], needed)
    truth = task.truth(Simulator(task.board), CARE)
    return [choice(task, truth, float(cap_w), int(key["seed"])) for cap_w in caps_w(truth, CAPS)]


def caps_w(truth: Planner, n: int) -> Array:
    """Caps in the middle of n equal parts from the 5 % to the 95 % quantile of the peaks, (n,).

    In the middle, because a quantile may be the peak of a cell itself, and whether a cell fits a
    cap that equals its peak cannot be measured.
    """
    low, high = np.quantile(truth.belief.peak_w, [0.05, 0.95])
    return np.asarray(low + (np.arange(n) + 0.5) / n * (high - low))


def choice(task: Task, truth: Planner, cap_w: float, seed: int) -> dict[str, Any]:
    """What is planned from fifteen cells of the twin, against the truth of its counters."""
    backend = make_backend("sim", board=task.board, seed=seed)
    most_w = cap_w * (1.0 + HOLD.overshoot)
    meter = task.meter(backend, replace(CARE, caps_w=(cap_w,), abort_w=most_w))
    found = task.profile(meter, [cap_w], hold=HOLD, seed=seed)
    plan = task.planner(found).plan(cap_w)
    at = plan.choice.at
    best = int(np.argmin(np.where(truth.belief.peak_w <= cap_w, truth.time_s, np.inf)))
    others = usual(task.board, task.space.batches, seed)
    chosen = {name: choose(truth, cap_w) for name, choose in others.items()}
    return {
        "cap_w": cap_w,
        "seed": seed,
        "cell": dict(plan.choice.label),
        "optimum": dict(task.space.label(best)),
        "gap": float(truth.time_s[at] / truth.time_s[best] - 1.0),
        "above": float(truth.belief.peak_w[at]) / cap_w - 1.0,
        "time_s": float(truth.time_s[at]),
        "energy_j": float(truth.energy_j[at]),
        "profiling_s": meter.spent_s,
        "overshoot": found.overshoot,
        "baseline_measured": None if chosen[FIXED_LARGEST] is None else bool(
            found.belief.is_measured[chosen[FIXED_LARGEST]]
        ),
        "baselines": {
            name: None if cell is None else {
                "cell": dict(task.space.label(cell)),
                "time_s": float(truth.time_s[cell]),
                "energy_j": float(truth.energy_j[cell]),
            }
            for name, cell in chosen.items()
        },
    }  # fmt: skip


def _pair(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A board and network: speed-up and energy saved over the fixed-batch user, by cap."""
    gaps = [each["gap"] for each in found]
    return {
        "mean_gap": float(np.mean(gaps)),
        "worst_gap": float(np.max(gaps)),
        "by_cap": {
            f"{cap_w:.2f} W": {
                name: _against([e for e in found if e["cap_w"] == cap_w], name)
                for name in (FIXED_LARGEST, FIXED_MEDIAN, "max-throughput", "power-modes")
            }
            for cap_w in sorted({each["cap_w"] for each in found})
        },
    }


def _against(found: Sequence[Mapping[str, Any]], name: str) -> dict[str, float] | None:
    """Speed-up and share of energy saved over a baseline; None where it finds nothing."""
    pairs = [(e, e["baselines"].get(name)) for e in found]
    known = [(e, other) for e, other in pairs if other is not None]
    if not known:
        return None
    return {
        "speedup": float(np.mean([other["time_s"] / e["time_s"] for e, other in known])),
        "energy_saved": float(
            np.mean([1 - e["energy_j"] / other["energy_j"] for e, other in known])
        ),
    }
