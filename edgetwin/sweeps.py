"""Policies x boards x scenarios x seeds: each run a cell that is never done twice."""

import hashlib
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, final

from edgetwin.backend import RunResult, run
from edgetwin.cells import run_cells
from edgetwin.factory import make_backend
from edgetwin.hardware.errors import SafetyAbort
from edgetwin.intervals import Kpis
from edgetwin.policies import PolicyEntry, find_policy
from edgetwin.progress import Progress
from edgetwin.runs import RunFolder
from edgetwin.scenario import Scenario, load_scenario
from edgetwin.simulator import Simulator
from hw_models.board import Board, load_board
from hw_models.trace import Reading

Watch = Callable[[PolicyEntry, int], Callable[[Reading], None]]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is compared: every policy on every board under every scenario, with every seed.

    A run lasts duration_s at most, and the scenario's own duration where that is None. device are
    the options of backend "hardware".
    """

    policies: tuple[PolicyEntry, ...]
    boards: tuple[Board, ...]
    scenarios: tuple[Scenario, ...]
    seeds: tuple[int, ...]
    duration_s: float | None = None
    backend: str = "sim"
    device: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for what in ("policies", "boards", "scenarios"):
            names = [member.name for member in getattr(self, what)]
            if not names or len(set(names)) < len(names):
                raise ValueError(f"{what} are {names}; name at least one, each once.")
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds are {list(self.seeds)}; give at least one, each once, from 0.")
        if self.duration_s is not None and not 0 < self.duration_s < 1e9:
            raise ValueError(f"duration is {self.duration_s} s; give a positive number of seconds.")

    def cells(self) -> list[list[Any]]:
        """One key per run, in order: [board, scenario, policy, seed]."""
        return [
            [board.name, scenario.name, policy.name, seed]
            for board in sorted(self.boards, key=_name)
            for scenario in sorted(self.scenarios, key=_name)
            for policy in sorted(self.policies, key=_name)
            for seed in sorted(self.seeds)
        ]

    def check(self) -> None:
        """Every pair fits as far as its start tells, or ValueError before anything is run."""
        for board in self.boards:
            for scenario in self.scenarios:
                make_backend(self.backend, board=board, scenario=scenario, **self.device).close()
            for policy in self.policies:
                policy.make().reset(board, seed=self.seeds[0])

    def facts(self) -> dict[str, object]:
        """All that decides the results, for the run folder."""
        return {
            "boards": [board.name for board in self.boards],
            "scenarios": [scenario.model_dump(mode="json") for scenario in self.scenarios],
            "policies": [policy.name for policy in self.policies],
            "seeds": self.seeds,
            "duration_s": self.duration_s,
            "backend": self.backend,
            **{
                f"device {name}": str(value)
                for name, value in self.device.items()
                if name != "watch"
            },
        }

    def open(self, path: Path, command: Sequence[str], **more: object) -> RunFolder:
        """The run folder of this study once its parts fit; FileExistsError for another's."""
        self.check()
        boards = {
            f"board {board.name}": hashlib.sha256(board.model_dump_json().encode()).hexdigest()
            for board in self.boards
        }
        sources = {f"policy {p.name}": p.sha256 for p in self.policies if p.sha256}
        return RunFolder.create(path, command, {**more, **self.facts()}, boards | sources)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run of a study and its key figures."""

    board: str
    scenario: str
    policy: str
    seed: int
    kpis: Kpis


def run_study(
    study: Study,
    folder: RunFolder,
    *,
    jobs: int = 1,
    engine: str = "joblib",
    keep_traces: bool = False,
    watch: Watch | None = None,
) -> tuple[Row, ...]:
    """One row per cell, in their order; runs that the folder holds already are not repeated.

    `jobs` processes (-1: all) of an engine, "joblib" or "ray", share the work. With keep_traces
    traces go to the folder by policy and seed, which takes one board and one scenario. watch is
    asked before every run for what shall see its readings; then all is done in this process.
    """
    import cloudpickle

    keys, kept = study.cells(), folder if keep_traces else None
    work = partial(_cell, cloudpickle.dumps(study), kept)
    if watch is not None:
        if jobs != 1:
            raise ValueError(f"jobs is {jobs}; who is watched runs in one process.")
        work = partial(_watched_cell, study, kept, watch)
    with Progress("runs") if watch is None else nullcontext() as progress:
        kpis = run_cells(folder.cells, keys, work, jobs, progress, engine=engine)
    return tuple(
        Row(board=b, scenario=s, policy=p, seed=n, kpis=figures)
        for (b, s, p, n), figures in zip(keys, kpis, strict=True)
    )


def run_one(
    study: Study,
    board: Board,
    scenario: Scenario,
    policy: PolicyEntry,
    seed: int,
    watch: Callable[[Reading], None] | None = None,
) -> RunResult:
    """One run of a study; watch sees every reading."""
    duration_s = study.duration_s or scenario.duration_s
    backend = make_backend(
        study.backend, board=board, scenario=scenario, seed=seed, **study.device
    )  # fmt: skip
    try:
        twin = backend if isinstance(backend, Simulator) else None
        result = run(
            backend, policy.make(), duration_s=duration_s, seed=seed, scenario=scenario, twin=twin,
            watch=watch,
        )  # fmt: skip
        if getattr(backend, "tripped", ""):
            raise SafetyAbort(f"{board.name} {backend.tripped}; the board was given back.")  # type: ignore[attr-defined]
        return result
    finally:
        backend.close()


@lru_cache(maxsize=1)
def _unpacked(study: bytes) -> Study:
    """The study as a worker keeps it: its boards are made ready once, not for every batch."""
    found: Study = pickle.loads(study)
    return found


def _cell(packed: bytes, folder: RunFolder | None, key: Sequence[Any]) -> Kpis:
    return _watched_cell(_unpacked(packed), folder, None, key)


def _watched_cell(
    study: Study, folder: RunFolder | None, watch: Watch | None, key: Sequence[Any]
) -> Kpis:
    board, scenario, policy, seed = key
    entry = _named(study.policies, policy)
    result = run_one(
        study, _named(study.boards, board), _named(study.scenarios, scenario), entry, seed,
        None if watch is None else watch(entry, seed),
    )  # fmt: skip
    if folder is not None:
        result.trace.to_parquet(folder.trace_path(policy, seed))
    return result.kpis


def write_results(rows: Sequence[Row], folder: RunFolder) -> Path:
    """The results of a study are one file, the same bit for bit however it came about."""
    names = list(dict.fromkeys(name for row in rows for name in row.kpis))
    columns: dict[str, Sequence[Any]] = {
        what: [getattr(row, what) for row in rows]
        for what in ("board", "scenario", "policy", "seed")
    }
    figures = {name: [row.kpis.get(name) for row in rows] for name in names}
    return folder.write_results(columns, figures)


def groups(rows: Iterable[Row]) -> dict[tuple[str, str, str], list[Kpis]]:
    """Key figures over seeds by (board, scenario, policy), in the order of the rows."""
    found: dict[tuple[str, str, str], list[Kpis]] = {}
    for row in rows:
        found.setdefault((row.board, row.scenario, row.policy), []).append(row.kpis)
    return found


def sweep(
    policies: Iterable[str | PolicyEntry],
    boards: Iterable[str | Path | Board],
    scenarios: Iterable[str | Path | Scenario],
    *,
    seeds: int | Iterable[int] = 1,
    duration_s: float | None = None,
    out: str | Path | None = None,
    engine: str = "joblib",
    jobs: int = -1,
) -> tuple[Row, ...]:
    """Run every policy on every board under every scenario with every seed.

    seeds counts from 0, or lists them. `out` is a run folder: a sweep that was killed goes on
    where it stood when it is called again with the same arguments, and the results lie in
    `results.parquet`. jobs processes (-1: all cores) share the work, with engine "ray" those of a
    Ray cluster. KeyError for an unknown name, ValueError for what does not fit.
    """
    study = Study(
        policies=tuple(find_policy(p) if isinstance(p, str) else p for p in policies),
        boards=tuple(map(load_board, boards)),
        scenarios=tuple(map(load_scenario, scenarios)),
        seeds=tuple(range(seeds) if isinstance(seeds, int) else seeds),
        duration_s=duration_s,
    )
    with ExitStack() as stack:
        path = out or stack.enter_context(tempfile.TemporaryDirectory())
        folder = stack.enter_context(study.open(Path(path), sys.argv, verb="sweep"))
        rows = run_study(study, folder, jobs=jobs, engine=engine)
        write_results(rows, folder)
    return rows


def _name(member: Board | Scenario | PolicyEntry) -> str:
    return member.name


def _named(members: Sequence[Any], name: str) -> Any:
    return next(member for member in members if member.name == name)
