"""A labelled corpus that every Python installation carries: docstrings by topic.

The topics are chapters of the library's manual; the text is the first paragraph of what modules,
classes and functions say of themselves, read from the source files, which are not imported.
"""

import ast
import hashlib
import platform
import re
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np

FEWEST_WORDS: Final = 5
MOST_WORDS: Final = 40
HELD_OUT: Final = 5  # one in so many docstrings is for testing


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A chapter: its modules, and words that say what it is about."""

    modules: tuple[str, ...]
    words: tuple[str, ...]


def _topic(modules: str, words: str) -> Topic:
    return Topic(modules=tuple(modules.split()), words=tuple(words.split()))


TOPICS: Final[Mapping[str, Topic]] = {
    "numbers": _topic(
        "_pydecimal decimal fractions random statistics numbers colorsys heapq bisect",
        "numbers mathematics decimal arithmetic statistics",
    ),
    "files": _topic(
        "os posixpath ntpath genericpath pathlib shutil tempfile glob fnmatch zipfile tarfile "
        "_pyio filecmp fileinput gzip lzma bz2 stat _compression linecache",
        "files directories paths archives",
    ),
    "network": _topic(
        "socket ssl http urllib smtplib imaplib ftplib poplib socketserver xmlrpc ipaddress "
        "email wsgiref webbrowser",
        "network protocol server http mail",
    ),
    "concurrency": _topic(
        "threading multiprocessing asyncio concurrent queue sched subprocess selectors signal",
        "threads processes tasks locks events",
    ),
    "language": _topic(
        "ast inspect dis bdb pdb trace doctest unittest symtable typing abc dataclasses importlib "
        "traceback cProfile pstats tokenize types code",
        "code classes functions modules tests",
    ),
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Rows {"text", "label"} for training and testing, and what they were made from."""

    train: Sequence[Mapping[str, str]]
    test: Sequence[Mapping[str, str]]
    python: str
    sha256: str


def read_corpus(most: int = 500) -> Corpus:
    """Docstrings of this installation, at most so many a topic, each text once.

    Which are kept and which are held out hangs on their own text alone. FileNotFoundError where
    the library's source is not installed.
    """
    library = Path(sysconfig.get_paths()["stdlib"])
    rows: list[tuple[str, str]] = []
    for name, topic in TOPICS.items():
        texts = {t for module in topic.modules for t in _docstrings(library, module)}
        rows += [(text, name) for text in sorted(texts, key=_mark)[:most]]
    seen = [text for text, _ in rows]
    rows = [(text, name) for text, name in rows if seen.count(text) == 1]
    if len({name for _, name in rows}) < len(TOPICS):
        raise FileNotFoundError(f"{library} lacks the library's source; install it.")
    held = [_mark(text) % HELD_OUT == 0 for text, _ in rows]
    named = [{"text": text, "label": name} for text, name in rows]
    return Corpus(
        train=[row for row, out in zip(named, held, strict=True) if not out],
        test=[row for row, out in zip(named, held, strict=True) if out],
        python=platform.python_version(),
        sha256=hashlib.sha256(repr(rows).encode()).hexdigest(),
    )


def _docstrings(library: Path, module: str) -> Iterator[str]:
    for file in _files(library, module):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                first = (ast.get_docstring(node) or "").split("\n\n")[0]
                text = re.sub(r"\s+", " ", first).strip()
                if FEWEST_WORDS <= len(text.split()) <= MOST_WORDS:
                    yield text


def _files(library: Path, module: str) -> list[Path]:
    """The source of a module or of all of a package, its own tests left out."""
    path = library / module
    if path.is_dir():
        found = path.rglob("*.py")
        return sorted(f for f in found if "test" not in f.relative_to(library).parts)
    file = path.with_suffix(".py")
    return [file] if file.exists() else []


def _mark(text: str) -> int:
    """A number drawn from the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def majority(labels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """What always guessing the commonest class gets right."""
    return float(np.bincount(labels).max() / len(labels))
