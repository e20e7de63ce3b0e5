"""The tree of a virtual board written once into a plain folder: no heat, no load, only files."""

import os
from pathlib import Path

from edgetwin.virtual.board_tree import OWN, virtual_board
from edgetwin.virtual.twin import Twin
from hw_models.board import Board


def write_plain(board: Board, folder: str | Path, *, seed: int = 0) -> Path:
    """Every file that can be read as it is at the start; written values stay as they were written.

    What is only on a served board (its clock, jobs and faults) is left out.
    """
    served = virtual_board(Twin(board, seed=seed))
    root = Path(folder)
    for path, node in served.tree.files.items():
        place = root / path.lstrip("/")
        if path.startswith(OWN):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if node.link:
            os.symlink(node.link, place)
            continue
        try:
            text = served.read(path)
        except OSError:
            continue
        place.write_text(text, encoding="utf-8")
        place.chmod(node.mode | 0o200 if node.write else node.mode)
    return root
