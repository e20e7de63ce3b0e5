"""Policies x seeds on one board and scenario: each run a cell that is never done twice."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, final

from edgetwin.backend import RunResult, run
from edgetwin.factory import make_backend
from edgetwin.policies import make_policy
from edgetwin.progress import Progress
from edgetwin.runs import RunFolder, run_cells
from edgetwin.scenario import Scenario
from hw_models.board import Board

Kpis = Mapping[str, float | None]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is compared: policies by name over seeds, on one board under one scenario."""

    board: Board
    scenario: Scenario
    policies: tuple[str, ...]
    seeds: tuple[int, ...]
    duration_s: float
    backend: str = "sim"

    def cells(self) -> list[list[Any]]:
        """One key per run: [policy, seed]."""
        return [[policy, seed] for policy in self.policies for seed in self.seeds]


def run_one(study: Study, policy: str, seed: int) -> RunResult:
    """One run of a study."""
    backend = make_backend(study.backend, board=study.board, scenario=study.scenario, seed=seed)
    try:
        return run(backend, make_policy(policy), duration_s=study.duration_s, seed=seed)
    finally:
        backend.close()


def run_study(study: Study, folder: RunFolder, jobs: int = 1) -> dict[str, list[Kpis]]:
    """Key figures of every run by policy, in the order of the seeds.

    Traces go to the run folder; runs that it already holds are not repeated.
    """
    for policy in study.policies:
        make_policy(policy)
    keys = study.cells()
    with Progress("runs") as progress:
        values = run_cells(folder.cells, keys, partial(_cell, study, folder), jobs, progress)
    by_policy: dict[str, list[Kpis]] = {policy: [] for policy in study.policies}
    for (policy, _), kpis in zip(keys, values, strict=True):
        by_policy[policy].append(kpis)
    return by_policy


def _cell(study: Study, folder: RunFolder, key: Sequence[Any]) -> Kpis:
    policy, seed = key
    result = run_one(study, policy, seed)
    result.trace.to_parquet(folder.trace_path(policy, seed))
    return result.kpis


def summarise(
    runs: Iterable[Kpis], names: Iterable[str], confidence: float = 0.95
) -> dict[str, dict[str, float | None]]:
    """Mean and Student-t interval over runs of every named figure: {value, low, high}.

    A figure that some run does not have is None throughout; one run has no interval.
    """
    table = list(runs)
    return {name: _interval([r.get(name) for r in table], confidence) for name in names}


def _interval(values: Sequence[float | None], confidence: float) -> dict[str, float | None]:
    known = [v for v in values if v is not None]
    if not known or len(known) < len(values):
        return {"value": None, "low": None, "high": None}
    mean = math.fsum(known) / len(known)
    if len(known) == 1:
        return {"value": mean, "low": None, "high": None}
    from scipy.special import stdtrit

    n = len(known)
    spread = math.sqrt(math.fsum((v - mean) ** 2 for v in known) / (n - 1) / n)
    half = float(stdtrit(n - 1, 0.5 + confidence / 2)) * spread
    return {"value": mean, "low": mean - half, "high": mean + half}
