"""A script with the hook as the process that works on a board."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgetwin.systems.planner.script import Enough
from edgetwin.systems.planner.worker import StepSession, work

SCRIPT = """
from edgetwin import training_hook
hook = training_hook(batch=32)
batch = hook.batch
print("a line of the script's own")
while True:
    hook.step()
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "script.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_process_says_its_steps_and_starts_anew_at_another_batch(tmp_path: Path) -> None:
    path = written(tmp_path, SCRIPT)
    command = [sys.executable, "-m", "edgetwin.systems.planner.worker", str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        first = [json.loads(process.stdout.readline()) for _ in range(3)]
        assert first == [{"work": 32 * n, "batch": 32} for n in (1, 2, 3)]
        process.stdin.write("nonsense\nbatch 64\n")
        process.stdin.flush()
        lines = map(json.loads, process.stdout)
        before = first[-1]
        for said in lines:
            assert said["work"] == before["work"] + said["batch"]
            if said["batch"] == 64:
                break
            before = said
        process.kill()


def test_a_script_without_steps_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"without calling hook\.step"):
        work(written(tmp_path, "x = 1\n"), StepSession(io.StringIO()))


def test_what_is_no_batch_size_is_not_heard() -> None:
    session = StepSession(io.StringIO())
    session.begin()
    session.hear(["batch x\n", "batch -3\n", "unit gpu\n"])
    assert session.batch is None
    session.hear(["batch 16\n"])
    assert session.batch == 16
    session.hear(['{"batch": 64}\n'])
    assert session.batch == 64
    with pytest.raises(Enough):
        session.stepped(32, None)
