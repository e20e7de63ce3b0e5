"""What can be done to a board to learn about it: rest, load one thing at a time, heat, cool."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.plan import Segment
from hw_models.openloop import driven
from hw_models.power import powers_w
from hw_models.recorded import Recorded
from hw_models.thermal import leakage_law

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]

STEP_S: Final = 60.0
SOAK_S: Final = 300.0
_MEMORY_SHARE: Final = 0.6
_LOADS: Final = (1.0, 0.5)


def library(board: "Board", safe_c: float, ambient_c: float) -> tuple[Segment, ...]:
    """Segments none of which would pass safe_c if it lasted for ever.

    Loads and clocks of a segment that would are halved and stepped down until it does not; what is
    then the same as another, or too hot at rest, is left out.
    """
    found: list[Segment] = []
    for segment in _wanted(board):
        safe = _made_safe(board, segment, safe_c, ambient_c)
        if safe is not None and all(replace(safe, why=s.why) != s for s in found):
            found.append(safe)
    if not found:
        raise ValueError(
            f"{board.name} passes {safe_c:g} degC even at rest in air of {ambient_c:g} degC; give "
            "a higher safety temperature or cooler air."
        )
    return tuple(found)


def _wanted(board: "Board") -> Iterator[Segment]:
    fans = range(len(board.limits.fan.pwm)) if board.limits.fan else (None,)
    low, high = _clocks(board, 0), _clocks(board, -1)
    units = [u.name for u in board.unit_list]
    for fan in fans:
        yield _segment(low, {}, 0.0, fan, "cool down at rest", SOAK_S)
        yield _segment(high, dict.fromkeys(units, 1.0), 0.3, fan, "heat up under full load", SOAK_S)
    fan = fans[len(fans) // 2]
    for name, clock in board.clocks.items():
        for hz in _staircase(clock.freqs_hz.value):
            yield _segment(
                low | {name: hz}, {}, 0.0, fan, f"{name} at {hz / 1e6:.0f} MHz without load"
            )
    for group, members in ((g, unit.members) for g, unit in board.units.items()):
        domain = board.units[group].domain
        for hz in _staircase(board.clocks[domain].freqs_hz.value):
            for load in _LOADS:
                for some in {members[:1], members}:
                    why = f"{len(some)} of {group} busy {load:.0%} at {hz / 1e6:.0f} MHz"
                    yield _segment(low | {domain: hz}, dict.fromkeys(some, load), 0.0, fan, why)
    memory = board.power.memory
    for hz in _staircase(board.clocks[memory.domain].freqs_hz.value) if memory else ():
        clocks = low | {memory.domain: hz} if memory else low
        yield _segment(clocks, {}, _MEMORY_SHARE, fan, f"memory traffic at {hz / 1e6:.0f} MHz")


def _segment(
    freq_hz: Mapping[str, float],
    busy: Mapping[str, float],
    memory_busy: float,
    fan: int | None,
    why: str,
    duration_s: float = STEP_S,
) -> Segment:
    return Segment(
        duration_s=duration_s, freq_hz=dict(freq_hz), busy=dict(busy), memory_busy=memory_busy,
        fan=fan, why=why,
    )  # fmt: skip


def _clocks(board: "Board", end: int) -> dict[str, float]:
    return {name: clock.freqs_hz.value[end] for name, clock in board.clocks.items()}


def _staircase(freqs_hz: Sequence[float]) -> tuple[float, ...]:
    """The lowest, a middle and the highest clock."""
    return tuple(dict.fromkeys((freqs_hz[0], freqs_hz[len(freqs_hz) // 2], freqs_hz[-1])))


def _made_safe(board: "Board", segment: Segment, safe_c: float, ambient_c: float) -> Segment | None:
    for _ in range(12):
        if hottest_for_ever_c(board, segment, ambient_c) <= safe_c:
            return segment
        if not segment.busy and segment.memory_busy == 0.0:
            return None
        segment = replace(
            segment,
            busy={unit: load / 2 for unit, load in segment.busy.items() if load > 0.1},
            memory_busy=segment.memory_busy / 2 if segment.memory_busy > 0.1 else 0.0,
            freq_hz={name: _below(board, name, hz) for name, hz in segment.freq_hz.items()},
        )
    return None


def _below(board: "Board", domain: str, hz: float) -> float:
    """The operating point a step below, the lowest for the lowest."""
    return board.clocks[domain].freqs_hz.value[max(board.opp(domain, hz) - 1, 0)]


def hottest_for_ever_c(board: "Board", segment: Segment, ambient_c: float) -> float:
    """The hottest zone if a segment lasted for ever; infinite where heat would run away."""
    seen = inputs(board, (segment,), segment.duration_s)
    fan = int(seen.fan[0])
    power_w, gain_w = powers_w(
        board, level=seen.level[0], busy=seen.busy[0], traffic=float(seen.traffic[0]), fan=fan
    )
    network = board.lower().networks[fan]
    try:
        temps_c = network.steady(power_w, ambient_c, gain_w, leakage_law(board))
    except ValueError:
        return float("inf")
    at = [board.thermal.nodes.index(zone.node) for zone in board.sensors.zones.values()]
    return float(temps_c[at].max())


def inputs(board: "Board", segments: Sequence[Segment], period_s: float) -> Recorded:
    """What a log of these segments would say of the inputs, a reading every period_s."""
    rows = [max(round(s.duration_s / period_s), 1) for s in segments]
    memory, units = board.power.memory, [u.name for u in board.unit_list]
    most_bytes = board.performance.bandwidth_bytes_per_cycle.value
    traffic = [
        s.memory_busy * most_bytes * s.freq_hz[memory.domain] if memory else 0.0 for s in segments
    ]
    level = [[board.opp(name, s.freq_hz[name]) for name in board.clocks] for s in segments]
    return Recorded(
        t_s=np.arange(float(sum(rows))) * period_s,
        level=np.repeat(np.array(level, dtype=np.int64), rows, axis=0),
        busy=np.repeat([[s.busy.get(u, 0.0) for u in units] for s in segments], rows, axis=0),
        loop=np.ones((sum(rows), len(units))),
        online=np.ones((sum(rows), len(units)), dtype=np.int64),
        traffic=np.repeat(np.array(traffic, dtype=np.float64), rows),
        fan=np.repeat(np.array([s.fan or 0 for s in segments], dtype=np.int64), rows),
        zones_c={},
        rails_w={},
        notes=(),
    )


def as_recorded(
    board: "Board", segments: Sequence[Segment], period_s: float, ambient_c: float
) -> Recorded:
    """What a board from its file, started cold, would record of these segments."""
    seen = inputs(board, segments, period_s)
    start_c = np.full(len(board.thermal.nodes), ambient_c)
    zones_c, rails_w, _ = driven(board.lower(), seen, ambient_c, start_c)
    return replace(
        seen,
        zones_c={name: zones_c[:, z] for z, name in enumerate(board.sensors.zones)},
        rails_w={name: rails_w[:, r] for r, name in enumerate(board.sensors.rails)},
    )
