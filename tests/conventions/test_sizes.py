"""Functions and modules stay small enough to be read in one go."""

import ast
from collections.abc import Iterator
from pathlib import Path

from source_trees import PACKAGES, parsed, python_files, shown
from value_kinds import FunctionNode

MODULE_LINES = 300
FUNCTION_LINES = 60
COMPILED_LINES = 80  # splitting would hide the loop
# Modules that may be longer, and why.
LONG_MODULES = {"edgetwin/hardware/agent.py": "it is sent to a board and runs there as one file"}


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(parsed(path)) if isinstance(node, FunctionNode))


def _limit(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    is_kernel = shown(path).startswith("edgetwin/kernel")
    is_compiled = any("jit" in ast.unparse(decorator) for decorator in function.decorator_list)
    return COMPILED_LINES if is_kernel or is_compiled else FUNCTION_LINES


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_function_is_longer_than_its_limit() -> None:
    long = [
        f"{shown(path)}:{function.lineno} {function.name} has {_lines(function)} lines"
        for path in python_files(*PACKAGES, "tests")
        for function in _functions(path)
        if _lines(function) > _limit(path, function)
    ]
    assert not long, "\n".join(long)


def test_no_module_reaches_its_limit() -> None:
    long = [
        f"{shown(path)} has {lines} lines"
        for path in python_files(*PACKAGES)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) >= MODULE_LINES
        and shown(path) not in LONG_MODULES
    ]
    assert not long, "\n".join(long)
