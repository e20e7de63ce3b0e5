"""`edgetwin plan`: batch size and clock (or power limit) that reach the target soonest."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetwin.cli.output import Json, announce_compiling, note, print_json, print_table

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
Target = Annotated[
    float | None, typer.Option(help="Target metric; default: the hardest that is dependable.")
]
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
Out = Annotated[Path | None, typer.Option(help="File to write the plan to (plan.json).")]


def plan(
    cap_w: Annotated[float, typer.Option(help="Power cap in watts.")],
    board: Board = None,
    network: Network = "resnet-18-cifar",
    samples: Samples = None,
    grid: Table = None,
    efficiency: RunsFile = None,
    workload: Workload = None,
    target: Target = None,
    epoch_samples: EpochSamples = 50_000,
    batches: Batches = None,
    points: Annotated[int, typer.Option(help="Cells to measure.")] = 15,
    objective: Annotated[str, typer.Option(help="time or energy.")] = "time",
    deadline_s: Deadline = None,
    confidence: Confidence = 0.95,
    memory_clock: MemoryClock = False,
    seed: Annotated[int, typer.Option(help="Of the design and of the twin's sensors.")] = 0,
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
        raise ValueError("give --board (the twin is profiled) or --grid (a measured CSV).")
    if objective not in ("time", "energy"):
        raise ValueError(f"--objective {objective}: give time or energy.")
    options: dict[str, Any] = {
        "points": points, "objective": objective, "deadline_s": deadline_s,
        "confidence": confidence, "seed": seed,
    }  # fmt: skip
    with Progress("profiling"):
        if grid is not None:
            made, found = _of_grid(grid, efficiency, workload, target, cap_w, options)
        else:
            needed = _efficiency(samples, efficiency, workload, target, epoch_samples)
            made, found = _of_board(
                str(board), network, needed, batches, memory_clock, cap_w, options, keep
            )
    if out is not None:
        write_atomically(out, strict_json(found) + "\n")
        note(f"plan: {out}")
    if as_json:
        print_json(found)
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
    cap_w: float,
    options: Mapping[str, Any],
    keep: Path | None,
) -> "tuple[Plan, dict[str, Any]]":
    from edgetwin.cells import CellStore
    from edgetwin.factory import make_backend
    from edgetwin.systems.planner.meter import Care
    from edgetwin.systems.planner.on_board import board_task
    from edgetwin.systems.planner.profiler import KeptMeter
    from hw_models.board import load_board
    from hw_models.workloads import load_network

    announce_compiling()
    made = load_board(board)
    asked = None if batches is None else [whole("--batches", b) for b in batches.split(",")]
    task = board_task(
        made, load_network(network), needed, batches=asked, chooses_memory=memory_clock
    )
    backend = make_backend("sim", board=made, seed=int(options["seed"]))
    meter = task.meter(backend, Care(caps_w=(cap_w,)))
    kept = (
        meter
        if keep is None
        else KeptMeter(
            meter,
            CellStore(path=keep),
            task.space,
            {"board": made.name, "network": network, "seed": options["seed"], "cap_w": cap_w},
        )
    )
    chosen = task.plan(kept, cap_w, **options)
    judged = task.judged(chosen)
    more = {"board": made.name, "grade": made.grade, "network": network,
            "profiling_s": meter.spent_s, "efficiency": needed.source}  # fmt: skip
    return chosen, judged | more


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
