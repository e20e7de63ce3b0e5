"""`edgetwin run TASK`: policies over seeds on one board, compared in one table."""

import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from edgetwin.cli import options
from edgetwin.cli.output import Json, announce_compiling, note, print_json, print_table, show
from edgetwin.cli.target import DryRun, Root, Target, device_options


def run(
    task: options.TaskName,
    board: options.BoardName = None,
    scenario: options.ScenarioName = None,
    policies: options.PolicyNames = None,
    seeds: Annotated[int, typer.Option(help="How many seeds, counted from --seed.")] = 1,
    seed: options.FirstSeed = 0,
    duration_s: options.Duration = None,
    backend: options.BackendKind = "sim",
    target: Target = None,
    root: Root = None,
    dry_run: DryRun = False,
    jobs: options.Jobs = 1,
    out: options.Out = None,
    live: options.Live = False,
    watch: options.Watched = False,
    pace: options.Pace = None,
    as_json: Json = False,
) -> None:
    """Run policies on a board and compare them: heat, energy, quality of service.

    A policy of yours is named by its file: --policies ondemand,mine.py:make

    Example: edgetwin run thermal --policies powersave,ondemand,qos-dvfs --seeds 5
    """
    from edgetwin.cli.watching import watching
    from edgetwin.policies import policy_entries
    from edgetwin.sweeps import run_study
    from edgetwin.tasks import find_task

    chosen = find_task(task)
    if policies == "help":
        _list_policies(policy_entries(), task, as_json)
        return
    device = device_options(backend, target, root, dry_run=dry_run, jobs=jobs)
    study = _study(chosen, board, scenario, policies, seeds, seed, duration_s, backend, device)
    with ExitStack() as stack:
        path = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = stack.enter_context(study.open(path, command(), verb="run", task=task))
        announce_compiling()
        seen = stack.enter_context(
            watching(study.boards[0], backend, live=live, table=watch, pace=pace)
        )
        rows = run_study(study, folder, jobs=jobs, keep_traces=True, watch=seen)
        table = _summary(study, rows, chosen.kpis)
        result = {"task": task, "board": study.boards[0].name, "scenario": study.scenarios[0].name,
                  "seeds": list(study.seeds), "policies": table}  # fmt: skip
        if out is not None:
            folder.write_kpis(result)
            _report(study, folder, result, chosen.kpis)
    if as_json:
        print_json(result)
        return
    _print(study, table, chosen.kpis)
    if out is not None:
        note(f"kept in {out}; look at it with: edgetwin view {out}")


def _list_policies(entries: Mapping[str, Any], task: str, as_json: bool) -> None:
    named = {e.name: e.title for e in entries.values() if e.suits(task)}
    if as_json:
        print_json({"task": task, "policies": named})
        return
    print_table(f"Policies for {task}", ["policy", "what it does"], list(named.items()))


def _summary(study: Any, rows: Any, units: Mapping[str, str]) -> dict[str, Any]:
    """Every key figure of every policy, over the seeds."""
    from edgetwin.intervals import summarise

    return {
        policy.name: summarise((r.kpis for r in rows if r.policy == policy.name), units)
        for policy in study.policies
    }


def _study(
    task: Any,
    board: str | None,
    scenario: str | None,
    policies: str | None,
    seeds: int,
    seed: int,
    duration_s: float | None,
    backend: str,
    device: Mapping[str, Any],
) -> Any:
    from edgetwin.policies import find_policy
    from edgetwin.scenario import load_scenario
    from edgetwin.sweeps import Study
    from hw_models.board import load_board

    check_numbers(seeds, seed, duration_s)
    chosen = names_of("--policies", policies, task.policies)
    _check_names(task, chosen, backend)
    plan = load_scenario(scenario or task.scenario)
    return Study(
        policies=tuple(map(find_policy, chosen)),
        boards=(load_board(board or task.board),),
        scenarios=(plan,),
        seeds=tuple(range(seed, seed + seeds)),
        duration_s=duration_s or min(task.duration_s, plan.duration_s),
        backend=backend,
        device=device,
    )


def check_numbers(seeds: int, seed: int, duration_s: float | None) -> None:
    """ValueError unless there is a seed and time to run."""
    if seeds < 1 or seed < 0:
        raise ValueError(f"--seeds {seeds} --seed {seed}: give at least one seed, from 0 on.")
    if duration_s is not None and not 0 < duration_s < 1e9:
        raise ValueError(f"--duration {duration_s}: give a positive number of seconds.")


def names_of(option: str, given: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
    """The names in an option, with commas between; ValueError for none or one given twice."""
    names = tuple(filter(None, given.split(","))) if given is not None else default
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{option} {given}: name at least one, each once.")
    return names


def _check_names(task: Any, policies: tuple[str, ...], backend: str) -> None:
    """KeyError for a policy or backend that does not exist, ValueError for one that cannot run."""
    from edgetwin.factory import backend_kinds
    from edgetwin.policies import find_policy, policy_entries
    from hw_models.naming import unknown

    for name in policies:
        if not find_policy(name).suits(task.name):
            fitting = ", ".join(e.name for e in policy_entries().values() if e.suits(task.name))
            raise ValueError(f"policy {name} cannot do task {task.name}; these can: {fitting}.")
    if backend not in backend_kinds():
        raise KeyError(unknown("backend", backend, backend_kinds()))
    if backend == "replay":
        raise ValueError("a recorded trace obeys no policy; use: edgetwin replay LOG --board NAME")


def command() -> list[str]:
    """The words that repeat this run."""
    return ["edgetwin", *sys.argv[1:]]


def _print(study: Any, table: dict[str, Any], units: dict[str, str]) -> None:
    n = len(study.seeds)
    seeds = "one seed" if n == 1 else f"{n} seeds, mean and 95 % interval"
    board = f"{study.boards[0].name} (grade {study.boards[0].grade})"
    title = f"{study.scenarios[0].name} on {board}, {seeds}"
    heads = ["policy", *(f"{name} [{u}]" if u else name for name, u in units.items())]
    rows = [[policy, *(cell(table[policy][name]) for name in units)] for policy in table]
    print_table(title, heads, rows)


def cell(figure: Mapping[str, float | None]) -> str:
    """A mean with half its interval, where it has one."""
    if figure["low"] is None or figure["high"] is None:
        return show(figure["value"])
    half = (figure["high"] - figure["low"]) / 2
    return f"{show(figure['value'])} ± {show(half)}"


def _report(study: Any, folder: Any, result: dict[str, Any], units: dict[str, str]) -> None:
    """The page of the run."""
    from edgetwin.report.run_page import write_run_page

    write_run_page(study, folder, result, units, command())
