"""What `edgetwin reproduce hardware --quick` does with faults and hostile messages, row by row."""

from pathlib import Path

import pytest

from edgetwin.reproduce import find_study
from edgetwin.reproduce.hardware.bench import why_no_ssh, why_not

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(bool(why_not()), reason=f"no virtual board here: {why_not()}"),
]


@pytest.mark.skipif(bool(why_no_ssh()), reason=f"no sshd here: {why_no_ssh()}")
def test_thirty_faults_leave_every_board_as_it_was_found(tmp_path: Path) -> None:
    _, measure = find_study("hardware", tmp_path).rows["faults"]
    row = measure(True)
    assert row["ok"], row["wrong"]
    assert row["n"] == 30
    assert len(row["kinds"]) == 20


def test_ten_thousand_hostile_messages_change_nothing(tmp_path: Path) -> None:
    _, measure = find_study("hardware", tmp_path).rows["fuzz"]
    row = measure(True)
    assert row["ok"], row["wrong"]
    assert row["n"] == 10_000
