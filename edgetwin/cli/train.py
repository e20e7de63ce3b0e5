"""`edgetwin train SCRIPT`: a torch script trains for real, the plan drives board or twin."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from edgetwin.cli.output import Json, announce_compiling, note, print_json, print_table


def train(
    script: Annotated[
        str, typer.Argument(help="A .py file with the hook; or digits-cnn, char-transformer.")
    ],
    plan: Annotated[Path | None, typer.Option(help="plan.json of `edgetwin plan`.")] = None,
    backend: Annotated[str, typer.Option(help="sim (the twin) or hardware.")] = "sim",
    board: Annotated[
        str | None, typer.Option(help="Board; default: the one the plan was made for.")
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="Network that prices a step; default: the plan's.")
    ] = None,
    target: Annotated[float | None, typer.Option(help="Metric at which to stop.")] = None,
    falling: Annotated[
        bool, typer.Option("--falling", help="Lower is better (a loss, an error rate).")
    ] = False,
    rule: Annotated[
        str, typer.Option(help="How the learning rate follows the batch: sqrt, linear, constant.")
    ] = "sqrt",
    seed: Annotated[int, typer.Option(help="Of the script and of the twin's sensors.")] = 0,
    measure: Annotated[
        Path | None,
        typer.Option(help="Measure batch-size efficiency instead, into this folder (resumes)."),
    ] = None,
    batches: Annotated[str, typer.Option(help="Batch sizes to measure.")] = "8,16,32,64,128,256",
    seeds: Annotated[int, typer.Option(help="Runs of each batch size.")] = 3,
    budget: Annotated[float, typer.Option(help="Samples after which a run gives up.")] = 60_000,
    as_json: Json = False,
) -> None:
    """Train a script under a plan, or measure what each batch size costs it (--measure).

    Example: edgetwin train digits-cnn --plan plan.json
    """
    from edgetwin.systems.planner.convergence import RULES
    from edgetwin.systems.planner.script import EXAMPLES, constants_of, find_script
    from hw_models.naming import unknown

    path = find_script(script)
    if rule not in RULES:
        raise KeyError(unknown("rule", rule, list(RULES)))
    if script in EXAMPLES and target is None:
        stated = constants_of(path)
        target, falling = float(stated["TARGET"]), bool(stated["IS_FALLING"])
    if measure is not None:
        trial = {"script": script, "target": target, "is_falling": falling,
                 "budget_samples": budget, "rule": rule}  # fmt: skip
        _measure(trial, batches, seeds, measure, as_json)
        return
    if plan is None:
        raise ValueError("give --plan plan.json (edgetwin plan --out), or --measure FOLDER.")
    options = {"target": target, "is_falling": falling, "rule": rule, "seed": seed}
    found = _train(path, plan, backend, board, network, options)
    if as_json:
        print_json(found)
        return
    _print(path, found)


def _train(
    path: Path,
    plan: Path,
    backend: str,
    board: str | None,
    network: str | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    from edgetwin.factory import make_backend
    from edgetwin.progress import Progress
    from edgetwin.storage import read_json
    from edgetwin.systems.planner.launch import BoardSession, read_order, train
    from hw_models.board import load_board
    from hw_models.workloads import load_network

    order, record = read_order(plan), read_json(plan)
    on = board or record.get("board")
    if on is None:
        raise ValueError(f"{plan} names no board; give --board.")
    priced = load_network(network or str(record.get("network", "resnet-18-cifar")))
    announce_compiling()
    made = make_backend(backend, board=load_board(on))
    session = BoardSession(made, order, priced, is_simulated=backend == "sim", **options)
    with Progress(f"training {path.name}"):
        found = train(path, session)
    return {"script": path.name, "board": session.backend.board.name, "backend": backend, **found}


def _measure(
    trial: Mapping[str, Any], batches: str, seeds: int, folder: Path, as_json: bool
) -> None:
    """Real runs of every batch size, as an efficiency.json for `edgetwin plan`."""
    from edgetwin.cells import CellStore
    from edgetwin.cli.plan import whole
    from edgetwin.systems.planner.convergence import Trial, measure_runs
    from edgetwin.systems.planner.efficiency import write_efficiency

    if trial["target"] is None:
        raise ValueError("--measure needs --target: the metric at which a run has arrived.")
    if seeds < 1:
        raise ValueError(f"--seeds {seeds}: give at least one.")
    sizes = sorted({whole("--batches", b) for b in batches.split(",")})
    runs = measure_runs(Trial(**trial), sizes, range(seeds), CellStore(path=folder / "cells"))
    found = runs.efficiency(float(trial["target"]))
    write_efficiency(found, folder / "efficiency.json")
    needed = {str(b): float(n) for b, n in found.needed.items()}
    if as_json:
        print_json({"script": trial["script"], "target": trial["target"], "needed": needed,
                    "runs": {str(b): by[found.target or 0.0].tolist()
                             for b, by in runs.needed.items()}})  # fmt: skip
        return
    rows = [[b, n, found.share[b]] for b, n in found.needed.items()]
    print_table(found.source, ["batch", "samples to the target", "standard error"], rows)
    note(f"efficiency: {folder / 'efficiency.json'}")


def _print(path: Path, found: Mapping[str, Any]) -> None:
    planned = found["planned"]
    names = {"time_s": "time [s]", "energy_j": "energy [J]", "mean_power_w": "mean power [W]",
             "peak_power_w": "peak power [W]"}  # fmt: skip
    rows = [[words, found[name], planned.get(name)] for name, words in names.items()]
    print_table(f"{path.name} on {found['board']}", ["", "trained", "planned"], rows)
    reached = "reached" if found["reached"] else "not reached"
    print(
        f"batch {found['batch']}, {found['steps']} steps, {found['samples']:g} samples; metric "
        f"{found['metric']}, target {found['target']}: {reached}."
    )
