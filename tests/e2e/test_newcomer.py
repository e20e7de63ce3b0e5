"""The newcomer's path works as printed: README's first command, a policy, its gate, its page."""

import sys
from pathlib import Path

import pytest

from benchmarks.product.newcomer import first_command, walk


@pytest.mark.slow
def test_a_newcomer_gets_from_the_first_command_to_a_gated_policy(tmp_path: Path) -> None:
    assert first_command() == "make run"
    steps = walk(tmp_path, Path(sys.executable).parent)
    assert [step["code"] for step in steps] == [0] * 5, [s for s in steps if s["code"]]
    assert "qos-dvfs" in steps[0]["said"]
    assert "mine/mine.py" in steps[1]["said"]
    assert "passed" in steps[3]["said"]
    page = Path(tmp_path / steps[4]["said"].splitlines()[0])
    assert "Seed by seed" in page.read_text(encoding="utf-8")
