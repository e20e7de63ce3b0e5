"""What a device has of its board, what is missing, and what grants it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from hw_models.board import Board

# Words in what a device calls itself, the more special first, and the board file.
MODELS: Final = (
    ("jetson nano", "jetson-nano"),
    ("tx2 nx", "jetson-tx2-nx"),
    ("tx2", "jetson-tx2"),
    ("orin nano", "jetson-orin-nano"),
    ("hikey970", "hikey970"),
    ("hikey 970", "hikey970"),
    ("hikey960", "hikey960"),
    ("hikey 960", "hikey960"),
    ("odroid-xu", "odroid-xu3"),
    ("odroid xu", "odroid-xu3"),
)
ANY_HOST: Final = "linux-host"
_CURES: Final = {
    "clock": "boot a kernel with cpufreq or devfreq for it; a mainline kernel may have none",
    "rail": "sudo modprobe ina3221",
    "zone": "ls /sys/class/thermal/*/type shows what there is; name it in [aliases.zones]",
    "fan": "connect a fan, or write its path into the board file",
    "load": "update JetPack; the file is part of the vendor's kernel",
    "memory": "sudo mount -t debugfs none /sys/kernel/debug",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing of a board: what it is, whether it works, why not, and what grants it."""

    what: str
    works: bool
    detail: str
    cure: str = ""


def board_named(model: str) -> str:
    """The board file for what a device calls itself; `linux-host` for any other."""
    low = model.lower().replace("developer kit", "")
    return next((board for words, board in MODELS if words in low), ANY_HOST)


def findings(board: Board, found: Mapping[str, Any]) -> list[Finding]:
    """Sensors, then knobs, then what jobs can be counted by, in the order of the board."""
    return [*_sensors(board, found), *_knobs(board, found), *_rest(board, found)]


def _sensors(board: Board, found: Mapping[str, Any]) -> Iterator[Finding]:
    here = found["found"]
    wanted: dict[str, Collection[str]] = {
        "zone": board.sensors.zones,
        "rail": board.sensors.rails,
        "clock": board.clocks,
    }
    for kind, names in wanted.items():
        for name in names:
            yield _read(kind, name, here.get(kind, {}).get(name))
    for kind in ("fan", "load", "memory"):
        for missing in found["missing"]:
            if missing.startswith(kind + "."):
                yield _read(kind, missing.partition(".")[2], None)
        for name, paths in here.get(kind, {}).items():
            yield _read(kind, name, paths)
    if not board.sensors.rails:
        yield Finding(what="read power", works=False, detail="this board has no power sensor",
                      cure="an external meter: edgetwin calibrate --meter")  # fmt: skip


def _read(kind: str, name: str, paths: list[str] | None) -> Finding:
    if paths:
        return Finding(what=f"read {kind} {name}", works=True, detail=" ".join(paths))
    cure = _CURES.get(kind, "")
    return Finding(what=f"read {kind} {name}", works=False, detail="not found", cure=cure)


def _knobs(board: Board, found: Mapping[str, Any]) -> Iterator[Finding]:
    for name, clock in found["clocks"].items():
        detail = f"by {clock['way']}: {' '.join(clock['paths'])}" if clock["way"] else clock["why"]
        cure = "" if clock["way"] else _grant(clock["paths"])
        yield Finding(what=f"set clock {name}", works=bool(clock["way"]), detail=detail, cure=cure)
    if board.limits.fan:
        path = found["fan_path"]
        yield Finding(what="set fan", works=bool(found["fan"]), detail=str(path or "not found"),
                      cure="" if found["fan"] or not path else _grant([path]))  # fmt: skip


def _grant(paths: list[str]) -> str:
    """The command that lets the present user write these files."""
    if not paths:
        return _CURES["clock"]
    debug = "sudo mount -o remount,mode=755 /sys/kernel/debug && " if any(
        path.startswith("/sys/kernel/debug") for path in paths
    ) else ""  # fmt: skip
    return f"{debug}sudo chmod a+w {' '.join(paths)}"


def _rest(board: Board, found: Mapping[str, Any]) -> Iterator[Finding]:
    counters = found["counters"]
    yield Finding(
        what="count instructions of jobs", works="instructions" in counters,
        detail=" ".join(counters) or "perf_event_open is refused",
        cure="" if "instructions" in counters else "sudo sysctl kernel.perf_event_paranoid=1",
    )  # fmt: skip
    yield Finding(what="utilisation of cores", works=found["stat"],
                  detail="/proc/stat" if found["stat"] else "/proc/stat not found")  # fmt: skip
