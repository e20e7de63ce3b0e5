"""Batch-size efficiency: what a batch size costs in samples, and how sure that is.

A run that missed the target still cost its whole budget, and somebody has to start again. So what
a batch size needs is all that its runs spent, divided by the runs that arrived: the mean of a
geometric number of tries. A batch that one lucky run of five reached is not best.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.storage import read_json, strict_json, write_atomically
from hw_models.naming import unknown

Array = NDArray[np.float64]

REACHED_SHARE: Final = 0.8  # of its runs must reach the default target, and at least two of them
_COLUMNS: Final = (
    "dataset", "network", "batch_size", "optimizer", "learning_rate", "run", "target_metric",
    "target_epoch",
)  # fmt: skip


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Training runs of one workload: for each batch size, what every run needed.

    needed maps batch -> target -> (n_runs,), NaN where a run never got there, in epochs or
    samples. budget is what a run that never got there spent. is_falling: lower targets are harder
    (a loss, a word error rate).
    """

    workload: str
    needed: Mapping[int, Mapping[float, Array]]
    budget: float
    is_falling: bool
    unit: str = "epochs"
    source: str = ""

    @property
    def targets(self) -> tuple[float, ...]:
        """The targets, from the easiest to the hardest."""
        known = {target for by_target in self.needed.values() for target in by_target}
        return tuple(sorted(known, reverse=self.is_falling))

    def reached(self, target: float) -> tuple[int, ...]:
        """Batch sizes whose runs reach a target dependably: four in five, and at least two."""
        return tuple(
            batch for batch, by_target in self.needed.items()
            if _share(by_target.get(target)) >= REACHED_SHARE
            and np.isfinite(by_target[target]).sum() >= 2
        )  # fmt: skip

    def default_targets(self, n: int = 1) -> tuple[float, ...]:
        """The n hardest targets that two batch sizes reach dependably, hardest first."""
        fit = [target for target in self.targets if len(self.reached(target)) >= 2]
        if not fit:
            raise ValueError(
                f"no target of {self.workload} is reached by two batch sizes in four of five runs "
                "(and two runs); give more runs, or a target."
            )
        return tuple(reversed(fit[-n:]))

    def some(self, kept: Mapping[int, Sequence[int]]) -> "Runs":
        """Only some runs of each batch size, by position."""
        needed = {
            batch: {target: values[list(kept[batch])] for target, values in by_target.items()}
            for batch, by_target in self.needed.items()
        }
        return Runs(
            workload=self.workload, needed=needed, budget=self.budget,
            is_falling=self.is_falling, unit=self.unit, source=self.source,
        )  # fmt: skip

    def efficiency(self, target: float) -> "Efficiency":
        """What every batch size needs for a target; KeyError for a target that was not recorded.

        Batch sizes that no run brought there are left out; ValueError when none is left.
        """
        if target not in self.targets:
            known = ", ".join(f"{t:g}" for t in self.targets)
            raise KeyError(f"no run of {self.workload} records target {target:g}; known: {known}.")
        found = {
            batch: _needed(by_target[target], self.budget)
            for batch, by_target in sorted(self.needed.items())
            if target in by_target and np.isfinite(by_target[target]).any()
        }
        if not found:
            easier = [f"{t:g}" for t in self.targets if any(self.reached(t))]
            raise ValueError(
                f"no run of {self.workload} reached {target:g}; reached: {', '.join(easier)}."
            )
        shares = _pooled([by_target[target] for by_target in self.needed.values()
                          if target in by_target])  # fmt: skip
        counts = {batch: np.isfinite(self.needed[batch][target]).sum() for batch in found}
        return Efficiency(
            needed=found,
            share={b: float(shares / np.sqrt(counts[b])) for b in found},
            unit=self.unit,
            source=self.source,
            target=target,
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """What training needs until the target, by batch size: epochs or samples, and its doubt.

    share is the standard error of ln needed: a share s means a factor of exp(+-s).
    """

    needed: Mapping[int, float]
    share: Mapping[int, float]
    unit: str = "samples"
    source: str = ""
    target: float | None = None

    def __post_init__(self) -> None:
        for batch, value in self.needed.items():
            if not (batch > 0 and np.isfinite(value) and value > 0):
                raise ValueError(
                    f"batch {batch} needs {value} {self.unit}; expected numbers above zero."
                )
        if not self.needed:
            raise ValueError("no batch size has an efficiency; give samples to the target.")

    def of(self, batch: Array) -> Array:
        """What cells of these batch sizes need, (n,); NaN where a batch is not known."""
        return np.array([self.needed.get(int(b), np.nan) for b in batch])

    def doubt(self, batch: Array) -> Array:
        """The standard error of ln needed, (n,)."""
        return np.array([self.share.get(int(b), np.nan) for b in batch])


def table_efficiency(
    needed: Mapping[int, float], *, share: float = 0.0, unit: str = "samples", source: str = "given"
) -> Efficiency:
    """An efficiency that somebody states, with one standard error for all batch sizes."""
    return Efficiency(
        needed=dict(needed), share=dict.fromkeys(needed, share), unit=unit, source=source
    )


def in_samples(efficiency: Efficiency, epoch_samples: float) -> Efficiency:
    """Epochs as samples, for a training set of so many."""
    if efficiency.unit != "epochs":
        raise ValueError(f"the efficiency counts {efficiency.unit}, not epochs.")
    if not epoch_samples > 0:
        raise ValueError(f"an epoch has {epoch_samples} samples; give a number above zero.")
    needed = {batch: epochs * epoch_samples for batch, epochs in efficiency.needed.items()}
    return replace(efficiency, needed=needed, unit="samples")


def write_efficiency(efficiency: Efficiency, path: Path) -> None:
    """An efficiency as a file that `edgetwin plan --efficiency` reads."""
    write_atomically(path, strict_json({"schema": 1, **asdict(efficiency)}) + "\n")


def read_efficiency(path: str | PathLike[str]) -> Efficiency:
    """An efficiency that was written by `write_efficiency`; ValueError for anything else."""
    record = read_json(Path(path))
    try:
        return Efficiency(
            needed={int(b): float(v) for b, v in record["needed"].items()},
            share={int(b): float(v) for b, v in record["share"].items()},
            unit=str(record["unit"]),
            source=str(record["source"]),
            target=record["target"],
        )
    except (KeyError, TypeError, AttributeError):
        raise ValueError(
            f"{path} holds no efficiency; expected needed, share, unit, source and target, as "
            "`edgetwin train --measure` writes them."
        ) from None


def read_runs(path: str | PathLike[str]) -> dict[str, Runs]:
    """Runs of a Zeus training summary by workload, dataset/network/optimizer; ValueError.

    An empty target_epoch means that the run never reached that target. What such a run spent is not
    recorded: the longest run of the workload stands for it. Columns as in github
    ml-energy/zeus@75a8b939, summary_train.csv.
    """
    by_workload: dict[str, dict[int, dict[float, dict[str, float]]]] = {}
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{path}: no column {missing[0]!r}; training runs have {','.join(_COLUMNS)}."
            )
        for line, row in enumerate(reader, start=2):
            batch, target, epoch = _numbers(path, line, row)
            name = "/".join((row["dataset"], row["network"], row["optimizer"]))
            run = f"{row['learning_rate']} {row['run']}"
            by_target = by_workload.setdefault(name, {}).setdefault(batch, {})
            by_target.setdefault(target, {})[run] = epoch
    if not by_workload:
        raise ValueError(f"{path}: no training run; expected one target of one run per line.")
    return {name: _runs(name, batches, str(path)) for name, batches in by_workload.items()}


def runs_of(runs: Mapping[str, Runs], workload: str) -> Runs:
    """The runs of a workload; KeyError that says what is missing where only its optimizer is."""
    if workload in runs:
        return runs[workload]
    stem = workload.rsplit("/", 1)[0]
    same = [name for name in runs if name.rsplit("/", 1)[0] == stem]
    if same:
        raise KeyError(
            f"no training runs of {workload}: the optimizer {workload.rsplit('/', 1)[-1]!r} has "
            f"no efficiency data. Known: {', '.join(same)}."
        )
    raise KeyError(unknown("workload with training runs", workload, runs))


def _numbers(path: object, line: int, row: Mapping[str, str]) -> tuple[int, float, float]:
    try:
        batch, target = int(row["batch_size"]), float(row["target_metric"])
        epoch = float(row["target_epoch"]) if row["target_epoch"].strip() else np.nan
    except (TypeError, ValueError, AttributeError):
        raise ValueError(
            f"{path}, line {line}: batch_size, target_metric and target_epoch are "
            f"{row['batch_size']!r}, {row['target_metric']!r}, {row['target_epoch']!r}; expected "
            "numbers, an empty target_epoch where the target was missed."
        ) from None
    if batch < 1 or epoch <= 0:
        raise ValueError(f"{path}, line {line}: batch and epoch must be above zero.")
    return batch, target, epoch


def _runs(name: str, batches: dict[int, dict[float, dict[str, float]]], source: str) -> Runs:
    epochs = [
        e for by_target in batches.values() for by_run in by_target.values()
        for e in by_run.values() if np.isfinite(e)
    ]  # fmt: skip
    needed = {
        batch: {target: np.array(list(by_run.values())) for target, by_run in by_target.items()}
        for batch, by_target in sorted(batches.items())
    }
    return Runs(
        workload=name, needed=needed, budget=max(epochs, default=1.0),
        is_falling=_falls(batches), source=source,
    )  # fmt: skip


def _falls(batches: Mapping[int, Mapping[float, Mapping[str, float]]]) -> bool:
    """Do lower targets take longer? Seen in the runs themselves: a run reaches easy ones first."""
    votes = 0
    for by_target in batches.values():
        low, high = min(by_target), max(by_target)
        for run in by_target[low]:
            first, last = (by_target[t].get(run, np.nan) for t in (low, high))
            first, last = (np.inf if np.isnan(e) else e for e in (first, last))
            votes += int(first > last) - int(first < last)
    return votes > 0


def _share(values: Array | None) -> float:
    return 0.0 if values is None or not len(values) else float(np.isfinite(values).mean())


def _needed(values: Array, budget: float) -> float:
    """All that was spent, for each run that arrived."""
    return float(np.where(np.isfinite(values), values, budget).sum() / np.isfinite(values).sum())


def _pooled(groups: Sequence[Array]) -> float:
    """How runs of one batch size differ, as a standard deviation of ln, over all batch sizes."""
    logs = [np.log(g[np.isfinite(g)]) for g in groups]
    freedom = sum(max(len(g) - 1, 0) for g in logs)
    squares = sum(float(((g - g.mean()) ** 2).sum()) for g in logs if len(g))
    return float(np.sqrt(squares / freedom)) if freedom else 0.2
