"""Batch-size efficiency from real training: a script is run with every batch size, several seeds.

Every run is a cell that is kept when it is finished, so that a killed measurement goes on. A run
ends when it reports the target, or when it has seen its budget of samples. The learning rate
follows the batch by a stated rule.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, final

import numpy as np

from edgetwin.cells import CellStore, run_cells
from edgetwin.progress import Progress
from edgetwin.systems.planner.efficiency import Efficiency, Runs
from edgetwin.systems.planner.noise_scale import NoiseMeter, NoiseScale
from edgetwin.systems.planner.script import Enough, find_script, run_script

Rule = Literal["sqrt", "linear", "constant"]
RULES: Final[Mapping[Rule, float]] = {"sqrt": 0.5, "linear": 1.0, "constant": 0.0}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """How a script is tried: target metric, budget in samples, rule of the learning rate.

    The rate is multiplied with (batch / base) to the rule's power: 1/2 "sqrt", 1 "linear",
    0 "constant".
    """

    script: str
    target: float
    is_falling: bool
    budget_samples: float
    rule: Rule = "sqrt"

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"rule {self.rule!r}; give one of {', '.join(RULES)}.")
        if not self.budget_samples > 0:
            raise ValueError(f"the budget is {self.budget_samples} samples; give more.")


@final
class TrialSession:
    """One run on the proxy split: counts samples until the target or the end of the budget."""

    is_proxy = True

    def __init__(
        self, trial: Trial, batch: int | None, seed: int, *, gradients: int | None = None
    ) -> None:
        self.trial, self.batch, self.seed = trial, batch, seed
        self.samples = 0.0
        self.steps = 0
        self.metric: float | None = None
        self.has_reached = False
        self.noise = NoiseMeter()
        self.base = 0
        self._gradients = gradients

    def rate_factor(self, batch: int, base: int) -> float:
        """The rule of the trial."""
        self.base = base
        return float((batch / base) ** RULES[self.trial.rule])

    def stepped(self, batch: int, parameters: Iterable[Any] | None) -> None:
        """Counts, and ends the run at the end of its budget."""
        self.samples += batch
        self.steps += 1
        if self._gradients is not None:
            if parameters is None:
                raise ValueError(
                    "the noise scale needs gradients: call hook.step(model.parameters())."
                )
            self.noise.add(batch, parameters)
            if self.steps > self._gradients:
                raise Enough
        if self.samples >= self.trial.budget_samples:
            raise Enough

    def reported(self, metric: float) -> bool:
        """Ends the run at the target."""
        self.metric = metric
        falls = self.trial.is_falling
        if metric <= self.trial.target if falls else metric >= self.trial.target:
            self.has_reached = True
            raise Enough
        return False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """A measured noise scale, and the batch size that is the script's own."""

    scale: NoiseScale
    base: int

    def efficiency(self, batches: Sequence[int], samples_at_base: float = 1.0) -> Efficiency:
        """What batch sizes need, as predicted; only the ratios are known unless one is given."""
        needed = samples_at_base * self.scale.needed(batches, self.base)
        return Efficiency(
            needed={int(b): float(n) for b, n in zip(batches, needed, strict=True)},
            share=dict.fromkeys(batches, 0.2),
            source=f"noise scale of {self.scale.samples:.3g} samples from {self.scale.steps} steps",
        )


def measure_runs(
    trial: Trial, batches: Sequence[int], seeds: Sequence[int], store: CellStore, jobs: int = 1
) -> Runs:
    """Samples that every run needed, as `Runs`; finished runs of the store are not repeated."""
    keys = [
        {"script": _digest(trial.script), "target": trial.target, "rule": trial.rule,
         "budget": trial.budget_samples, "batch": batch, "seed": seed}
        for batch in batches for seed in seeds
    ]  # fmt: skip

    def work(key: dict[str, Any]) -> float | None:
        return _one(trial, int(key["batch"]), int(key["seed"]))

    with Progress(f"training {trial.script}") as progress:
        needed = run_cells(store, keys, work, jobs, progress)
    table = np.array([np.nan if n is None else n for n in needed]).reshape(len(batches), -1)
    return Runs(
        workload=trial.script,
        needed={b: {trial.target: row} for b, row in zip(batches, table, strict=True)},
        budget=trial.budget_samples,
        is_falling=trial.is_falling,
        unit="samples",
        source=f"{len(seeds)} runs of {trial.script} a batch size, learning rate by {trial.rule}",
    )


def measure_noise(trial: Trial, batch: int | None, *, steps: int = 200, seed: int = 0) -> Noise:
    """The noise scale of a short run at a batch size (default: the script's own), and its base."""
    session = TrialSession(trial, batch, seed, gradients=steps)
    run_script(find_script(trial.script), session)
    _require_steps(trial.script, session.steps)
    base = session.base or session.noise.result().batch
    return Noise(scale=session.noise.result(), base=base)


def predicted_efficiency(
    trial: Trial, batches: Sequence[int], seeds: Sequence[int], store: CellStore, steps: int
) -> Efficiency:
    """What batch sizes need, from runs at the script's own and the gradients of a short one."""
    noise = measure_noise(trial, None, steps=steps, seed=seeds[0])
    known = measure_runs(trial, [noise.base], seeds, store).efficiency(trial.target)
    found = noise.efficiency(batches, known.needed[noise.base])
    return replace(found, target=trial.target)


def _one(trial: Trial, batch: int, seed: int) -> float | None:
    """Samples until the target, None for a run that did not get there."""
    session = TrialSession(trial, batch, seed)
    run_script(find_script(trial.script), session)
    _require_steps(trial.script, session.steps)
    if session.metric is None:
        raise ValueError(f"{trial.script} never called hook.report(metric); add it.")
    return session.samples if session.has_reached else None


def _require_steps(script: str, steps: int) -> None:
    if not steps:
        raise ValueError(
            f"{script} ended without a training step that edgetwin saw: call hook.step() after "
            "every optimizer.step() (hook = training_hook(batch=...))."
        )


def _digest(script: str) -> str:
    """What tells one script from another: its text."""
    from edgetwin.storage import file_sha256

    return file_sha256(Path(find_script(script)))
