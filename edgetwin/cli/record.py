"""`edgetwin record`: what a board's sensors say while a task or scenario runs, as a trace."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetwin.cli.output import Json, announce_compiling, note, print_json
from edgetwin.cli.target import Root, Target, device_options

if TYPE_CHECKING:
    from edgetwin.backend import Backend
    from edgetwin.scenario import Scenario
    from hw_models.trace import Trace


def record(
    task: Annotated[
        str | None, typer.Argument(help="thermal or training: its board and scenario.")
    ] = None,
    scenario: Annotated[str | None, typer.Option(help="Scenario name or file.")] = None,
    board: Annotated[str | None, typer.Option(help="Board name or board.toml.")] = None,
    backend: Annotated[str, typer.Option(help="sim (the twin), replay or hardware.")] = "sim",
    target: Target = None,
    root: Root = None,
    trace: Annotated[Path | None, typer.Option(help="What backend replay plays.")] = None,
    duration_s: Annotated[
        float | None, typer.Option("--duration", help="Seconds at most; default: the scenario's.")
    ] = None,
    period_s: Annotated[
        float, typer.Option("--period", help="Seconds between readings of the twin.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the scenario and of sensor noise.")] = 0,
    out: Annotated[Path, typer.Option(help="Trace to write: .parquet, or .csv.")] = Path(
        "trace.parquet"
    ),
    as_json: Json = False,
) -> None:
    """Record a trace from any backend; no policy turns knobs, the scenario may.

    Example: edgetwin record --scenario scenario.toml --board jetson-tx2 --out trace.parquet
    """
    from edgetwin.factory import make_backend
    from edgetwin.progress import Progress
    from edgetwin.storage import file_sha256
    from hw_models.board import load_board

    if seed < 0:
        raise ValueError(f"--seed {seed}: give a whole number from 0 on.")
    if not 0 < period_s < 1e9:
        raise ValueError(f"--period {period_s}: give a positive number of seconds.")
    _check_out(out)
    plan, name = _scenario_and_board(task, scenario, board, backend)
    length_s = _length_s(duration_s, plan, trace)
    made = load_board(name)
    device = device_options(backend, target, root)
    source = make_backend(backend, board=made, scenario=plan, seed=seed, trace=trace, **device)
    announce_compiling()
    with Progress("recording", max(1, round(length_s / period_s))) as progress:
        kept = _recorded(source, length_s, period_s, seed, progress)
    _write(kept, out)
    result = {
        "board": made.name,
        "backend": backend,
        "scenario": None if plan is None else plan.name,
        "seed": seed,
        "readings": len(kept),
        "duration_s": kept.duration_s,
        "out": str(out),
        "sha256": file_sha256(out),
    }
    if as_json:
        print_json(result)
        return
    print(f"{len(kept)} readings over {kept.duration_s:g} s of {made.name} in {out}")
    note(f"next: edgetwin calibrate {out} --board {name} --out calibrated")


def _check_out(out: Path) -> None:
    if out.suffix not in (".parquet", ".csv"):
        raise ValueError(f"--out {out}: give a file that ends in .parquet or .csv.")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"--out {out}: there is no folder {out.parent}.")


def _scenario_and_board(
    task: str | None, scenario: str | None, board: str | None, backend: str
) -> "tuple[Scenario | None, str]":
    """What runs and on which board; a recorded trace has had its scenario."""
    from edgetwin.scenario import load_scenario
    from edgetwin.tasks import find_task

    chosen = None if task is None else find_task(task)
    name = board or (chosen.board if chosen else None)
    if name is None:
        raise ValueError("no board given; add --board (see `edgetwin boards`), or name a task.")
    if backend == "replay":
        if chosen is not None or scenario is not None:
            raise ValueError(
                "a recorded trace has had its scenario; leave out task and --scenario."
            )
        return None, name
    if scenario is None and chosen is None:
        raise ValueError("nothing to record; name a task (thermal, training) or a --scenario.")
    return load_scenario(scenario or (chosen.scenario if chosen else "")), name


def _length_s(duration_s: float | None, plan: "Scenario | None", trace: Path | None) -> float:
    from hw_models.trace import read_trace

    if duration_s is not None:
        if not 0 < duration_s < 1e9:
            raise ValueError(f"--duration {duration_s}: give a positive number of seconds.")
        return duration_s
    if plan is not None:
        return plan.duration_s
    if trace is None:
        raise ValueError("backend 'replay' needs a trace; add --trace FILE.")
    return max(read_trace(trace).duration_s, 1e-3)


def _recorded(
    source: "Backend", length_s: float, period_s: float, seed: int, progress: Any
) -> "Trace":
    """Every reading of a run in which no knob is turned from outside."""
    from edgetwin.backend import FunctionPolicy, run
    from hw_models.board import Knobs
    from hw_models.trace import Trace

    still = FunctionPolicy(lambda reading: Knobs(), period_s)
    try:
        result = run(
            source, still, duration_s=length_s, seed=seed, watch=lambda reading: progress.advance()
        )
    finally:
        source.close()
    return Trace(result.trace.columns, {**result.trace.meta, "seed": str(seed)})


def _write(trace: "Trace", out: Path) -> None:
    if out.suffix == ".csv":
        trace.to_csv(out)
    else:
        trace.to_parquet(out)
