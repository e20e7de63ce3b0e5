"""What a policy did with several seeds, and how it is kept as a baseline."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

from edgetwin.policies import PolicyEntry, find_policy
from edgetwin.policy_files import policy_from
from edgetwin.runs import RunFolder
from edgetwin.scenario import Scenario, load_scenario
from edgetwin.storage import read_json, strict_json, write_atomically
from edgetwin.sweeps import Study, run_study
from hw_models.board import Board, load_board
from hw_models.naming import unknown

SCHEMA: Final = 1
SEEDS: Final = 10
SCENARIO: Final = "gate-mix"  # made for comparing: what comes and goes, no policy moves


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReport:
    """One policy on one board under one scenario: key figures seed by seed.

    digest names board, scenario and duration: reports of another digest cannot be compared.
    """

    policy: str
    board: str
    scenario: str
    duration_s: float
    seeds: tuple[int, ...]
    kpis: tuple[Mapping[str, float | None], ...]
    digest: str
    folder: Path = field(default_factory=Path)

    def values(self, figure: str) -> dict[int, float]:
        """A figure by seed; KeyError for one that no run has, empty where it does not apply."""
        if figure not in self.kpis[0]:
            raise KeyError(unknown("key figure", figure, list(self.kpis[0])))
        pairs = zip(self.seeds, self.kpis, strict=True)
        known = {seed: value for seed, one in pairs if (value := one[figure]) is not None}
        return known if len(known) == len(self.seeds) else {}

    def write(self, path: Path) -> None:
        """Keep the report as a baseline."""
        data = {name: getattr(self, name) for name in _KEPT}
        write_atomically(path, strict_json({"schema": SCHEMA, **data}) + "\n")


_KEPT: Final = ("policy", "board", "scenario", "duration_s", "seeds", "kpis", "digest")


def read_report(path: Path) -> PolicyReport:
    """A baseline; FileNotFoundError or ValueError in one line."""
    if not path.is_file():
        raise FileNotFoundError(
            f"no baseline at {path}; write it on the main branch: `edgetwin gate ... --update`, "
            "or `pytest --edgetwin-update`."
        )
    data = read_json(path)
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or not set(_KEPT) <= set(data):
        raise ValueError(f"{path} is no baseline of this version; write it again with --update.")
    fields = {name: data[name] for name in _KEPT}
    return PolicyReport(**fields | {"seeds": tuple(data["seeds"]), "kpis": tuple(data["kpis"])})


PolicyLike = str | PolicyEntry | Callable[..., Any]


def policy_entry(policy: PolicyLike) -> PolicyEntry:
    """A policy by name, by place (`mine.py:make`), or as an object, function or factory."""
    if isinstance(policy, PolicyEntry):
        return policy
    if isinstance(policy, str):
        return find_policy(policy)
    name = getattr(policy, "__name__", type(policy).__name__)
    return PolicyEntry(name=name, make=lambda: policy_from(policy), title=name)


def policy_report(
    policy: PolicyLike,
    *,
    board: str | Path | Board,
    scenario: str | Path | Scenario,
    seeds: int | Iterable[int] = SEEDS,
    duration_s: float | None = None,
    jobs: int = 1,
    out: RunFolder | None = None,
) -> PolicyReport:
    """Run a policy with every seed; `out` keeps the cells and traces, and resumes."""
    study = study_of(policy, board=board, scenario=scenario, seeds=seeds, duration_s=duration_s)
    with tempfile.TemporaryDirectory() as folder:
        kept = out or study.open(Path(folder), ["edgetwin", "gate"], verb="gate")
        rows = run_study(study, kept, jobs=jobs, keep_traces=out is not None)
    return PolicyReport(
        policy=study.policies[0].name,
        board=study.boards[0].name,
        scenario=study.scenarios[0].name,
        duration_s=_duration_s(study),
        seeds=tuple(row.seed for row in rows),
        kpis=tuple(dict(row.kpis) for row in rows),
        digest=_digest(study),
    )


def study_of(
    policy: PolicyLike,
    *,
    board: str | Path | Board,
    scenario: str | Path | Scenario,
    seeds: int | Iterable[int] = SEEDS,
    duration_s: float | None = None,
) -> Study:
    """What is run for a report: one policy, one board, one scenario, several seeds."""
    return Study(
        policies=(policy_entry(policy),),
        boards=(load_board(board),),
        scenarios=(load_scenario(scenario),),
        seeds=tuple(range(seeds) if isinstance(seeds, int) else seeds),
        duration_s=duration_s,
    )


def _duration_s(study: Study) -> float:
    """How long a run lasts at most, whoever says so."""
    return study.duration_s or study.scenarios[0].duration_s


def _digest(study: Study) -> str:
    parts = [study.boards[0].model_dump_json(), study.scenarios[0].model_dump_json()]
    text = json.dumps([*parts, _duration_s(study)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
