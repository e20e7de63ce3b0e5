"""The files of a virtual board, before any file system: what reading and writing them does."""

import errno
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

from edgetwin.virtual.twin import Twin

Read = Callable[[], str]
Write = Callable[[str], None]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One file: mode bits, what it says, what writing does. st_size is what sysfs would say."""

    read: Read | None = None
    write: Write | None = None
    mode: int = 0o444
    size_bytes: int = 4096
    link: str | None = None

    @property
    def st_mode(self) -> int:
        """Type and permissions as stat gives them."""
        return (stat.S_IFLNK | 0o777) if self.link else stat.S_IFREG | self.mode


def refuse(number: int) -> OSError:
    """What a kernel answers, by its errno."""
    return OSError(number, errno.errorcode[number])


def whole(text: str) -> int:
    """The number that was written; EINVAL for anything else, as in the kernel."""
    word = text.strip()
    if not word.lstrip("-").isascii() or not word.lstrip("-").isdigit() or len(word) > 18:
        raise refuse(errno.EINVAL)
    return int(word)


def shown(value: Any) -> str:
    """A number as sysfs prints it."""
    return f"{value}\n"


@final
class Tree:
    """Every file of a virtual board by its path; folders are what lies above a file."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        self.files: dict[str, Node] = {}
        self.folders: dict[str, set[str]] = {"/": set()}

    def add(self, path: str, node: Node) -> None:
        """A file, and the folders above it; the first one at a path stays."""
        if path in self.files:
            return
        self.files[path] = node
        while path != "/":
            above, _, name = path.rpartition("/")
            self.folders.setdefault(above or "/", set()).add(name)
            path = above or "/"

    def show(self, path: str, read: Read, *, mode: int = 0o444, size_bytes: int = 4096) -> None:
        """A file that is only read."""
        self.add(path, Node(read=read, mode=mode, size_bytes=size_bytes))

    def knob(self, path: str, read: Read, write: Write, *, size_bytes: int = 4096) -> None:
        """A file that may be written by root."""
        self.add(path, Node(read=read, write=write, mode=0o644, size_bytes=size_bytes))
