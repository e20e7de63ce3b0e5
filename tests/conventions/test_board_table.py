"""The README's table of boards says what `edgetwin boards` says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from source_trees import ROOT

_HEAD = "| board | what it is | grade | by section |\n|---|---|---|---|\n"


def _table(boards: list[dict[str, Any]]) -> str:
    rows = (
        f"| `{board['name']}` | {board['title']} | {board['grade']} | "
        + " · ".join(f"{section} {grade}" for section, grade in board["sections"].items())
        + " |\n"
        for board in boards
    )
    return _HEAD + "".join(rows)


def test_the_readme_lists_every_board_with_its_grades() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "edgetwin"), "boards", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = _table(json.loads(done.stdout)["boards"])
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    printed = readme.split("<!-- boards -->\n", 1)[1].split("<!-- /boards -->", 1)[0]
    assert printed == expected, f"put this between the markers of README.md:\n{expected}"
