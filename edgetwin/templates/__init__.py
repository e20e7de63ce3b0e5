"""Working starts of a policy, a board and a scenario: real files, renamed when they are copied."""

from importlib import resources
from pathlib import Path
from typing import Final

from hw_models.naming import unknown

# What each start is called in its files; `make_start` puts another name in its place.
NAME: Final = "mine"
KINDS: Final = {
    "policy": ("mine.py", "test_mine.py", "README.md", "gate.yml"),
    "board": ("board.toml", "test_mine.py", "README.md"),
    "scenario": ("mine.toml", "test_mine.py", "README.md"),
}
# Where a file goes when that is not beside the others.
PLACES: Final = {"gate.yml": ".github/workflows/gate.yml"}


def make_start(kind: str, name: str, folder: Path) -> list[Path]:
    """Write a working start of a kind into a new folder; the files, in order of reading.

    KeyError for an unknown kind, ValueError for a name that is none, FileExistsError where the
    folder is not empty.
    """
    if kind not in KINDS:
        raise KeyError(unknown("start", kind, KINDS))
    if not _is_name(kind, name):
        raise ValueError(f"{name!r} cannot name a {kind}; give lower-case letters and digits.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and is not empty; give another name or --out.")
    made = []
    for file, text in start_files(kind, name).items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        made.append(path)
    return made


def start_files(kind: str, name: str) -> dict[str, str]:
    """Every file of a start by its place, under the new name."""
    root = resources.files("edgetwin.templates") / kind
    return {
        _renamed(PLACES.get(file, file), name): _renamed((root / file).read_text("utf-8"), name)
        for file in KINDS[kind]
    }


def _renamed(text: str, name: str) -> str:
    return text.replace(NAME, name)


def _is_name(kind: str, name: str) -> bool:
    """A policy is a Python module; boards and scenarios may have dashes."""
    plain = name if kind == "policy" else name.replace("-", "")
    return name.isascii() and plain.isidentifier() and name == name.lower()
