"""Sensors that must not be believed: stuck, impossible, or on the wrong rail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.result import Finding
from hw_models.openloop import driven, rails_at_temperatures, starting_temps_c
from hw_models.recorded import Recorded

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_COLDEST_C: Final = -40.0
_HOTTEST_C: Final = 150.0
_STUCK_S: Final = 60.0
_STUCK_READINGS: Final = 30
# Rails that feed disjoint parts may add up to the input, give or take what sensors are off by.
_SENSOR_SHARE: Final = 0.05
_SWAPPED_SHARE: Final = 0.5


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sensed:
    """A recording whose values that are not to be believed are NaN, and why."""

    seen: Recorded
    findings: tuple[Finding, ...]


def checked_sensors(board: "Board", seen: Recorded, start_s: float) -> Sensed:
    """The recording without what no sensor can have seen; times count from start_s.

    ValueError where most readings say that rails are swapped.
    """
    findings: list[Finding] = []
    zones_c = {f"temps_c.{zone}": values.copy() for zone, values in seen.zones_c.items()}
    rails_w = {f"power_w.{rail}": values.copy() for rail, values in seen.rails_w.items()}
    times_s = seen.t_s + start_s
    for name, values in (zones_c | rails_w).items():
        findings += _missing(name, values, times_s)
        findings += _impossible(name, values, times_s)
    findings += _stuck_zones(board, zones_c, _model_c(board, seen), times_s)
    believed = replace(seen, zones_c=_bare(zones_c), rails_w=_bare(rails_w))
    model_w = _model_w(board, believed)
    findings += _stuck_rails(board, rails_w, model_w, times_s)
    findings += _over_input(board, rails_w, times_s)
    _check_exchanged(rails_w, model_w)
    believed = replace(seen, zones_c=_bare(zones_c), rails_w=_bare(rails_w))
    return Sensed(seen=believed, findings=tuple(findings))


def _bare(columns: Mapping[str, Array]) -> dict[str, Array]:
    """Columns under the board's names; a sensor of which nothing is left is not there."""
    left = {c: v for c, v in columns.items() if not np.isnan(v).all()}
    return {column.split(".", 1)[1]: values for column, values in left.items()}


def _finding(column: str, message: str, cure: str) -> Finding:
    return Finding(kind="data", paths=(column,), message=message, cure=cure)


def _missing(name: str, values: Array, times_s: Array) -> Iterator[Finding]:
    gaps = np.isnan(values)
    if gaps.any():
        yield _finding(
            name,
            f"{name} is missing in {int(gaps.sum())} of {len(gaps)} readings, first at "
            f"{times_s[gaps.argmax()]:.10g} s: those are left out.",
            "see why the sensor does not answer",
        )


def _impossible(name: str, values: Array, times_s: Array) -> Iterator[Finding]:
    is_zone = name.startswith("temps_c.")
    wrong = (values < (_COLDEST_C if is_zone else 0.0)) | (is_zone & (values > _HOTTEST_C))
    if wrong.any():
        at = int(wrong.argmax())
        yield _finding(
            name,
            f"{name} says {values[at]:g} at {times_s[at]:.10g} s, and {int(wrong.sum()) - 1} more "
            "such values: no board does, they are left out.",
            "check the sensor, or the unit of that column",
        )
        values[wrong] = np.nan


def _stretches(values: Array, times_s: Array) -> Iterator[slice]:
    """Stretches of 60 s or more in which a sensor says the same again and again."""
    changes = np.flatnonzero(np.diff(values) != 0.0) + 1
    for start, end in zip([0, *changes], [*changes, len(values)], strict=True):
        is_long = times_s[end - 1] - times_s[start] >= _STUCK_S
        if end - start >= _STUCK_READINGS and is_long and not np.isnan(values[start]):
            yield slice(int(start), int(end))


def _stuck_zones(
    board: "Board", zones_c: Mapping[str, Array], model_c: Mapping[str, Array], times_s: Array
) -> Iterator[Finding]:
    """A zone that stands still is stuck if all others move, or most do and the model says it must.

    A sensor of the carrier board may well stand still while dies warm up and cool down.
    """
    for name, values in zones_c.items():
        zone = board.sensors.zones[name.removeprefix("temps_c.")]
        others = [other for key, other in zones_c.items() if key != name]
        least_k = 3.0 + 4.0 * zone.resolution_k.value
        for part in _stretches(values, times_s):
            moved_k = [np.ptp(other[part]) for other in others if not np.isnan(other[part]).any()]
            if not moved_k or np.median(moved_k) <= least_k:
                continue
            if min(moved_k) > least_k or np.ptp(model_c[name][part]) > least_k:
                why = f"the others move {np.median(moved_k):.1f} K"
                yield _stuck(name, values, part, times_s, why)


def _stuck(name: str, values: Array, part: slice, times_s: Array, why: str) -> Finding:
    message = (
        f"{name} is stuck at {values[part.start]:g} from {times_s[part.start]:.10g} to "
        f"{times_s[part.stop - 1]:.10g} s while {why}: left out there."
    )
    values[part] = np.nan
    return _finding(name, message, "read the sensor by hand; restart the board")


def _model_c(board: "Board", seen: Recorded) -> dict[str, Array]:
    """What the board file expects of every zone under these loads, (rows,) each."""
    ambient_c = board.thermal.ambient_c.value
    start_c = starting_temps_c(board, seen, ambient_c)
    zones_c, _, _ = driven(board.lower(), seen, ambient_c, start_c)
    return {f"temps_c.{zone}": zones_c[:, z] for z, zone in enumerate(board.sensors.zones)}


def _model_w(board: "Board", seen: Recorded) -> dict[str, Array]:
    """What the board file expects of every rail at the mean of the zones, (rows,) each."""
    law_c = board.power.leakage.reference_c.value
    known = [v for v in seen.zones_c.values() if not np.isnan(v).any()]
    mean_c = np.mean(known, axis=0) if known else np.full(len(seen.t_s), law_c)
    nodes_c = np.repeat(mean_c[:, None], len(board.thermal.nodes), axis=1)
    rails_w = rails_at_temperatures(board.lower(), seen, np.ascontiguousarray(nodes_c))
    return {f"power_w.{rail}": rails_w[:, r] for r, rail in enumerate(board.sensors.rails)}


def _stuck_rails(
    board: "Board", rails_w: Mapping[str, Array], model_w: Mapping[str, Array], times_s: Array
) -> Iterator[Finding]:
    """A rail that stands still while the loads behind it change is stuck."""
    for name, values in rails_w.items():
        step_w = board.sensors.rails[name.removeprefix("power_w.")].resolution_w.value
        for part in _stretches(values, times_s):
            expected_w = model_w[name][part]
            moved_w = float(np.subtract(*np.percentile(expected_w, [95, 5])))
            if moved_w > max(10.0 * step_w, 0.3 * float(expected_w.mean()), 0.2):
                why = f"the loads behind it should move it by {moved_w:.2f} W"
                yield _stuck(name, values, part, times_s, why)


def _check_exchanged(rails_w: Mapping[str, Array], model_w: Mapping[str, Array]) -> None:
    """ValueError for two rails each of which follows the loads of the other."""
    for a, b in combinations(rails_w, 2):
        own = _match(rails_w[a], model_w[a]), _match(rails_w[b], model_w[b])
        other = _match(rails_w[a], model_w[b]), _match(rails_w[b], model_w[a])
        if min(other) > 0.9 and max(own) < 0.5:
            raise ValueError(
                f"{a} follows the loads of {b} and the other way round (correlation "
                f"{min(other):.2f}, with their own {max(own):.2f}): the two columns are swapped; "
                "exchange them."
            )


def _match(measured: Array, model: Array) -> float:
    known = ~np.isnan(measured)
    if known.sum() < _STUCK_READINGS:
        return 0.0
    a, b = measured[known], model[known]
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean()) / spread if spread > 1e-12 else 0.0


def _over_input(board: "Board", rails_w: Mapping[str, Array], times_s: Array) -> Iterator[Finding]:
    """Rails below the input that add up to more than it; ValueError where most readings do."""
    source = f"power_w.{board.sensors.input_rail}"
    parts = _disjoint(board, rails_w, source)
    if source not in rails_w or not parts:
        return
    total_w = np.sum([rails_w[name] for name in parts], axis=0)
    steps_w = sum(board.sensors.rails[n.removeprefix("power_w.")].resolution_w.value for n in parts)
    room_w = _SENSOR_SHARE * np.nan_to_num(total_w) + steps_w
    over = np.nan_to_num(total_w) - np.nan_to_num(rails_w[source], nan=np.inf) > room_w
    if not over.any():
        return
    at = int(over.argmax())
    what = (
        f"{source} is {rails_w[source][at]:.3g} W at {times_s[at]:.10g} s, below "
        f"{' + '.join(parts)} = {total_w[at]:.3g} W that it feeds ({int(over.sum())} of "
        f"{len(over)} readings)"
    )
    if over.mean() > _SWAPPED_SHARE:
        raise ValueError(f"{what}: {_likely(rails_w, source, parts)}")
    for name in (source, *parts):
        rails_w[name][over] = np.nan
    yield _finding(source, f"{what}: the power of those readings is left out.", "check the rails")


def _disjoint(board: "Board", rails_w: Mapping[str, Array], source: str) -> tuple[str, ...]:
    """Measured rails, other than the input, no two of which cover the same part."""
    covered: set[str] = set()
    found = []
    for rail, sensor in board.sensors.rails.items():
        name = f"power_w.{rail}"
        is_part = "everything" not in sensor.covers and not covered & set(sensor.covers)
        if name in rails_w and name != source and is_part:
            covered |= set(sensor.covers)
            found.append(name)
    return tuple(found)


def _likely(rails_w: Mapping[str, Array], source: str, parts: tuple[str, ...]) -> str:
    """Which exchange would make sense of the rails."""
    mean_w = {name: float(np.nanmean(rails_w[name])) for name in (source, *parts)}
    largest = max(parts, key=lambda name: mean_w[name])
    rest_w = sum(mean_w[name] for name in parts if name != largest) + mean_w[source]
    if mean_w[largest] > rest_w:
        return f"{source} and {largest} are swapped; exchange the two columns."
    return "the rails are not what their names say; check which column is which."
