"""The newcomer's path, timed: README's first command, a policy of one's own, gated, looked at."""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.frame.children import ROOT
from edgetwin.studies import Figure, row

TEN_MINUTES_S = 600.0


def measure(quick: bool) -> dict[str, Any]:
    """Every command of the path, its wall time and the processor time of all; all must end well."""
    with tempfile.TemporaryDirectory() as name:
        steps = walk(Path(name), Path(sys.executable).parent)
    failed = [step["command"] for step in steps if step["code"]]
    return row(
        {
            "commands_failed": Figure(value=float(len(failed)), bar=0.0),
            "wall_s": Figure(value=sum(step["wall_s"] for step in steps), bar=TEN_MINUTES_S),
        },
        steps=steps,
        failed=failed,
    )


def walk(folder: Path, bin_folder: Path) -> list[dict[str, Any]]:
    """Do what a newcomer does, in a folder, with the commands of an environment.

    The first command is the README's: `make run`, here with the environment that is there and its
    output in the folder. The line that is edited is the temperature at which the policy slows down.
    """
    edgetwin = str(bin_folder / "edgetwin")
    first = ["make", "--no-print-directory", "-C", str(ROOT), "-o", ".venv/.lean",
             f"BIN={bin_folder}", f"OUT={folder / 'out'}", "run"]  # fmt: skip
    policy = folder / "mine" / "mine.py"
    gate = [edgetwin, "gate", "mine/mine.py:make", "--baseline", "mine/main.json"]
    steps = [
        _step(first, folder),
        _step([edgetwin, "new", "policy", "mine"], folder),
        _step([*gate, "--duration", "120", "--update"], folder),
    ]
    if policy.is_file():
        text = policy.read_text(encoding="utf-8")
        edited = re.sub(r"^WARM_C = .*$", "WARM_C = 34.0", text, flags=re.M)
        assert edited != text, "there is no line WARM_C to edit"
        policy.write_text(edited, encoding="utf-8")
    tolerant = ["--tolerance", "peak_temp_c=0.5", "--max-temp", "60"]
    files = ["--out", "out/gate", "--junit", "gate.xml", "--summary", "gate.md"]
    return [
        *steps,
        _step([*gate, *tolerant, *files], folder),
        _step([edgetwin, "view", "out/gate", "--no-open"], folder),
    ]  # fmt: skip


def first_command() -> str:
    """The first command that the README shows."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^```(?:text|console|bash)\n(?:\$ )?(.+)$", text, re.M)
    assert found is not None, "README shows no command"
    return found.group(1)


def _step(command: list[str], folder: Path) -> dict[str, Any]:
    start_s = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    shown = " ".join([Path(command[0]).name, *command[1:]])
    return {"command": shown, "code": done.returncode, "said": (done.stdout + done.stderr)[-1500:],
            "wall_s": time.perf_counter() - start_s}  # fmt: skip
