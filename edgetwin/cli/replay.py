"""`edgetwin replay LOG`: a recorded log drives the twin open loop, errors per rail and zone."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgetwin.cli.output import Json, note, print_json, print_table
from edgetwin.cli.run import command

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.trace import Trace
    from hw_models.validation import Comparison


def replay(
    log: Annotated[Path, typer.Argument(help="tegrastats log, or a trace in Parquet or CSV.")],
    board: Annotated[
        str | None, typer.Option(help="Board name or board.toml; default: the trace's own.")
    ] = None,
    ambient_c: Annotated[
        float | None, typer.Option(help="Air temperature in degC; default: the board's own.")
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help="Power mode, for clocks that the log lacks.")
    ] = None,
    period_s: Annotated[
        float, typer.Option(help="Seconds between lines of a log without time stamps.")
    ] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Folder to keep the result in.")] = None,
    as_json: Json = False,
) -> None:
    """Feed the clocks and loads of a log into the twin and compare power and temperatures.

    Example: edgetwin replay tegrastats.log --board jetson-orin-nano --ambient-c 22
    """
    from edgetwin.progress import Progress
    from hw_models.board import load_board
    from hw_models.openloop import checked_ambient_c
    from hw_models.recorded import recorded
    from hw_models.tegrastats import read_log
    from hw_models.validation import compare

    named = None if board is None else load_board(board)
    if not log.is_file():
        raise FileNotFoundError(f"no log at {log}; give a tegrastats log or a recorded trace.")
    with Progress(f"replaying {log.name}"):
        traces = read_log(log, period_s=period_s)
        made = named or load_board(_own_board(log, traces))
        checked_ambient_c(made, ambient_c)
        seen = [recorded(made, trace, mode=mode) for trace in traces]
        _announce_compiling()
        comparison = compare(made, seen, ambient_c=ambient_c)
        if out is not None:
            _keep(made, log, comparison, {"mode": mode, "period_s": period_s}, out, traces)
    if as_json:
        print_json(comparison.as_json())
        return
    _print(made, log, comparison)
    if out is not None:
        note(f"kept in {out}")


def _own_board(log: Path, traces: "list[Trace]") -> str:
    """The board that a trace of ours names."""
    name = traces[0].meta.get("board")
    if name is None:
        raise ValueError(f"{log} does not name its board; give --board (see `edgetwin boards`).")
    return name


def _announce_compiling() -> None:
    from hw_models.compiled import cached
    from hw_models.openloop import stretch

    if not cached(stretch):
        note("compiling the physics for this machine: once, a few seconds ...")


def _keep(
    board: "Board",
    log: Path,
    comparison: "Comparison",
    options: dict[str, object],
    out: Path,
    traces: "list[Trace]",
) -> None:
    """The run folder: figures, predicted traces and the page."""
    from hashlib import sha256

    from edgetwin.report.replay_page import write_replay_page
    from edgetwin.runs import RunFolder
    from edgetwin.storage import file_sha256

    arguments = {
        "verb": "replay",
        "log": log.name,
        "board": board.name,
        "ambient_c": comparison.ambient_c,
        **options,
    }
    hashes = {
        log.name: file_sha256(log),
        "board": sha256(board.model_dump_json().encode()).hexdigest(),
    }
    with RunFolder.create(out, command(), arguments, hashes) as folder:
        folder.write_kpis(comparison.as_json())
        for number, session in enumerate(comparison.sessions):
            session.predicted.to_parquet(folder.trace_path("predicted", number))
        page = folder.path / "report.html"
        write_replay_page(board, log, comparison, command(), page, traces)


def _print(board: "Board", log: Path, comparison: "Comparison") -> None:
    from edgetwin.report.replay_page import HEADS, LEGEND, error_rows

    title = f"{log.name} on {board.name} (grade {board.grade}), open loop: predicted less measured"
    print_table(title, ["signal", *HEADS], list(error_rows(comparison)))
    print(f"\n{LEGEND}")
    for line in comparison.notes:
        print(f"note: {line}")
