"""Every example in a docstring of the shipped packages does what it prints."""

import doctest
import importlib

import pytest
from source_trees import SHIPPED, python_files, shown


def _modules_with_examples() -> list[str]:
    return [
        shown(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in python_files(*SHIPPED)
        if ">>> " in path.read_text(encoding="utf-8")
    ]


@pytest.mark.parametrize("module", _modules_with_examples())
def test_examples_hold(
    module: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("doctest"))
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0
