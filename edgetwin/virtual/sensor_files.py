"""Thermal zones, power monitors, fan and loads of a virtual board, as their drivers behave."""

import errno
import re
from collections.abc import Callable
from functools import partial
from typing import Final

from edgetwin.hardware.safety import patterns
from edgetwin.virtual.clock_files import concrete
from edgetwin.virtual.node import Node, Read, Tree, refuse, shown, whole
from hw_models.board import Board

OFFLINE_C: Final = -256.0
_ZONES: Final = "/sys/devices/virtual/thermal"
_KINDS: Final = {"throttle": "passive", "fan": "active", "shutdown": "critical"}
# What zones are called whose log name is another one.
_TYPES: Final = {"tboard": "Tboard_tegra", "tdiode": "Tdiode_tegra", "thermal": "thermal-fan-est"}
_BUS_V: Final = 5.0


def layout_of(board: Board) -> str:
    """jetpack4 (iio), jetpack6 (hwmon) or plain, by where the board file has its rails."""
    variants = {name.rpartition(".")[2] for name in board.paths}
    own = {name for rail in board.sensors.rails for name in board.paths if name.startswith(rail)}
    if any(name.endswith(".jetpack4") for name in own) or (not own and "jetpack4" in variants):
        return "jetpack4"
    return "jetpack6" if "jetpack5" in variants else "plain"


def type_of(zone: str, layout: str) -> str:
    """What the `type` file of a zone says."""
    if layout == "jetpack4":
        return _TYPES.get(zone, f"{zone.upper()}-therm")
    return f"{zone}-thermal"


def add_zones(tree: Tree) -> None:
    """One folder a zone; and those that a Jetson has besides, which tell nothing of use."""
    board, layout = tree.twin.board, layout_of(tree.twin.board)
    for number, zone in enumerate(board.sensors.zones):
        own = patterns(board, f"zone.{zone}.temp")
        folder = own[0].rpartition("/")[0] if own else f"{_ZONES}/thermal_zone{number}"
        tree.show(f"{folder}/temp", _temp(tree, zone))
        name = zone if layout == "plain" else type_of(zone, layout)
        tree.show(f"{folder}/type", partial(shown, name))
        _add_trips(tree, folder, zone)
        if layout != "plain":
            _link_zone(tree, number)
    number = len(board.sensors.zones)
    if layout == "jetpack4":
        _add_dummy(tree, number, "PMIC-Die", lambda: "50000\n")
    if layout == "jetpack6":
        for i in range(3):
            _add_dummy(tree, number + i, f"cv{i}-thermal", _again)


def _link_zone(tree: Tree, number: int) -> None:
    target = f"../../devices/virtual/thermal/thermal_zone{number}"
    tree.add(f"/sys/class/thermal/thermal_zone{number}", Node(link=target))


def _add_dummy(tree: Tree, number: int, name: str, read: Read) -> None:
    folder = f"{_ZONES}/thermal_zone{number}"
    tree.show(f"{folder}/temp", read)
    tree.show(f"{folder}/type", lambda: f"{name}\n")
    _link_zone(tree, number)


def _again() -> str:
    """An unpowered zone of a Jetson Orin."""
    raise refuse(errno.EAGAIN)


def _temp(tree: Tree, zone: str) -> Read:
    def read() -> str:
        value_c = tree.twin.zone_c(zone)
        return shown(round(1000.0 * (OFFLINE_C if value_c is None else value_c)))

    return read


def _add_trips(tree: Tree, folder: str, zone: str) -> None:
    trips = [t for t in tree.twin.board.limits.trips if t.zone == zone]
    for n, trip in enumerate(trips):
        counts = {"temp": trip.temp_c.value, "hyst": trip.hysteresis_k.value}
        for what, value in counts.items():
            tree.show(f"{folder}/trip_point_{n}_{what}", partial(shown, round(1e3 * value)))
        tree.show(f"{folder}/trip_point_{n}_type", partial(shown, _KINDS[trip.kind]))


def add_rails(tree: Tree) -> None:
    """Power monitors where the board file has them."""
    board = tree.twin.board
    for rail in board.sensors.rails:
        powers, volts = patterns(board, f"{rail}.power"), patterns(board, f"{rail}.voltage")
        currents, labels = patterns(board, f"{rail}.current"), patterns(board, f"{rail}.label")
        in_si = any("INA231" in path for path in (*powers, *volts))
        scale = 1.0 if in_si else 1000.0
        watts = partial(_counted, partial(_watts, tree, rail), scale)
        amps = partial(_counted, partial(_watts, tree, rail), scale / _BUS_V)
        supply = partial(_counted, lambda: _BUS_V, scale)
        for paths, read in ((powers, watts), (volts, supply), (currents, amps)):
            for path in paths[:1]:
                tree.show(_named(path), read)
        for path in labels[:1]:
            tree.show(_named(path), partial(shown, rail.upper()))
        for path in patterns(board, f"{rail}.enable"):
            tree.knob(_named(path), lambda: "1\n", lambda text: None)
        for path in patterns(board, f"{rail}.current_crit"):
            tree.show(_named(path), lambda: "7784\n")
    if layout_of(board) == "jetpack6" and board.sensors.rails:
        _add_sum(tree, patterns(board, f"{board.sensors.input_rail}.label")[0])


def _add_sum(tree: Tree, label: str) -> None:
    folder = _named(label).rpartition("/")[0]
    tree.show(f"{folder}/in7_label", lambda: "sum of shunt voltages\n")
    tree.show(f"{folder}/name", lambda: "ina3221\n")


def _named(pattern: str) -> str:
    return re.sub(r"\*-(\d{4})", r"4-\1", concrete(pattern))


def _watts(tree: Tree, rail: str) -> float:
    """What a monitor measures; EIO where its sensor says nothing."""
    value_w = tree.twin.rail_w(rail)
    if value_w is None:
        raise refuse(errno.EIO)
    return value_w


def _counted(read: Callable[[], float], scale: float) -> str:
    """Whole milli-units, or SI units with three decimals."""
    value = read() * scale
    return f"{value:.3f}\n" if scale <= 1.0 else shown(round(value))


def add_fan(tree: Tree) -> None:
    """The fan's file of this layout."""
    board, twin = tree.twin.board, tree.twin
    fan = board.limits.fan
    if fan is None:
        return

    def write(text: str) -> None:
        value = whole(text)
        if not 0 <= value <= 255:
            raise refuse(errno.EINVAL)
        twin.write_fan(min(range(len(fan.pwm)), key=lambda i: abs(fan.pwm[i] - value)))

    def write_level(text: str) -> None:
        if not 0 <= whole(text) < len(fan.pwm):
            raise refuse(errno.EINVAL)
        twin.write_fan(whole(text))

    pulse = lambda: shown(twin.fan_pwm())  # noqa: E731
    for path in patterns(board, "fan.level"):
        tree.knob(path, lambda: shown(twin.fan_level()), write_level)
    if layout_of(board) == "jetpack4":
        for path in patterns(board, "fan.target"):
            tree.knob(path, pulse, write)
        for path in patterns(board, "fan.pwm.jetpack4"):
            tree.show(path, pulse)
        return
    for path in patterns(board, "fan.pwm"):
        tree.knob(path.replace("hwmon*", "hwmon4"), pulse, write)


def add_loads(tree: Tree) -> None:
    """Loads of accelerators and memory, and /proc/stat for the cores."""
    board = tree.twin.board
    for unit in board.unit_list:
        for path in patterns(board, f"{unit.name}.load"):
            name = path.replace("17000000.g*", "17000000.gpu")
            tree.show(name, partial(_permille, tree, unit.name))
    memory = board.power.memory
    if memory is not None:
        for path in patterns(board, f"{memory.domain}.load"):
            tree.show(path, partial(_active, tree, memory.domain), size_bytes=0)
    cores = [u.name for u in board.unit_list if u.kind in board.performance.cores]
    tree.show("/proc/stat", partial(_stat, tree, cores), size_bytes=0)
    model = f"{board.title}\0"
    tree.show("/proc/device-tree/model", lambda: model, size_bytes=len(model))


def _permille(tree: Tree, unit: str) -> str:
    return shown(round(1000.0 * tree.twin.busy(unit)))


def _active(tree: Tree, domain: str) -> str:
    """The activity monitor counts how many kHz of its clock the memory worked."""
    return shown(round(tree.twin.memory_busy() * tree.twin.hz(domain) / 1e3))


def _stat(tree: Tree, cores: list[str]) -> str:
    """Jiffies of a hundredth of a second, as far as they are used here."""
    total = int(100.0 * tree.twin.sim.now_s)
    busy = [min(int(100.0 * tree.twin.busy_s(core)), total) for core in cores]
    lines = [_jiffies("cpu ", sum(busy), total * len(cores))]
    lines += [_jiffies(core, one, total) for core, one in zip(cores, busy, strict=True)]
    return "\n".join([*lines, "ctxt 0\n"])


def _jiffies(name: str, busy: int, total: int) -> str:
    return f"{name} {busy} 0 0 {total - busy} 0 0 0 0 0 0"
