"""`edgetwin gap --board B --target ...`: the same policies on the twin and on the device."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetwin.cli.output import Json, announce_compiling, note, print_json, print_table
from edgetwin.cli.run import check_numbers, command, names_of
from edgetwin.cli.target import Root, Target, device_options

if TYPE_CHECKING:
    from edgetwin.backend import Backend


def gap(
    board: Annotated[str, typer.Option(help="Board name or board.toml.")],
    target: Target = None,
    root: Root = None,
    task: Annotated[str, typer.Option(help="thermal or training: its policies and figures.")] = (
        "training"
    ),
    scenario: Annotated[str | None, typer.Option(help="Scenario name or file.")] = None,
    policies: Annotated[str | None, typer.Option(help="Names with commas between.")] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds, counted from --seed.")] = 1,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    duration_s: Annotated[float, typer.Option("--duration", help="Seconds of each run.")] = 60.0,
    out: Annotated[Path | None, typer.Option(help="Folder to keep report and traces in.")] = None,
    as_json: Json = False,
) -> None:
    """Say how far the twin is from the board: errors per signal, decisions, order of policies.

    Example: edgetwin gap --board jetson-nano --root /tmp/nano --policies performance,powersave
    """
    from edgetwin import gap as gaps
    from edgetwin.factory import make_backend
    from edgetwin.progress import Progress
    from edgetwin.scenario import load_scenario
    from edgetwin.tasks import find_task
    from hw_models.board import load_board

    check_numbers(seeds, seed, duration_s)
    chosen, made = find_task(task), load_board(board)
    plan = load_scenario(scenario or chosen.scenario)
    names = names_of("--policies", policies, chosen.policies)
    device = device_options("hardware", target, root)
    announce_compiling()

    def twin(n: int) -> "Backend":
        return make_backend("sim", board=made, scenario=plan, seed=n)

    def real(n: int) -> "Backend":
        return make_backend("hardware", board=made, scenario=plan, seed=n, **device)

    pairs = []
    with Progress("runs", len(names) * seeds) as progress:
        for name in names:
            for n in range(seed, seed + seeds):
                pairs.append(gaps.compare_policy(name, n, twin, real, duration_s))
                progress.advance()
    about = {"board": made.name, "task": task, "scenario": plan.name, "duration_s": duration_s}
    result = about | gaps.as_json(pairs, chosen.kpis)
    if out is not None:
        arguments = about | {"policies": names, "seeds": seeds, "seed": seed}
        _keep(out, arguments, pairs, result, chosen.kpis)
    if as_json:
        print_json(result)
        return
    _print(result)
    if out is not None:
        note(f"kept in {out}; look at {out / 'report.html'}")


def _keep(
    out: Path, about: dict[str, Any], pairs: Any, result: dict[str, Any], kpis: dict[str, str]
) -> None:
    from edgetwin.report.gap_page import write_gap_page
    from edgetwin.runs import RunFolder

    with RunFolder.create(out, command(), {"verb": "gap", **about}) as folder:
        folder.write_kpis(result)
        for pair in pairs:
            for side in ("twin", "device"):
                path = folder.trace_path(f"{side}-{pair.policy}", pair.seed)
                getattr(pair, side).trace.to_parquet(path)
        write_gap_page(pairs, result, kpis, command(), folder.path / "report.html")


def _print(result: dict[str, Any]) -> None:
    heads = ["n", "bias", "mae", "rmse", "p95"]
    rows = [[name, *(row[h] for h in heads)] for name, row in result["signals"].items()]
    title = f"{result['scenario']} on {result['board']}, {result['duration_s']:g} s a run"
    print_table(f"{title}: twin less device", ["signal", *heads], rows)
    print_table(
        "decisions: share alike step by step, and on the device's own readings",
        ["policy", "seed", "alike", "on the same readings"],
        [[r["policy"], r["seed"], r["decisions_alike"], r["decisions_alike_on_same_readings"]]
         for r in result["runs"]],
    )  # fmt: skip
    ranks = [[name, share] for name, share in result["ranking_alike"].items()]
    print_table("order of policies: share of pairs alike", ["figure", "alike"], ranks)
