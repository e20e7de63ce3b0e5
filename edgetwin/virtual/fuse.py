"""A virtual board as a mounted file system; libfuse by mfusepy, which this module needs."""

import ctypes
import errno
import os
import stat
import subprocess
import threading
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, final

from edgetwin.virtual.board_tree import OWN, VirtualBoard

JOBS = f"{OWN}/jobs"


@final
class BoardFiles:
    """What libfuse asks for. Reads and writes go straight to the board: nothing is cached."""

    use_ns = True

    def __init__(self, board: VirtualBoard) -> None:
        self.board = board
        self._start_ns = time.time_ns()
        self._handles = count(1)
        self._workers: dict[int, str | None] = {}
        self._told: dict[int, bytes] = {}

    def init_with_config(self, conn: Any, config: Any) -> None:
        """Names and attributes are asked for again and again: files may vanish."""
        if config is not None:
            config.entry_timeout = config.attr_timeout = 0.0

    def getattr(self, path: str, fh: Any = None) -> dict[str, Any]:
        """Type, permissions and the size that sysfs would give."""
        tree = self.board.tree
        stamps = dict.fromkeys(("st_atime", "st_mtime", "st_ctime"), self._start_ns)
        if path in tree.folders:
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2, **stamps}
        if not self.board.exists(path):
            raise OSError(errno.ENOENT, "no such file")
        node = tree.files[path]
        size = len(node.link) if node.link else node.size_bytes
        return {"st_mode": node.st_mode, "st_nlink": 1, "st_size": size, **stamps}

    def readdir(self, path: str, fh: Any) -> list[str]:
        """Names in a folder."""
        found = sorted(self.board.tree.folders.get(path, ()))
        base = "" if path == "/" else path
        return [".", "..", *(n for n in found if not self.board.faults.gone(f"{base}/{n}"))]

    def readlink(self, path: str) -> str:
        """Where a link leads, always relative."""
        return self.board.tree.files[path].link or ""

    def open(self, path: str, info: Any) -> int:
        """Open a file past the page cache; EACCES where it cannot be written by anybody."""
        if not self.board.exists(path):
            raise OSError(errno.ENOENT, "no such file")
        node = self.board.tree.files[path]
        if info.flags & (os.O_WRONLY | os.O_RDWR) and node.write is None:
            raise OSError(errno.EACCES, "read only")
        info.direct_io = 1
        info.fh = next(self._handles)
        if path == JOBS:
            self._workers[info.fh] = None
        return 0

    def read(self, path: str, size: int, offset: int, info: Any) -> bytes:
        """A read from the start takes a new value, as in kernfs; the rest goes on in it."""
        _stay()
        if offset == 0:
            worker = path == JOBS
            said = (
                self.board.progress(self._workers.get(info.fh)) if worker else self.board.read(path)
            )
            whole = said.encode("utf-8", "surrogateescape")
            if len(whole) <= size:
                self._told.pop(info.fh, None)
                return whole
            self._told[info.fh] = whole
        return self._told.get(info.fh, b"")[offset : offset + size]

    def write(self, path: str, data: bytes, offset: int, info: Any) -> int:
        """One write is one value."""
        _stay()
        text = data.decode("utf-8", "replace")
        if path == JOBS:
            self._workers[info.fh] = self.board.tell(self._workers.get(info.fh), text)
        else:
            self.board.write(path, text)
        return len(data)

    def truncate(self, path: str, length: int, fh: Any = None) -> int:
        """Nothing to cut: a value is replaced."""
        return 0

    def release(self, path: str, info: Any) -> int:
        """A process that closes the file behind which it works, or dies, works no more."""
        self._told.pop(info.fh, None)
        if path == JOBS:
            self.board.gone(self._workers.pop(info.fh, None))
        return 0


_stays = threading.local()


def _stay() -> None:
    """Keep what Python makes of a thread of libfuse until its call ends: mapping that memory
    and giving it back takes as long as a reading.
    """
    if not hasattr(_stays, "state"):
        _stays.state = ctypes.pythonapi.PyGILState_Ensure()


def check_fuse() -> None:
    """RuntimeError with what to do where a file system cannot be mounted here."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR))
    except OSError as error:
        raise RuntimeError(
            f"/dev/fuse: {os.strerror(error.errno or 0).lower()}; a virtual board needs it "
            "(apt-get install fuse3, and in a container --device /dev/fuse)."
        ) from None


def mount(board: VirtualBoard, folder: Path) -> None:
    """Serve until unmounted. RuntimeError where FUSE is missing, ValueError for a bad folder."""
    check_fuse()
    if not folder.is_dir() or any(folder.iterdir()):
        raise ValueError(f"--mount {folder}: give an empty folder.")
    try:
        from mfusepy import FUSE
    except ImportError:
        raise RuntimeError("mfusepy is not installed: pip install 'edgetwin[virtual]'.") from None
    except OSError as error:
        raise RuntimeError(f"{error}; apt-get install fuse3.") from None
    options = {"foreground": True, "fsname": f"edgetwin-{board.twin.board.name}"}
    FUSE(BoardFiles(board), str(folder), raw_fi=True, **options)


def unmount(folder: Path) -> None:
    """End serving, also what a killed server left; nothing happens where nothing is mounted."""
    for command in (["fusermount3", "-u", "-z"], ["umount", "-l"]):
        with suppress(OSError):
            done = subprocess.run([*command, str(folder)], capture_output=True, check=False)
            if done.returncode == 0:
                return


def unmount_soon(folder: Path) -> None:
    """As `unmount`, from a signal handler: libfuse must not wait for its own thread."""
    threading.Thread(target=unmount, args=(folder,), daemon=True).start()
