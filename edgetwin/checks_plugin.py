"""Options of `pytest --pyargs edgetwin.checks --target ssh://user@board`: which board it is."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the board is, which one it is, and below which folder its files lie."""
    group = parser.getgroup("edgetwin")
    group.addoption("--target", help="check a board too: local, or ssh://user@host")
    group.addoption("--target-board", help="its name or board.toml; default: what it says itself")
    group.addoption("--target-root", default="/", help="folder that stands for its / (virtual)")
