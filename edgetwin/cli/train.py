"""`edgetwin train SCRIPT`: a torch script trains for real, the plan drives board or twin."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from edgetwin.cli.output import Json, announce_compiling, note, print_json, print_table
from edgetwin.cli.target import Aims, Root, device_options, metric_and_place

if TYPE_CHECKING:
    from edgetwin.scenario import Scenario
    from edgetwin.systems.planner.convergence import Rule
    from edgetwin.systems.planner.efficiency import Efficiency, Runs
    from edgetwin.systems.planner.launch import Aim


Script = Annotated[
    str, typer.Argument(help="A .py file with the hook; or digits-cnn, char-transformer.")
]
PlanFile = Annotated[Path | None, typer.Option(help="plan.json of `edgetwin plan`.")]
Backend = Annotated[str, typer.Option(help="sim (the twin) or hardware.")]
Board = Annotated[str | None, typer.Option(help="Board; default: the one the plan was made for.")]
Network = Annotated[
    str | None, typer.Option(help="Network that prices a step; default: the plan's.")
]
Caps = Annotated[
    str | None, typer.Option(help="Caps that hold from a second on, in watts: 0=9,600=6.5.")
]
Surroundings = Annotated[
    str | None, typer.Option(help="Scenario whose caps (and ambient) hold: name or file.")
]
Falling = Annotated[
    bool, typer.Option("--falling", help="Lower is better (a loss, an error rate).")
]
RuleName = Annotated[
    str, typer.Option(help="How the learning rate follows the batch: sqrt, linear, constant.")
]
Measure = Annotated[
    Path | None,
    typer.Option(help="Measure batch-size efficiency instead, into this folder (resumes)."),
]

NoiseSteps = Annotated[
    int | None,
    typer.Option(help="Run one batch size only; the others from the gradients of so many steps."),
]


def train(
    script: Script,
    plan: PlanFile = None,
    backend: Backend = "sim",
    board: Board = None,
    network: Network = None,
    target: Aims = None,
    root: Root = None,
    caps: Caps = None,
    scenario: Surroundings = None,
    falling: Falling = False,
    rule: RuleName = "sqrt",
    seed: Annotated[int, typer.Option(help="Of the script and of the twin's sensors.")] = 0,
    measure: Measure = None,
    batches: Annotated[str, typer.Option(help="Batch sizes to measure.")] = "8,16,32,64,128,256",
    seeds: Annotated[int, typer.Option(help="Runs of each batch size.")] = 3,
    noise_steps: NoiseSteps = None,
    budget: Annotated[float, typer.Option(help="Samples after which a run gives up.")] = 60_000,
    as_json: Json = False,
) -> None:
    """Train a script under a plan, or measure what each batch size costs it (--measure).

    Example: edgetwin train digits-cnn --plan plan.json
    """
    from edgetwin.systems.planner.convergence import RULES
    from edgetwin.systems.planner.launch import Aim
    from edgetwin.systems.planner.script import EXAMPLES, constants_of, find_script
    from hw_models.naming import unknown

    path = find_script(script)
    metric, place = metric_and_place(target)
    device = device_options(backend, place, root)
    if rule not in RULES:
        raise KeyError(unknown("rule", rule, list(RULES)))
    if script in EXAMPLES and metric is None:
        stated = constants_of(path)
        metric, falling = float(stated["TARGET"]), bool(stated["IS_FALLING"])
    if measure is not None:
        trial = {"script": script, "target": metric, "is_falling": falling,
                 "budget_samples": budget, "rule": rule}  # fmt: skip
        found, runs = _measure(trial, batches, seeds, noise_steps, measure)
        _print_efficiency(trial, found, runs, as_json)
        return
    if plan is None:
        raise ValueError("give --plan plan.json (edgetwin plan --out), or --measure FOLDER.")
    aim = Aim(target=metric, is_falling=falling, rule=cast("Rule", rule), seed=seed)
    course = _course(caps, scenario)
    trained = _train(
        path, plan, {"kind": backend, "scenario": course, **device}, board, network, aim
    )
    if as_json:
        print_json(trained)
        return
    _print(path, trained)


def _course(caps: str | None, scenario: str | None) -> "Scenario | None":
    """What happens around the board while it trains; None for nothing. ValueError for both."""
    from edgetwin.scenario import load_scenario
    from edgetwin.systems.planner.course import caps_scenario, without_jobs

    if caps is not None and scenario is not None:
        raise ValueError("give --caps or --scenario, not both.")
    if scenario is not None:
        return without_jobs(load_scenario(scenario))
    if caps is None:
        return None
    steps = [step.partition("=") for step in caps.split(",")]
    return caps_scenario([(_number(t, caps), _number(cap, caps)) for t, _, cap in steps])


def _number(text: str, caps: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--caps {caps}: {text!r} is no number; write 0=9,600=6.5.") from None


def _train(
    path: Path,
    plan: Path,
    backend: Mapping[str, Any],
    board: str | None,
    network: str | None,
    aim: "Aim",
) -> dict[str, Any]:
    from edgetwin.factory import make_backend
    from edgetwin.progress import Progress
    from edgetwin.storage import read_json
    from edgetwin.systems.planner.launch import BoardSession, elapsed_of, online_of, train
    from edgetwin.systems.planner.saved import read_order
    from hw_models.board import load_board
    from hw_models.workloads import load_network

    order, record = read_order(plan), read_json(plan)
    on = board or record.get("board")
    if on is None:
        raise ValueError(f"{plan} names no board; give --board.")
    priced = load_network(network or str(record.get("network", "resnet-18-cifar")))
    online = None if backend["scenario"] is None else online_of(order, str(plan))
    announce_compiling()
    made = make_backend(**backend, board=load_board(on))
    session = BoardSession(made, order, priced, aim, elapsed_s=elapsed_of(made), online=online)
    with Progress(f"training {path.name}"):
        found = train(path, session)
    return {"script": path.name, "board": made.board.name, "backend": backend["kind"], **found}


def _measure(
    trial: Mapping[str, Any], batches: str, seeds: int, steps: int | None, folder: Path
) -> "tuple[Efficiency, Runs | None]":
    """What every batch size needs, as an efficiency.json for `edgetwin plan`.

    From real runs of each (those, too), or with `steps` from one batch size and its gradients.
    """
    from edgetwin.cells import CellStore
    from edgetwin.cli.plan import whole
    from edgetwin.systems.planner.convergence import Trial, measure_runs, predicted_efficiency
    from edgetwin.systems.planner.efficiency import write_efficiency

    if trial["target"] is None:
        raise ValueError("--measure needs --target: the metric at which a run has arrived.")
    if seeds < 1:
        raise ValueError(f"--seeds {seeds}: give at least one.")
    sizes = sorted({whole("--batches", b) for b in batches.split(",")})
    tried, store = Trial(**trial), CellStore(path=folder / "cells")
    runs = None if steps is not None else measure_runs(tried, sizes, range(seeds), store)
    found = (
        predicted_efficiency(tried, sizes, range(seeds), store, steps or 0)
        if runs is None else runs.efficiency(tried.target)
    )  # fmt: skip
    write_efficiency(found, folder / "efficiency.json")
    note(f"efficiency: {folder / 'efficiency.json'}")
    return found, runs


def _print_efficiency(
    trial: Mapping[str, Any], found: "Efficiency", runs: "Runs | None", as_json: bool
) -> None:
    if as_json:
        target, tries = trial["target"], {} if runs is None else runs.needed
        print_json({"script": trial["script"], "target": target, "source": found.source,
                    "needed": {str(b): float(n) for b, n in found.needed.items()},
                    "runs": {str(b): by[target].tolist() for b, by in tries.items()}})  # fmt: skip
        return
    rows = [[b, n, found.share[b]] for b, n in found.needed.items()]
    print_table(found.source, ["batch", "samples to the target", "standard error"], rows)


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
    for change in found["changes"][1:]:
        clocks = ", ".join(f"{d} {hz / 1e6:g} MHz" for d, hz in change["freq_hz"].items())
        cap = "no cap" if change["cap_w"] is None else f"{change['cap_w']:g} W"
        print(f"from {change['t_s']:.0f} s, {cap}: batch {change['batch']}, {clocks}")
