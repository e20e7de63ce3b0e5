"""The whole tree of a virtual board: what the device has, and a folder that only this one has."""

import errno
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

from edgetwin.hardware.words import job_of
from edgetwin.virtual.clock_files import add_clocks
from edgetwin.virtual.faults import Faults, stamp_s
from edgetwin.virtual.node import Tree, refuse, shown
from edgetwin.virtual.sensor_files import add_fan, add_loads, add_rails, add_zones
from edgetwin.virtual.tegrastats import line_of
from edgetwin.virtual.twin import Twin

OWN = "/edgetwin"


@final
@dataclass(slots=True, kw_only=True)
class VirtualBoard:
    """Files, faults and a log of writes over one twin; what a file system calls."""

    twin: Twin
    tree: Tree
    faults: Faults = field(default_factory=Faults)
    writes: list[tuple[float, str, str]] = field(default_factory=list)
    lines: dict[int, str] = field(default_factory=dict)

    def read(self, path: str) -> str:
        """What a file says at this instant; OSError as a kernel answers."""
        self.faults.wait(path)
        node = self.tree.files[path]
        if node.read is None:
            raise refuse(errno.EACCES)
        with self.twin.lock:
            self.twin.follow()
            if not self.faults.broken:
                return node.read()
            fault = self.faults.of(path)
            now = "" if fault and fault[0] in ("eio", "again", "vanish") else node.read()
            broken = self.faults.before_read(path, now)
        return now if broken is None else broken

    def write(self, path: str, text: str) -> None:
        """Write a file; OSError as a kernel answers. Every try that is taken is logged."""
        self.faults.wait(path)
        node = self.tree.files[path]
        if node.write is None:
            raise refuse(errno.EACCES)
        with self.twin.lock:
            self.twin.follow()
            if not path.startswith(OWN):
                self.faults.before_write(path)
                self.writes.append((stamp_s(), path, text.strip()))
            node.write(text)

    def exists(self, path: str) -> bool:
        """False for what is not there, or has vanished."""
        return path in self.tree.files and not self.faults.gone(path)

    # -- a process that works on the board ------------------------------------------------

    def tell(self, ident: str | None, text: str) -> str:
        """The first line of a process is its job, the next ones move it or size its batch."""
        with self.twin.lock:
            self.twin.follow()
            try:
                if ident is None:
                    job, unit = job_of(text)
                    return self.twin.start(job, unit)
                said = json.loads(text)
                self.twin.turn(ident, said.get("unit"), said.get("batch"))
                return ident
            except (KeyError, ValueError, AttributeError):
                raise refuse(errno.EINVAL) from None

    def progress(self, ident: str | None) -> str:
        """What a process hears of its work."""
        if ident is None:
            return ""
        with self.twin.lock:
            self.twin.follow()
            return json.dumps(self.twin.progress(ident)) + "\n"

    def gone(self, ident: str | None) -> None:
        """A process has ended, or was killed."""
        if ident is not None:
            with self.twin.lock:
                self.twin.follow()
                self.twin.end(ident)


def virtual_board(twin: Twin) -> VirtualBoard:
    """The tree of the twin's board in the layout that its file has."""
    tree = Tree(twin)
    for add in (add_clocks, add_zones, add_rails, add_fan, add_loads):
        add(tree)
    board = VirtualBoard(twin=twin, tree=tree)
    _add_own(board)
    return board


def _add_own(board: VirtualBoard) -> None:
    tree, twin = board.tree, board.twin
    shows: dict[str, Callable[[], str]] = {
        "time_scale": lambda: shown(twin.speed),
        "now_s": lambda: shown(twin.sim.now_s),
        "writes": lambda: "".join(f"{at:.6f} {p} {t}\n" for at, p, t in board.writes),
        "fan": lambda: "automatic\n" if twin.fan_is_automatic else "held\n",
        "tegrastats": lambda: line_of(twin),
        "work": lambda: json.dumps([e.id for e in twin.sim.running.values()]) + "\n",
    }
    for name, read in shows.items():
        tree.show(f"{OWN}/{name}", read, size_bytes=0)
    tree.knob(f"{OWN}/faults", board.faults.text, lambda text: _command(board, text), size_bytes=0)
    tree.knob(f"{OWN}/jobs", lambda: "", lambda text: None, size_bytes=0)


def _command(board: VirtualBoard, text: str) -> None:
    for line in text.splitlines():
        words = line.split(" ", 2)
        if not words[0]:
            continue
        name, more = words[0], words[1:]
        if name == "heal":
            board.faults.heal(*more[:1])
        elif name in ("jump", "ambient", "heat") and more:
            _surroundings(board.twin, name, more[0])
        elif more:
            board.faults.make(name, more[0], *more[1:])
        else:
            raise refuse(errno.EINVAL)


def _surroundings(twin: Twin, name: str, text: str) -> None:
    try:
        value = float(text)
    except ValueError:
        raise refuse(errno.EINVAL) from None
    if not abs(value) <= 1e5:
        raise refuse(errno.EINVAL)
    if name == "jump":
        twin.jump(value)
    elif name == "ambient":
        twin.set_ambient_c(value)
    else:
        twin.set_heat_c(value)
