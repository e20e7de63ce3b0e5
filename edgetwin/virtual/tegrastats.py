"""The line that tegrastats would print on a virtual board now, in the dialect of its JetPack."""

import time
from typing import Final

from edgetwin.virtual.sensor_files import layout_of
from edgetwin.virtual.twin import Twin
from hw_models.board import Board
from hw_models.tegrastats import Sample, dialect_of, format_line

_MEGA: Final = 2.0**20
_RAM_SHARE: Final = 0.25


def line_of(twin: Twin) -> str:
    """One line; empty for a board that is no Jetson."""
    layout = layout_of(twin.board)
    if layout == "plain":
        return ""
    return format_line(_sample(twin, layout), dialect_of(_example(twin.board, layout))) + "\n"


def _example(board: Board, layout: str) -> str:
    """A line of this dialect with the board's own names, for its order and punctuation."""
    cores = ",".join("1%@102" for _ in range(_cores(board)))
    names = [_zone(zone, layout) for zone in board.sensors.zones]
    zones = " ".join(f"{name}@20C" for name in names)
    rails = [rail.upper() for rail in board.sensors.rails]
    ram = "RAM 1/2MB (lfb 1x4MB) SWAP 0/1MB (cached 0MB)"
    if layout == "jetpack4":
        shown = " ".join(f"{rail} 1/1" for rail in rails)
        return f"{ram} CPU [{cores}] EMC_FREQ 1%@204 GR3D_FREQ 1%@76 APE 25 {zones} {shown}"
    shown = " ".join(f"{rail} 1mW/1mW" for rail in rails)
    head = f"01-01-2026 00:00:00 {ram} CPU [{cores}]"
    return f"{head} EMC_FREQ 1%@204 GR3D_FREQ 1%@[306] APE 200 {zones} {shown}"


def _cores(board: Board) -> int:
    return sum(unit.kind in board.performance.cores for unit in board.unit_list)


def _zone(zone: str, layout: str) -> str:
    if zone in ("thermal", "tboard", "tdiode"):
        return zone if zone == "thermal" else zone.capitalize()
    return zone.upper() if layout == "jetpack4" else zone


def _sample(twin: Twin, layout: str) -> Sample:
    board = twin.board
    cores = [u for u in board.unit_list if u.kind in board.performance.cores]
    cores.sort(key=lambda unit: int(unit.name.removeprefix("cpu")))
    gpu = next(u for u in board.unit_list if u.kind in board.performance.accelerators)
    memory = board.power.memory
    clocks = {"GR3D_FREQ": (_whole(twin.busy(gpu.name)), (twin.hz(gpu.domain),))}
    if memory is not None:
        clocks["EMC_FREQ"] = (_whole(twin.memory_busy()), (twin.hz(memory.domain),))
    rails_w = {rail.upper(): twin.rail_w(rail) for rail in board.sensors.rails}
    power_w = {name: value for name, value in rails_w.items() if value is not None}
    total_bytes = _MEGA * (board.performance.ram_bytes.value // _MEGA)
    return Sample(
        time_s=float(int(time.time())) if layout == "jetpack6" else None,
        cpus=tuple((_whole(twin.busy(u.name)), _mega_hz(twin.hz(u.domain))) for u in cores),
        clocks={name: (load, tuple(map(_mega_hz, hz))) for name, (load, hz) in clocks.items()},
        extras=_memory(total_bytes),
        temps_c={_zone(zone, layout): twin.zone_c(zone) for zone in board.sensors.zones},
        power_w=power_w,
        power_avg_w=power_w,
    )


def _memory(total_bytes: float) -> dict[str, float]:
    used_bytes = _MEGA * (_RAM_SHARE * total_bytes // _MEGA)
    return {
        "ram_used_bytes": used_bytes, "ram_total_bytes": total_bytes,
        "ram_lfb_blocks": 64.0, "ram_lfb_block_bytes": 4 * _MEGA,
        "swap_used_bytes": 0.0, "swap_total_bytes": total_bytes / 2 // _MEGA * _MEGA,
        "swap_cached_bytes": 0.0,
    }  # fmt: skip


def _whole(share: float) -> float:
    """Whole per cents, as printed."""
    return round(100.0 * share) / 100.0


def _mega_hz(hz: float) -> float:
    """Whole MHz, cut off as printed."""
    return float(int(hz / 1e6)) * 1e6
