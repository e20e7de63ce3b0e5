"""`edgetwin serve BOARD --mount DIR`: the twin as the file tree of its device."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from edgetwin.cli.output import announce_compiling, note


def serve(
    board: Annotated[str, typer.Argument(help="Board name or board.toml.")],
    mount: Annotated[Path, typer.Option(help="Empty folder to mount the tree at (made if new).")],
    speed: Annotated[float, typer.Option(help="Board seconds per second of the wall.")] = 1.0,
    perturb: Annotated[
        str | None, typer.Option(help="posterior: a board that could as well be this one.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of sensor noise and of --perturb.")] = 0,
    plain: Annotated[
        bool, typer.Option("--plain", help="Write the files once instead; nothing moves.")
    ] = False,
) -> None:
    """Serve a virtual board until interrupted; drive it with --root DIR --backend hardware.

    Example: edgetwin serve jetson-nano --mount /tmp/nano
    """
    import numpy as np

    from edgetwin.virtual import Twin, virtual_board, write_plain
    from hw_models.board import load_board

    made = load_board(board)
    if seed < 0:
        raise ValueError(f"--seed {seed}: give a whole number from 0 on.")
    if perturb not in (None, "posterior"):
        raise ValueError(f"--perturb {perturb}: give posterior, or leave it out.")
    if perturb:
        made = made.sample(np.random.default_rng(seed))
    mount.mkdir(parents=True, exist_ok=True)
    if plain:
        write_plain(made, mount, seed=seed)
        note(f"written: {made.name} at {mount}")
        return
    from edgetwin.virtual import fuse

    fuse.check_fuse()
    announce_compiling()
    served = virtual_board(Twin(made, speed=speed, seed=seed))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: fuse.unmount_soon(mount))
    note(f"serving {made.name} at {mount}, {speed:g} times as fast as the wall; Ctrl-C ends")
    note(f"next: edgetwin doctor --board {board} --root {mount}")
    fuse.mount(served, mount)
