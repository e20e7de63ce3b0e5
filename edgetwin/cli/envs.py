"""`edgetwin envs`: the Gymnasium environments."""

from edgetwin.cli.output import Cell, Json, print_json, print_table
from edgetwin.tasks import ROUND_TASKS, TASKS


def envs(as_json: Json = False) -> None:
    """List the Gymnasium environments with their default board, scenario and step."""
    rows: list[dict[str, Cell]] = [
        {
            "id": task.env_id,
            "title": task.title,
            "board": task.board,
            "scenario": task.scenario,
            "step_s": task.step_s,
        }
        for task in (*TASKS.values(), *ROUND_TASKS.values())
    ]
    if as_json:
        print_json({"envs": rows})
        return
    heads = ["id", "board", "scenario", "step_s", "title"]
    print_table("Environments", heads, [[row[h] for h in heads] for row in rows])
