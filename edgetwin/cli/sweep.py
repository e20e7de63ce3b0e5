"""`edgetwin sweep`: policies x boards x scenarios x seeds on all cores, or on a Ray cluster."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from edgetwin.cli.output import Json, announce_compiling, note, print_json, print_table
from edgetwin.cli.run import cell, check_numbers, command, names_of

# What the table shows; the file has all.
SHOWN = {
    "mean_temp_c": "degC",
    "peak_temp_c": "degC",
    "energy_j": "J",
    "violation_time_share": "",
    "completed": "",
    "time_to_target_s": "s",
}


def sweep(
    out: Annotated[Path, typer.Option(help="Folder of the sweep; an unfinished one goes on.")],
    policies: Annotated[str | None, typer.Option(help="Names with commas between.")] = None,
    boards: Annotated[str | None, typer.Option(help="Names or files, commas between.")] = None,
    scenarios: Annotated[str | None, typer.Option(help="Names or files, commas between.")] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds, counted from --seed.")] = 1,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    duration_s: Annotated[
        float | None, typer.Option("--duration", help="Simulated seconds at most; default: all.")
    ] = None,
    engine: Annotated[str, typer.Option(help="joblib (this machine) or ray.")] = "joblib",
    jobs: Annotated[int, typer.Option(help="Processes; -1 for all cores.")] = -1,
    as_json: Json = False,
) -> None:
    """Run every policy on every board under every scenario; results in one Parquet file.

    Example: edgetwin sweep --policies ondemand,qos-dvfs --boards hikey970,odroid-xu3 --seeds 20
    --out sweep
    """
    from edgetwin.report.study_page import write_sweep_page
    from edgetwin.sweeps import groups, run_study, write_results

    check_numbers(seeds, seed, duration_s)
    study = _study(policies, boards, scenarios, range(seed, seed + seeds), duration_s)
    with study.open(out, command(), verb="sweep") as folder:
        announce_compiling()
        rows = run_study(study, folder, jobs=jobs, engine=engine)
        results = write_results(rows, folder)
        result = {"runs": len(rows), "results": str(results), **_summary(groups(rows))}
        folder.write_kpis(result)
        write_sweep_page(result, SHOWN, command(), folder.path / "report.html")
    if as_json:
        print_json(result)
        return
    _print(result)
    note(f"{len(rows)} runs kept in {results}")


def _study(
    policies: str | None,
    boards: str | None,
    scenarios: str | None,
    seeds: range,
    duration_s: float | None,
) -> Any:
    from edgetwin.policies import find_policy
    from edgetwin.scenario import load_scenario
    from edgetwin.sweeps import Study
    from edgetwin.tasks import find_task
    from hw_models.board import load_board

    task = find_task("thermal")
    return Study(
        policies=tuple(map(find_policy, names_of("--policies", policies, task.policies))),
        boards=tuple(map(load_board, names_of("--boards", boards, (task.board,)))),
        scenarios=tuple(map(load_scenario, names_of("--scenarios", scenarios, (task.scenario,)))),
        seeds=tuple(seeds),
        duration_s=duration_s,
    )


def _summary(by_cell: Mapping[tuple[str, str, str], list[Any]]) -> dict[str, Any]:
    from edgetwin.intervals import summarise

    return {
        "groups": [
            {
                "board": board,
                "scenario": scenario,
                "policy": policy,
                "runs": len(kpis),
                "kpis": summarise(kpis, dict.fromkeys(name for one in kpis for name in one)),
            }
            for (board, scenario, policy), kpis in by_cell.items()
        ]
    }


def _print(result: Mapping[str, Any]) -> None:
    heads = [f"{name} [{unit}]" if unit else name for name, unit in SHOWN.items()]
    labels = ["board", "scenario", "policy", "runs"]
    rows = [
        [*(group[label] for label in labels), *(cell(group["kpis"][name]) for name in SHOWN)]
        for group in result["groups"]
    ]
    print_table("Mean over seeds and 95 % interval", [*labels, *heads], rows)
