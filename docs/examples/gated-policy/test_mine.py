"""The policy `mine` must not get worse than what main.json says, and never too hot."""

import pytest

from edgetwin.pytest_plugin import MakeReport, assert_gate


@pytest.mark.edgetwin(board="hikey970", scenario="gate-mix", seeds=10, duration_s=300)
def test_mine_is_no_worse_than_on_main(policy_report: MakeReport) -> None:
    assert_gate(policy_report("mine.py:make"), max_temp_c=60.0, baseline="main.json")
