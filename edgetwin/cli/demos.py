"""`edgetwin demos`: what an oracle would do on boards drawn at random, as Parquet files."""

from pathlib import Path
from typing import Annotated

import typer

from edgetwin.cli.output import Json, announce_compiling, note, print_json, print_table


def demos(
    out: Annotated[Path, typer.Option(help="Folder of the shards; a killed run goes on.")],
    board: Annotated[str, typer.Option(help="Board name or board.toml.")] = "hikey970",
    shards: Annotated[int, typer.Option(help="Shards to train on; a quarter more to check.")] = 12,
    scenes: Annotated[int, typer.Option(help="Scenes a shard: boards with their programs.")] = 256,
    seed: Annotated[int, typer.Option(help="What everything is drawn from.")] = 0,
    posterior: Annotated[
        bool, typer.Option(help="Draw a board from the posterior for every shard.")
    ] = True,
    jobs: Annotated[int, typer.Option(help="Processes; -1 for one a core.")] = -1,
    as_json: Json = False,
) -> None:
    """Label every move of programs on boards drawn at random, for managers that learn by imitation.

    Example: edgetwin demos --out demos
    """
    from edgetwin.cli.run import command
    from edgetwin.systems.thermal.demos import DemoSettings
    from edgetwin.systems.thermal.make_demos import make_demos

    if shards < 1 or scenes < 1 or seed < 0:
        raise ValueError(f"--shards {shards} --scenes {scenes} --seed {seed}: give positive ones.")
    settings = DemoSettings(
        board=board, shards=shards, scenes=scenes, seed=seed, posterior=posterior
    )
    announce_compiling()
    found = make_demos(settings, out, command(), jobs)
    if as_json:
        print_json({"board": board, "out": str(out), **found})
        return
    rows = [[str(name), value] for name, value in found.items()]
    print_table(f"Demonstrations on {board}", ["what", "value"], rows)
    note(f"kept in {out}; learn from them with: edgetwin train-manager {out} --out DIR")
