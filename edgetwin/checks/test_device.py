"""A board on the desk keeps its promises: `pytest --pyargs edgetwin.checks --target ssh://board`.

Its clocks and fan are turned through all they have, at rest and under short loads; they are given
back after each check. `--junitxml report.xml` writes a report to send.
"""

from collections.abc import Callable

import pytest

from edgetwin.checks import check_backend
from edgetwin.factory import make_backend
from edgetwin.hardware.host import looked_at


def test_the_board_at_the_target_keeps_its_promises(
    pytestconfig: pytest.Config, record_testsuite_property: Callable[[str, object], None]
) -> None:
    target = pytestconfig.getoption("--target", None)
    if target is None:
        pytest.skip("no board given: --target local or ssh://user@host")
    root = str(pytestconfig.getoption("--target-root"))
    board, found = looked_at(pytestconfig.getoption("--target-board"), target=target, root=root)
    for name in ("model", "kernel", "python", "missing"):
        record_testsuite_property(name, str(found[name]))
    check_backend(lambda: make_backend("hardware", board=board, target=target, root=root))
