"""What of a board may be read and written, up to which temperature and for how long.

Everything that the agent is told is derived here from the board file; the agent checks it again
by rules of its own (`agent.SHAPES`) before it believes it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from hw_models.board import Board

# A zone may come this near to the board's own trip; then clocks go to their lowest.
MARGIN_K: Final = 3.0
# For a zone of a board that states no trip at all.
DEFAULT_TRIP_C: Final = 85.0
_ZONE_FORMS: Final = ("{}", "{}-therm", "{}-thermal", "{}_thermal", "{}_therm", "{}_tegra")
_SWITCHES: Final = ("lock", "state")
_PERMILLE: Final = 1000.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a host may be silent and a session may last, in wall seconds; a lower trip if any.

    trip_c holds for every zone where it is below what the board's own trips give.
    """

    deadman_s: float = 5.0
    longest_s: float = 6 * 3600.0
    trip_c: float | None = None

    def __post_init__(self) -> None:
        for name, low, high in (("deadman_s", 0.5, 120.0), ("longest_s", 1.0, 7 * 86400.0)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(
                    f"{name} is {getattr(self, name)}; give {low:g} to {high:g} seconds."
                )


def limits_c(board: Board, limits: Limits) -> dict[str, float]:
    """Where the software trips, by zone: below the board's lowest trip that is not a fan's."""
    trips = [t for t in board.limits.trips if t.kind != "fan"]
    lowest_c = min((t.temp_c.value for t in trips), default=DEFAULT_TRIP_C)
    own_c = {
        zone: min((t.temp_c.value for t in trips if t.zone == zone), default=lowest_c) - MARGIN_K
        for zone in board.sensors.zones
    }
    most_c = limits.trip_c
    return own_c if most_c is None else {zone: min(c, most_c) for zone, c in own_c.items()}


def description(board: Board, limits: Limits, *, dry_run: bool = False) -> dict[str, Any]:
    """The board in the words of the agent: where each sensor and knob may be, and its limits."""
    return {
        "board": board.name,
        "zones": {zone: _zone(board, zone) for zone in board.sensors.zones},
        "rails": {
            rail: [{**way, "period_s": sensor.period_s.value} for way in _rail(board, rail)]
            for rail, sensor in board.sensors.rails.items()
        },
        "input": board.sensors.input_rail,
        "clocks": {domain: _clock(board, domain) for domain in board.clocks},
        "fan": _fan(board),
        "loads": {
            unit.name: {"path": paths, "full": _PERMILLE}
            for unit in board.unit_list
            if (paths := patterns(board, f"{unit.name}.load"))
        },
        "memory": _memory(board),
        "cpus": cpus_of(board),
        "limits_c": limits_c(board, limits),
        "deadman_s": limits.deadman_s,
        "longest_s": limits.longest_s,
        "dry_run": dry_run,
    }


def patterns(board: Board, key: str) -> list[str]:
    """Where a file may be, by its key in the board file or that key with a variant behind it."""
    return [p.pattern for name, p in _keyed(board.paths, key)]


def _keyed(paths: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    for name, path in paths.items():
        if name == key or name.startswith(key + "."):
            yield name, path


def cpus_of(board: Board) -> dict[str, int]:
    """The number that Linux gives a unit that is a CPU core."""
    kinds = board.performance.cores
    cores = [u.name for u in board.unit_list if u.kind in kinds]
    return {name: int(name.removeprefix("cpu")) for name in cores if name[3:].isdigit()}


def zone_types(board: Board, zone: str) -> list[str]:
    """What the `type` file of a zone may say, in lower case."""
    others = [alias for alias, own in board.aliases.zones.items() if own == zone]
    return [form.format(name).lower() for name in (zone, *others) for form in _ZONE_FORMS]


def _zone(board: Board, zone: str) -> dict[str, Any]:
    own = patterns(board, f"zone.{zone}.temp")
    where: dict[str, Any] = {"path": own, "types": []}
    if not own:
        where = {"path": patterns(board, "zones.temp"), "types": zone_types(board, zone)}
    return where | {"period_s": board.sensors.zones[zone].period_s.value}


def _rail(board: Board, rail: str) -> Iterator[dict[str, Any]]:
    """Ways to read a rail, the board's own first."""
    names = [rail, *(alias for alias, own in board.aliases.rails.items() if own == rail)]
    label = patterns(board, f"{rail}.label")
    for key, pattern in _keyed(board.paths, f"{rail}.power"):
        watts = 1.0 if "INA231" in pattern.pattern else 1e-3
        yield {
            "power": [pattern.pattern], "w_per_count": watts, "label": _beside(board, rail, key),
            "names": names,
        }  # fmt: skip
    pair = [patterns(board, f"{rail}.{what}") for what in ("voltage", "current")]
    if all(pair) and "INA231" not in pair[0][0]:
        yield {"voltage": pair[0], "current": pair[1], "label": label, "names": names}
    general = patterns(board, "rails.label")
    if general:
        yield {"beside": True, "label": general, "names": names}


def _beside(board: Board, rail: str, key: str) -> list[str]:
    """The label of the same variant as a rail's power."""
    variant = key.removeprefix(f"{rail}.power")
    found = board.paths.get(f"{rail}.label{variant}")
    return [] if found is None else [found.pattern]


def _clock(board: Board, domain: str) -> dict[str, Any]:
    clock = board.clocks[domain]
    read = patterns(board, f"{domain}.freq")
    is_cpu = any("cpufreq" in pattern for pattern in read)
    writable = [p.pattern for _, p in _keyed(board.paths, f"{domain}.freq") if p.writable]
    return {
        "hz_per_count": 1000 if is_cpu else 1,
        "table_hz": list(clock.freqs_hz.value),
        "default": clock.governor,
        "read": read,
        "list": patterns(board, f"{domain}.freq_list"),
        "min": _writable(board, f"{domain}.freq_min"),
        "max": _writable(board, f"{domain}.freq_max"),
        "governor": _writable(board, f"{domain}.governor"),
        "rate": writable,
        "switches": [p for s in _SWITCHES for p in _writable(board, f"{domain}.{s}")],
    }


def _writable(board: Board, key: str) -> list[str]:
    return [p.pattern for _, p in _keyed(board.paths, key) if p.writable]


def _fan(board: Board) -> dict[str, Any] | None:
    fan = board.limits.fan
    if fan is None:
        return None
    target = [
        *_writable(board, "fan.target"), *_writable(board, "fan.pwm"),
        *_writable(board, "fan.level"),
    ]  # fmt: skip
    read = [*patterns(board, "fan.pwm"), *patterns(board, "fan.level")]
    return {"pwm": list(fan.pwm), "target": target, "read": read}


def _memory(board: Board) -> dict[str, Any] | None:
    memory = board.power.memory
    if memory is None or not board.sensors.memory_load:
        return None
    return {"path": patterns(board, f"{memory.domain}.load"), "clock": memory.domain}
