"""What the agent says, as a Reading in the board's own names and order; nothing is made up."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hw_models.board import Board
from hw_models.trace import JobReading, Reading

# Drivers round clocks; further off than this a clock is none of the board's.
NEAR_SHARE: Final = 0.03


def reading_of(
    board: Board,
    said: Mapping[str, Any],
    t_s: float,
    cap_w: float | None,
    jobs: Mapping[str, JobReading],
) -> Reading:
    """One answer to `read`; what the board does not tell is None, or not there (clocks, loads)."""
    values = said["values"]
    zones, rails = values.get("zone", {}), values.get("rail", {})
    temps_c = {zone: zones.get(zone) for zone in board.sensors.zones}
    power_w = {rail: rails.get(rail) for rail in board.sensors.rails}
    freq_hz = freqs_hz_of(board, values.get("clock", {}))
    return Reading(
        t_s=t_s,
        temps_c=temps_c,
        power_w=power_w or None,
        energy_j=said["energy_j"],
        freq_hz=freq_hz,
        busy=_busy(board, said),
        memory_busy=_memory(board, values, freq_hz),
        fan=fan_level(board, values.get("fan", {}).get("fan")),
        throttled=_throttled(board, temps_c, freq_hz, said.get("pinned", {})),
        cap_w=cap_w,
        jobs=jobs,
    )


def freqs_hz_of(board: Board, told_hz: Mapping[str, float | None]) -> dict[str, float]:
    """The operating point next to each clock that was read, where one is near."""
    found = {}
    for name, clock in board.clocks.items():
        hz = told_hz.get(name)
        if hz is None:
            continue
        near_hz = _nearest(clock.freqs_hz.value, hz)
        if abs(near_hz - hz) <= NEAR_SHARE * near_hz:
            found[name] = near_hz
    return found


def _nearest(table: Sequence[float], value: float) -> float:
    """The entry next to a value, which most often is one."""
    return value if value in table else min(table, key=lambda entry: abs(entry - value))


def _busy(board: Board, said: Mapping[str, Any]) -> dict[str, float]:
    loads = said["values"].get("load", {})
    shares = {**said["busy"], **{k: v for k, v in loads.items() if v is not None}}
    return {
        unit.name: min(max(float(shares[unit.name]), 0.0), 1.0)
        for unit in board.unit_list
        if unit.name in shares
    }


def _memory(board: Board, values: Mapping[str, Any], freq_hz: Mapping[str, float]) -> float | None:
    """The memory controller counts how many kHz of its clock it worked."""
    memory = board.power.memory
    if memory is None:
        return None
    active, hz = values.get("memory", {}).get(memory.domain), freq_hz.get(memory.domain)
    if active is None or hz is None:
        return None
    return min(max(1000.0 * float(active) / hz, 0.0), 1.0)


def fan_level(board: Board, pwm: float | None) -> int | None:
    """The fan level next to what is read; None without a fan or a value."""
    fan = board.limits.fan
    if fan is None or pwm is None:
        return None
    if counts_levels(board):
        return min(max(int(pwm), 0), len(fan.pwm) - 1)
    return fan.pwm.index(int(_nearest(fan.pwm, pwm)))


def counts_levels(board: Board) -> bool:
    """True where the fan's file counts levels and not pulse widths."""
    found: bool | None = board.derived.get("fan_counts_levels")
    if found is None:
        found = any(p.pattern.endswith("cur_state") for p in board.paths.values())
        board.derived["fan_counts_levels"] = found
    return found


def _throttled(
    board: Board,
    temps_c: Mapping[str, float | None],
    freq_hz: Mapping[str, float],
    pinned: Mapping[str, float],
) -> bool:
    """A zone is at its throttling trip, or a clock that is held runs lower than it is held at."""
    for trip in board.limits.trips:
        hot_c = temps_c.get(trip.zone)
        if trip.kind == "throttle" and hot_c is not None and hot_c >= trip.temp_c.value:
            return True
    held = freqs_hz_of(board, {name: float(hz) for name, hz in pinned.items()})
    return any(freq_hz.get(name, hz) < hz for name, hz in held.items())


def recorded(
    board: Board, said: Mapping[str, Any], start_s: float, end_s: float, cap_w: float | None
) -> list[Reading]:
    """Readings that the agent kept between two times of the run, at those at which it took them."""
    late_s = said["t_s"] - end_s
    found: list[Reading] = []
    for one in said.get("batch", ()):
        t_s = one["t_s"] - late_s
        if (found[-1].t_s if found else start_s) + 1e-6 < t_s < end_s - 1e-6:
            found.append(reading_of(board, one, t_s, cap_w, {}))
    return found
