"""`edgetwin plan`: batch size and clock (or power limit) that reach the target soonest."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetwin.cli.output import Json, announce_compiling, note, print_json, print_table
from edgetwin.cli.target import Aims, Root, device_options, metric_and_place
from hw_models.naming import unknown

if TYPE_CHECKING:
    from edgetwin.systems.planner.choice import Plan
    from edgetwin.systems.planner.efficiency import Efficiency


Board = Annotated[str | None, typer.Option(help="Board name or board.toml.")]
Network = Annotated[str, typer.Option(help="Network to train on the board.")]
Samples = Annotated[str | None, typer.Option(help="Samples to the target: 32=124500,64=138000,..")]
Table = Annotated[Path | None, typer.Option(help="Measured grid instead of a board (CSV, Zeus).")]
RunsFile = Annotated[
    Path | None, typer.Option(help="Training runs: CSV as of Zeus, or an efficiency.json.")
]
Workload = Annotated[str | None, typer.Option(help="dataset/network/optimizer.")]
EpochSamples = Annotated[
    float, typer.Option(help="Samples of an epoch, where runs count epochs and a board trains.")
]
Batches = Annotated[str | None, typer.Option(help="Batch sizes to choose from, commas between.")]
Deadline = Annotated[
    float | None, typer.Option("--deadline", help="Seconds within which to be done.")
]
Confidence = Annotated[float, typer.Option(help="That the peak stays below the cap.")]
MemoryClock = Annotated[
    bool, typer.Option("--memory-clock", help="Choose the memory's clock, too.")
]
Keep = Annotated[
    Path | None, typer.Option(help="Folder that keeps measured cells of a board (resumes).")
]
Backend = Annotated[str, typer.Option(help="sim (the twin) or hardware.")]
Command = Annotated[
    str | None,
    typer.Option(help="Words that start the training on a real board; a virtual one simulates it."),
]
SettleS = Annotated[float, typer.Option(help="Seconds that a cell may take to settle in heat.")]
Overshoot = Annotated[
    float, typer.Option(help="Share by which profiling may pass the cap; 0 or more.")
]
Out = Annotated[Path | None, typer.Option(help="File to write the plan to (plan.json).")]


def plan(
    cap_w: Annotated[float, typer.Option(help="Power cap in watts.")],
    board: Board = None,
    network: Network = "resnet-18-cifar",
    samples: Samples = None,
    grid: Table = None,
    efficiency: RunsFile = None,
    workload: Workload = None,
    target: Aims = None,
    epoch_samples: EpochSamples = 50_000,
    batches: Batches = None,
    points: Annotated[int, typer.Option(help="Cells to measure.")] = 15,
    objective: Annotated[str, typer.Option(help="time or energy.")] = "time",
    deadline_s: Deadline = None,
    confidence: Confidence = 0.95,
    memory_clock: MemoryClock = False,
    seed: Annotated[int, typer.Option(help="Of the design and of the twin's sensors.")] = 0,
    backend: Backend = "sim",
    root: Root = None,
    command: Command = None,
    settle_s: SettleS = 1200.0,
    overshoot: Overshoot = 0.1,
    keep: Keep = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Choose batch size and clock below a power cap, from a few measured cells.

    Example: edgetwin plan --board jetson-tx2 --cap-w 7 --samples 16=142500,32=124500,128=147000
    """
    from edgetwin.progress import Progress
    from edgetwin.storage import strict_json, write_atomically

    if (board is None) == (grid is None):
        raise ValueError("give --board (it is profiled, or its twin) or --grid (a measured CSV).")
    if objective not in ("time", "energy"):
        raise ValueError(f"--objective {objective}: give time or energy.")
    metric, place = metric_and_place(target)
    device = _device(backend, place, root, command)
    options: dict[str, Any] = {
        "points": points, "objective": objective, "deadline_s": deadline_s,
        "confidence": confidence, "seed": seed,
    }  # fmt: skip
    with Progress("profiling"):
        if grid is not None:
            made, found = _of_grid(grid, efficiency, workload, metric, cap_w, options)
        else:
            needed = _efficiency(samples, efficiency, workload, metric, epoch_samples)
            how = {"backend": backend, "device": device, "longest_s": settle_s,
                   "overshoot": overshoot, "keep": keep}  # fmt: skip
            made, found = _of_board(
                str(board), network, needed, batches, memory_clock, {"cap_w": cap_w, **options}, how
            )
    if out is not None:
        write_atomically(out, strict_json(found) + "\n")
        note(f"plan: {out}")
    if as_json:
        print_json({name: value for name, value in found.items() if name != "cells"})
    else:
        _print(made, found)


def _of_grid(
    grid: Path,
    efficiency: Path | None,
    workload: str | None,
    target: float | None,
    cap_w: float,
    options: Mapping[str, Any],
) -> "tuple[Plan, dict[str, Any]]":
    from edgetwin.systems.planner.replayed import read_replayed

    if efficiency is None:
        raise ValueError("--grid needs --efficiency: the runs that say what a batch size costs.")
    for path in (grid, efficiency):
        if not path.is_file():
            raise FileNotFoundError(f"no table at {path}; give a CSV in the format of Zeus.")
    return read_replayed(grid, efficiency, workload, target).plan(cap_w, **options)


def _of_board(
    board: str,
    network: str,
    needed: "Efficiency",
    batches: str | None,
    memory_clock: bool,
    wish: Mapping[str, Any],
    how: Mapping[str, Any],
) -> "tuple[Plan, dict[str, Any]]":
    from edgetwin.systems.planner.on_board import Task, board_task
    from edgetwin.systems.planner.profiling import Profiling, Wish, plan_on
    from hw_models.board import Board, load_board
    from hw_models.workloads import load_network

    announce_compiling()
    asked = None if batches is None else [whole("--batches", b) for b in batches.split(",")]
    trained = load_network(network)

    def task(made: Board) -> Task:
        return board_task(made, trained, needed, batches=asked, chooses_memory=memory_clock)

    return plan_on(load_board(board), task, Wish(**wish), Profiling(**how))


def _device(
    backend: str, place: str | None, root: str | None, command: str | None
) -> dict[str, Any]:
    """What is told of the device, with the words that train there; ValueError where none is."""
    if backend not in ("sim", "hardware"):
        raise KeyError(unknown("backend", backend, ("sim", "hardware")))
    device = device_options(backend, place, root)
    if command is None:
        return device
    if backend != "hardware":
        raise ValueError("--command: for --backend hardware only.")
    return device | {"commands": {"training": shlex.split(command)}}


def _efficiency(
    samples: str | None,
    runs: Path | None,
    workload: str | None,
    target: float | None,
    epoch_samples: float,
) -> "Efficiency":
    """What a batch size needs, in samples: as given, measured by edgetwin, or runs of Zeus."""
    from edgetwin.systems.planner.efficiency import in_samples, read_runs, runs_of, table_efficiency

    if samples is not None:
        pairs = [pair.partition("=") for pair in samples.split(",")]
        needed = {whole("--samples", b): float(whole("--samples", n)) for b, _, n in pairs}
        return table_efficiency(needed, share=0.0, source="--samples")
    if runs is None:
        raise ValueError(
            "a board needs --samples 32=124500,... or --efficiency (runs of Zeus, or the "
            "efficiency.json of `edgetwin train --measure`)."
        )
    if not runs.is_file():
        raise FileNotFoundError(f"no training runs at {runs}; give a CSV or an efficiency.json.")
    if runs.suffix == ".json":
        from edgetwin.systems.planner.efficiency import read_efficiency

        return read_efficiency(runs)
    tables = read_runs(runs)
    if workload is None:
        raise ValueError(f"name a workload with --workload: {', '.join(tables)}.")
    of_name = runs_of(tables, workload)
    chosen = of_name.default_targets()[0] if target is None else target
    return in_samples(of_name.efficiency(chosen), epoch_samples)


def whole(option: str, text: str) -> int:
    try:
        value = int(text.strip().replace("_", ""))
    except ValueError:
        value = 0
    if value < 1:
        raise ValueError(f"{option}: {text!r} is no whole number above zero.")
    return value


def _print(made: "Plan", found: Mapping[str, Any]) -> None:
    cells = [made.choice, *made.runners_up]
    heads = ["cell", "time [s]", "energy [J]", "mean [W]", "peak [W]", "below the cap", "measured"]
    rows = [
        [cell.words, cell.time_s, cell.energy_j, cell.mean_power_w, cell.peak_power_w,
         f"{cell.confidence:.1%}", "yes" if cell.is_measured else "no"]
        for cell in cells
    ]  # fmt: skip
    print_table(f"plan for {made.cap_w:g} W from {made.points} measured cells", heads, rows)
    print(made.why())
    if found["gap"] is not None:
        optimum = found["optimum"]
        print(
            f"brute force over all cells: {optimum['time_s']:.4g} s; the choice takes "
            f"{found['gap']:.2%} longer."
        )
