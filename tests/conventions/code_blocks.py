"""The fenced code blocks of a page: found, and run the way a reader would run them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

PYTHON = {"python"}
SHELL = {"console", "bash"}
SHOWN = {"text", "toml", "json", "yaml"}
_PROMPT = "$ "
_LIMIT_S = 300.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block: its language, the page's line of its first code line, its lines."""

    language: str
    line: int
    lines: tuple[str, ...]


def blocks_of(page: str) -> Iterator[Block]:
    """Every fenced block of a Markdown page, in order; ValueError if one is left open."""
    opened: tuple[str, int] | None = None
    held: list[str] = []
    for number, line in enumerate(page.splitlines(), 1):
        if not line.startswith("```"):
            held.append(line)
        elif opened is None:
            opened, held = (line[3:].strip(), number + 1), []
        else:
            yield Block(language=opened[0], line=opened[1], lines=tuple(held))
            opened = None
    if opened is not None:
        raise ValueError(f"the block that starts on line {opened[1]} is never closed.")


def commands_of(block: Block) -> Iterator[tuple[int, str]]:
    """The `$ ` commands of a shell block with their lines; a trailing backslash joins lines."""
    rest = iter(enumerate(block.lines, block.line))
    for number, line in rest:
        if line.startswith(_PROMPT):
            command = line.removeprefix(_PROMPT)
            while command.endswith("\\"):
                command = command[:-1] + next(rest)[1]
            yield number, command


def run_page(page: Path, shown: str, folder: Path) -> None:
    """Run a page's blocks in order in `folder`: one Python namespace, one shell per command.

    A failure is an AssertionError whose message starts with the page and line.
    """
    namespace: dict[str, Any] = {"__name__": "__page__"}
    for block in blocks_of(page.read_text(encoding="utf-8")):
        if block.language in PYTHON:
            _run_python(block, shown, namespace)
        elif block.language in SHELL:
            _run_shell(block, shown, folder)
        else:
            known = sorted(PYTHON | SHELL | SHOWN)
            assert block.language in SHOWN, (
                f"{shown}:{block.line} is marked {block.language!r}; use one of {known} "
                "(text, toml, json and yaml are shown, not run)"
            )


def _run_python(block: Block, shown: str, namespace: dict[str, Any]) -> None:
    source = "\n" * (block.line - 1) + "\n".join(block.lines)
    try:
        exec(compile(source, shown, "exec"), namespace)
    except Exception as error:
        raise AssertionError(f"{shown}:{block.line} {type(error).__name__}: {error}") from error


def _run_shell(block: Block, shown: str, folder: Path) -> None:
    commands = list(commands_of(block))
    assert commands, f"{shown}:{block.line} has no line that starts with '$ '; mark it text"
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    for line, command in commands:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        assert done.returncode == 0, (
            f"{shown}:{line} `{command}` exited {done.returncode}\n{done.stdout}{done.stderr}"
        )
