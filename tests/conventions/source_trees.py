"""The Python files of the checkout, parsed, for the tests of how we write."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("edgetwin", "hw_models")
PACKAGES = (*SHIPPED, "calibration", "benchmarks")


def python_files(*packages: str) -> list[Path]:
    """The .py files of the packages that exist, sorted."""
    return sorted(path for name in packages for path in (ROOT / name).rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    """One file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path) -> str:
    """The path as people name it: from the root of the checkout."""
    return path.relative_to(ROOT).as_posix()
