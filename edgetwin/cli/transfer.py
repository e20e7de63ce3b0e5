"""`edgetwin transfer --from BOARD --points K TABLE`: a few profiled points predict the rest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetwin.cli.output import Cell, Json, note, print_json, print_table

if TYPE_CHECKING:
    from hw_models.fit.tasks import Task, Transfer


def transfer(
    table: Annotated[
        Path, typer.Argument(help="Measured points: latency grid, step table or Zeus grid (CSV).")
    ],
    source: Annotated[
        str,
        typer.Option(
            "--from", help="Calibrated board (name or board.toml), or a CSV of measured siblings."
        ),
    ],
    points: Annotated[int, typer.Option(min=1, help="Points of each workload to profile.")] = 8,
    seeds: Annotated[int, typer.Option(min=1, help="Designs per number of points.")] = 10,
    seed: Annotated[int, typer.Option(help="First seed.")] = 0,
    same_board: Annotated[
        bool,
        typer.Option("--same-board", help="Grids: other workloads of this board, not siblings."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Predict a workload's operating points from K of them and what the source knows.

    The K points are spread out and chosen without seeing a result. Where the table has more, they
    judge the prediction, a network carried over from the source, and interpolation.

    Example: edgetwin transfer --from jetson-tx2 --points 8 latency.csv
    """
    from edgetwin.progress import Progress
    from hw_models.fit import transfer as carried

    if not table.is_file():
        raise FileNotFoundError(f"no table at {table}; give a CSV of measured points.")
    with Progress(f"carrying {source} over to {table.name}"):
        found = carried(_tasks(table, source, same_board), points, seeds=seeds, seed=seed)
    if as_json:
        print_json(_as_json(source, found))
        return
    _print(source, table, found)


def _tasks(table: Path, source: str, same_board: bool) -> "tuple[Task, ...]":
    """One task per workload of the table, from a board or from measured siblings."""
    from hw_models.fit import latency_tasks, step_tasks
    from hw_models.tables import read_latency_table, read_step_table, table_kind

    kind = table_kind(table)
    if kind == "grid":
        return _grid_tasks(table, source, same_board)
    if kind == "latency":
        known = read_latency_table(source) if _is_table(source) else _board(source)
        return latency_tasks(known, read_latency_table(table))
    if kind == "steps":
        if _is_table(source):
            raise ValueError(f"{source} is a table; a step table is carried from a board.")
        return step_tasks(_board(source), read_step_table(table))
    raise ValueError(
        f"{table} is no table to transfer to; expected the columns network,gpu_hz,emc_hz,latency_s "
        "or network,batch,gpu_hz,emc_hz,step_s,mean_w,peak_w or those of a Zeus grid."
    )


def _grid_tasks(table: Path, source: str, same_board: bool) -> "tuple[Task, ...]":
    """Grids of the same workloads on a sibling board, or of the next workload on this board."""
    from hw_models.fit import grid_task
    from hw_models.tables import read_grids

    if not _is_table(source):
        raise ValueError(f"{source} is no CSV; a grid of batch x limit is carried from a grid.")
    known, targets = read_grids(source), read_grids(table)
    pairs = [
        (known[other], grid)
        for name, grid in targets.items()
        for other in _others(list(known), name, same_board)
    ]
    if not pairs:
        raise ValueError(f"{source} has no workload that {table} can be carried from.")
    return tuple(grid_task(s, t, is_same_board=same_board) for s, t in pairs)


def _others(known: list[str], name: str, same_board: bool) -> list[str]:
    """The workload of the source that a workload is carried from, in a list of one or none."""
    if not same_board:
        return [name] if name in known else []
    behind = [other for other in known if other != name]
    place = sorted([*behind, name]).index(name)
    return [sorted(behind)[place % len(behind)]] if behind else []


def _is_table(source: str) -> bool:
    return source.endswith(".csv")


def _board(source: str) -> Any:
    from hw_models.board import load_board

    return load_board(source)


def _as_json(source: str, found: "Transfer") -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "board": source,
        "points": found.k,
        "curve": [asdict(point) for point in found.curve],
        "predictions": [row for each in found.found for row in each.rows()],
    }


def _print(source: str, table: Path, found: "Transfer") -> None:
    rows: list[list[Cell]] = [
        [p.k, p.method, p.response, 100 * p.mape, 100 * p.low, 100 * p.high, p.n]
        for p in found.curve
    ]
    heads = ["points", "method", "of", "MAPE %", "5 %", "95 %", "designs"]
    print_table(f"{table.name} from {source}: error on points that were not profiled", heads, rows)
    if not rows:
        note("no points are left to judge on: the table has no more than were profiled")
    for each in found.found:
        print_table(
            f"{each.task.name} from {len(each.profiled)} points",
            list(each.rows()[0]),
            [list(row.values()) for row in each.rows()],
        )
