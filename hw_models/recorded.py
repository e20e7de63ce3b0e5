"""What a log says of a board, in the board's own names and order.

What a log lacks is assumed, and every assumption is one line of `notes`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.limits import fan_course
from hw_models.log_clocks import operating_points
from hw_models.log_names import ALL_CORES, columns_of, core_columns_of, share
from hw_models.log_work import looping
from hw_models.trace import Trace, require_finite

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_MEMORY_LOAD: Final = "memory_busy"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One session of a log on one board; rows are readings, columns in board order.

    level (rows, n_domains) operating points, busy (rows, n_units) shares, loop (rows, n_units) 1
    where a unit runs one loop and 0 where kernels one by one, online (rows, n_units) 0 where a unit
    is off, traffic (rows,) bytes per second, fan (rows,) levels; zones_c and rails_w what was
    measured, (rows,) each, NaN where a reading is missing.
    """

    t_s: Array
    level: Whole
    busy: Array
    loop: Array
    online: Whole
    traffic: Array
    fan: Whole
    zones_c: Mapping[str, Array]
    rails_w: Mapping[str, Array]
    notes: tuple[str, ...]


def recorded(board: "Board", trace: Trace, *, mode: str | None = None) -> Recorded:
    """A trace in the terms of a board; clocks it lacks are the highest of a power mode.

    Without a mode that is the board's default one, or the lowest that allows the logged clocks.
    ValueError, naming column and row, for an input that is missing, out of range or off the clock
    table, and for a trace that shares neither a zone nor a rail with the board. KeyError for an
    unknown mode.
    """
    if not len(trace):
        raise ValueError("the trace holds no reading; record at least one.")
    if mode is not None:
        board.mode(mode)
    notes = list(_skipped(trace))
    zones_c = _measured(trace, "temps_c", board.sensors.zones, board.aliases.zones, notes)
    rails_w = _measured(trace, "power_w", board.sensors.rails, board.aliases.rails, notes)
    if not zones_c and not rails_w:
        raise ValueError(_nothing_shared(board, trace))
    level, stopped = operating_points(board, trace, mode, notes)
    busy = _busy(board, trace, notes)
    return Recorded(
        t_s=trace.columns["t_s"],
        level=level,
        busy=busy,
        loop=looping(board, trace, busy, notes),
        online=_online(board, trace, stopped, busy, mode),
        traffic=_traffic(board, trace, level, busy, notes),
        fan=_fan(board, trace, zones_c, notes),
        zones_c=zones_c,
        rails_w=rails_w,
        notes=tuple(dict.fromkeys(notes)),
    )


def _skipped(trace: Trace) -> Iterator[str]:
    """Lines of a text log that were no readings, as its reader counted them."""
    lines = int(trace.meta.get("skipped_lines", "0"))
    if lines:
        yield f"{lines} line{' is' if lines == 1 else 's are'} not tegrastats, skipped"


def _measured(
    trace: Trace, group: str, known: Iterable[str], aliases: Mapping[str, str], notes: list[str]
) -> dict[str, Array]:
    """What the log says of each zone or rail; the first of two columns for the same one."""
    measured = {}
    for name, (column, *others) in columns_of(trace, group, known, aliases, notes).items():
        values = trace.columns[column]
        if np.isinf(values).any():
            raise ValueError(f"{column} in row {np.isinf(values).argmax()} is infinite.")
        gaps = int(np.isnan(values).sum())
        if gaps:
            notes.append(f"{column}: {gaps} of {len(values)} readings are missing")
        if others:
            notes.append(f"{name} has several columns; {column} is taken")
        if gaps < len(values):
            measured[name] = values
    return measured


def _nothing_shared(board: "Board", trace: Trace) -> str:
    given = [c for c in trace.columns if c.startswith(("temps_c.", "power_w."))]
    own = [f"temps_c.{z}" for z in board.sensors.zones]
    own += [f"power_w.{r}" for r in board.sensors.rails]
    return (
        f"nothing to compare: the log has {', '.join(given) or 'no temperature and no power'}; "
        f"{board.name} has {', '.join(own)}. Is it the log of another board?"
    )


def _busy(board: "Board", trace: Trace, notes: list[str]) -> Array:
    """Utilisation (rows, n_units); a unit the log does not name rests."""
    names = [u.name for u in board.unit_list]
    columns = core_columns_of(trace, "busy", board, board.aliases.units, notes)
    if not columns:
        raise ValueError(
            f"nothing drives {board.name}: no column says how busy a unit is; expected "
            f"busy.<unit> for some of {', '.join(names)}."
        )
    busy = np.zeros((len(trace), len(names)))
    for u, name in enumerate(names):
        if name in columns:
            busy[:, u] = share(trace, columns[name][0])
    cores = [u for u, name in enumerate(names) if columns.get(name) == [f"busy.{ALL_CORES}"]]
    if cores:
        notes.append("load of the cores known as a mean: taken as full cores, in board order")
        busy[:, cores] = np.clip(busy[:, cores] * len(cores) - np.arange(len(cores)), 0.0, 1.0)
    idle = [name for name in names if name not in columns]
    if idle:
        notes.append(f"loads not in the log, taken as 0: {', '.join(idle)}")
    return busy


def _online(
    board: "Board", trace: Trace, stopped: NDArray[np.bool_], busy: Array, mode: str | None
) -> Whole:
    """Which units are on (rows, n_units): off by their own clock, their domain's or the mode."""
    online = np.ones(busy.shape, dtype=np.int64)
    on = None if mode is None else board.mode(mode).online
    domains = list(board.clocks)
    for u, unit in enumerate(board.unit_list):
        is_off = stopped[:, domains.index(unit.domain)].copy()
        own_hz = trace.columns.get(f"freq_hz.{unit.name}")
        is_off |= False if own_hz is None else own_hz == 0.0
        is_off |= on is not None and unit.name not in on
        online[is_off & (busy[:, u] == 0.0), u] = 0
    return online


def _traffic(board: "Board", trace: Trace, level: Whole, busy: Array, notes: list[str]) -> Array:
    """Memory traffic (rows,) in bytes per second, from the memory's logged load if there is one.

    Otherwise busy accelerators are taken to be bound by memory: each moves what it can.
    """
    memory, kinds = board.power.memory, board.performance.accelerators
    if memory is None:
        return np.zeros(len(trace))
    clock_hz = board.clocks[memory.domain].freqs_hz.array
    hz = clock_hz[level[:, list(board.clocks).index(memory.domain)]]
    most = board.performance.bandwidth_bytes_per_cycle.value
    if _MEMORY_LOAD in trace.columns:
        return share(trace, _MEMORY_LOAD) * most * hz
    notes.append("memory load not in the log: busy accelerators are taken to be bound by memory")
    moved = np.zeros(len(trace))
    for u, unit in enumerate(board.unit_list):
        if unit.kind in kinds:
            moved += busy[:, u] * kinds[unit.kind].bytes_per_cycle.value
    return np.minimum(moved, most) * hz


def _fan(board: "Board", trace: Trace, zones_c: Mapping[str, Array], notes: list[str]) -> Whole:
    """Fan levels (rows,): as logged, or what the board's trips make of the logged temperatures."""
    fan, logged = board.limits.fan, trace.columns.get("fan")
    if fan is None:
        return np.zeros(len(trace), dtype=np.int64)
    if logged is None or np.isnan(logged).all():
        notes.append("fan not in the log: set by the board's trips at the logged temperatures")
        return _by_trips(board, len(trace), zones_c)
    require_finite(trace, ["fan"])
    wrong = np.flatnonzero((logged < 0) | (logged >= len(fan.pwm)))
    if len(wrong):
        raise ValueError(
            f"fan in row {wrong[0]} is {logged[wrong[0]]:.0f}; expected 0 to {len(fan.pwm) - 1}."
        )
    return logged.astype(np.int64)


def _by_trips(board: "Board", rows: int, zones_c: Mapping[str, Array]) -> Whole:
    said_c = np.full((rows, len(board.sensors.zones)), np.nan)
    for z, name in enumerate(board.sensors.zones):
        said_c[:, z] = zones_c.get(name, said_c[:, z])
    levels = np.zeros(rows, dtype=np.int64)
    fan_course(board.lower().record, said_c, levels)
    return levels
