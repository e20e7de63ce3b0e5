"""`edgetwin train-manager`: from demonstrations to policy files."""

from pathlib import Path
from typing import Annotated

import typer

from edgetwin.cli.output import Json, announce_compiling, note, print_json, print_table


def train_manager(
    demonstrations: Annotated[Path, typer.Argument(help="Folder that `edgetwin demos` filled.")],
    out: Annotated[Path, typer.Option(help="Folder of policy files; a killed run goes on.")],
    seeds: Annotated[int, typer.Option(help="Students, each from a seed of its own.")] = 3,
    rounds: Annotated[int, typer.Option(help="DAgger rounds.")] = 2,
    rivals: Annotated[bool, typer.Option(help="Train TOP-RL and PPO, too.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer networks, boards, epochs.")] = False,
    as_json: Json = False,
) -> int:
    """Train students that place programs, export them to ONNX, hold exports against the network.

    Example: edgetwin train-manager demos --out students --quick
    """
    from edgetwin.cli.run import command
    from edgetwin.systems.thermal.lessons import train_all

    if seeds < 1 or rounds < 0:
        raise ValueError(f"--seeds {seeds} --rounds {rounds}: give at least one seed, no less.")
    announce_compiling()
    found = train_all(
        demonstrations, out, command(), seeds=seeds, rounds=rounds, rivals=rivals, quick=quick
    )
    if as_json:
        print_json({"out": str(out), "students": found})
    else:
        heads = ["seed", "infeasible", "regret", "float parity", "int8 parity", "examples"]
        rows = [
            [m["seed"], m["checked"]["infeasible"], m["checked"]["regret"], m["float_parity"],
             m["int8_parity"], m["examples"]]
            for m in found
        ]  # fmt: skip
        print_table("Students on programs kept for checking", heads, rows)
        note(f"policy files in {out}")
    return 0 if all(all(m["passed"].values()) for m in found) else 1
