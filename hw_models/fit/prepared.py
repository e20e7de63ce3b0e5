"""A run as a fit sees it: inputs made steady where they flicker, measurements with their noise."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.board_schema import Zone
from hw_models.fit.regimes import with_fan
from hw_models.fit.result import Finding, Regime
from hw_models.fit.runs import Run
from hw_models.openloop import LONGEST_STEP_S, starting_temps_c
from hw_models.recorded import Recorded

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

# An instantaneous load (0 or 99 per cent) says something only as a mean over many samples.
BLOCK_S: Final = 20.0
_JUMP: Final = 0.4
_FLICKERS_SHARE: Final = 0.05
_LEAST_K: Final = 0.02
_LEAST_W: Final = 1e-3


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """Measured values (n, s) of signals on one time grid, NaN where missing, and their noise.

    step (s,) is what each is rounded to; share (s,) and floor (s,) make up the standard error of a
    value x, sqrt((share x)^2 + floor^2), in the signal's unit. first (n,) is the row of the run
    with which each value's block begins, None where every row is a value; rows (n,) how many
    readings a value is the mean of.
    """

    names: tuple[str, ...]
    measured: Array
    step: Array
    share: Array
    floor: Array
    first: Whole | None
    rows: Array

    def of(self, series: Array) -> Array:
        """Predicted values (rows, s) on the time grid of these signals, (n, s)."""
        if self.first is None:
            return series
        return np.asarray(np.add.reduceat(series, self.first, axis=0) / self.rows[:, None])

    def std(self, values: Array) -> Array:
        """One standard error of values (n, s) that the sensors would show, same unit."""
        size = np.sqrt((self.share * values) ** 2 + self.floor**2)
        return np.asarray(size / np.sqrt(self.rows)[:, None])


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A run ready to be fitted: steady inputs, rails and zones that were measured, starts.

    nodes_c (rows, n_nodes) is the temperature of every node as far as the zones tell; start_c
    (n_nodes,) where a fit begins; flickering names units whose load is an instantaneous sample;
    regimes and findings say how an unlogged fan was taken.
    longest_step_s is how long leakage is taken to be linear in time.
    """

    name: str
    seen: Recorded
    rails: Signals
    zones: Signals
    nodes_c: Array
    start_c: tuple[float, ...]
    ambient_c: float
    flickering: tuple[str, ...]
    regimes: tuple[Regime, ...]
    findings: tuple[Finding, ...]
    longest_step_s: float = LONGEST_STEP_S


def prepared(board: "Board", run: Run) -> Prepared:
    """A run with flickering loads averaged over blocks of 20 s, power with them."""
    seen, regimes, findings = with_fan(board, run.name, run.recorded)
    flickering = _flickering(seen)
    blocks = np.floor((seen.t_s - seen.t_s[0]) / BLOCK_S).astype(np.int64)
    if flickering.any():
        seen = _steady(board, seen, blocks)
    ambient_c = _likely_ambient_c(board, seen)
    rails = _rails(board, seen)
    return Prepared(
        name=run.name,
        seen=seen,
        rails=_blocked(rails, blocks) if flickering.any() else rails,
        zones=_zones(board, seen),
        nodes_c=_nodes_c(board, seen),
        start_c=tuple(starting_temps_c(board, seen, ambient_c).tolist()),
        ambient_c=ambient_c,
        flickering=tuple(
            u.name for u, jumps in zip(board.unit_list, flickering, strict=True) if jumps
        ),
        regimes=regimes,
        findings=findings,
    )


def _flickering(seen: Recorded) -> NDArray[np.bool_]:
    """Units (n_units,) whose load jumps from one reading to the next again and again."""
    if len(seen.t_s) < 20:
        return np.zeros(seen.busy.shape[1], dtype=bool)
    jumps = np.abs(np.diff(seen.busy, axis=0)) > _JUMP
    return np.asarray(jumps.mean(axis=0) > _FLICKERS_SHARE)


def _steady(board: "Board", seen: Recorded, blocks: Whole) -> Recorded:
    """Loads and traffic as means over a block, apart for each clock and kind of work in it."""
    domains = list(board.clocks)
    busy = seen.busy.copy()
    for u, unit in enumerate(board.unit_list):
        level = seen.level[:, domains.index(unit.domain)]
        busy[:, u] = _means(busy[:, u], blocks, level, seen.loop[:, u])
    memory = board.power.memory
    level = seen.level[:, domains.index(memory.domain)] if memory else np.zeros_like(blocks)
    traffic = _means(seen.traffic, blocks, level, seen.loop.min(axis=1))
    return replace(seen, busy=busy, traffic=traffic)


def _means(values: Array, blocks: Whole, level: Whole, loop: Array) -> Array:
    _, group = np.unique(np.stack([blocks, level, loop]), axis=1, return_inverse=True)
    group = group.ravel()
    return np.asarray((np.bincount(group, values) / np.bincount(group))[group])


def _blocked(rails: Signals, blocks: Whole) -> Signals:
    """Power as means over blocks; what is missing in a reading is missing in its block."""
    _, first, counts = np.unique(blocks, return_index=True, return_counts=True)
    whole = counts >= 0.5 * np.median(counts)
    mean = np.add.reduceat(rails.measured, first, axis=0) / counts[:, None]
    mean[~whole] = np.nan
    return replace(rails, measured=mean, first=first, rows=counts.astype(np.float64))


def _rails(board: "Board", seen: Recorded) -> Signals:
    sensors = board.sensors.rails.values()
    rows = len(seen.t_s)
    return Signals(
        names=tuple(f"power_w.{name}" for name in board.sensors.rails),
        measured=columns(seen.rails_w, board.sensors.rails, rows),
        step=np.array([rail.resolution_w.value for rail in sensors]),
        share=np.array([rail.noise.value for rail in sensors]),
        floor=np.array([max(r.resolution_w.value / np.sqrt(12.0), _LEAST_W) for r in sensors]),
        first=None,
        rows=np.ones(rows),
    )


def _zones(board: "Board", seen: Recorded) -> Signals:
    sensors = list(board.sensors.zones.values())
    rows = len(seen.t_s)
    return Signals(
        names=tuple(f"temps_c.{name}" for name in board.sensors.zones),
        measured=columns(seen.zones_c, board.sensors.zones, rows),
        step=np.array([zone.resolution_k.value for zone in sensors]),
        share=np.zeros(len(sensors)),
        floor=np.array(
            [
                max(np.hypot(z.noise_k.value, z.resolution_k.value / 12**0.5), _LEAST_K)
                for z in sensors
            ]
        ),
        first=None,
        rows=np.ones(rows),
    )


def _zone_noise_k(zone: Zone) -> float:
    """One standard error of a temperature sensor: noise, and rounding to its step."""
    return max(float(np.hypot(zone.noise_k.value, zone.resolution_k.value / 12**0.5)), _LEAST_K)


def columns(measured: object, names: object, rows: int) -> Array:
    """What was measured of some sensors, (rows, n), NaN for one that is not there."""
    found = [measured.get(name, np.full(rows, np.nan)) for name in names]  # type: ignore[attr-defined]
    return np.stack(found, axis=1) if found else np.zeros((rows, 0))


def _likely_ambient_c(board: "Board", seen: Recorded) -> float:
    """Where a fit of the ambient begins: the board file's, but below all that was measured."""
    lowest_c = [np.nanmin(values) for values in seen.zones_c.values()]
    return (
        float(min(board.thermal.ambient_c.value, *lowest_c))
        if lowest_c
        else (board.thermal.ambient_c.value)
    )


def _nodes_c(board: "Board", seen: Recorded) -> Array:
    """Node temperatures (rows, n_nodes): the mean of a node's zones, of all zones without one."""
    rows = len(seen.t_s)
    by_node: dict[str, list[Array]] = {node: [] for node in board.thermal.nodes}
    for name, values in seen.zones_c.items():
        zone = board.sensors.zones[name]
        by_node[zone.node].append(filled(values) - zone.offset_k.value)
    everywhere = [series for several in by_node.values() for series in several]
    fallback = (
        np.mean(everywhere, axis=0)
        if everywhere
        else np.full(rows, board.power.leakage.reference_c.value)
    )
    means = [np.mean(several, axis=0) if several else fallback for several in by_node.values()]
    return np.ascontiguousarray(np.stack(means, axis=1))


def filled(values: Array) -> Array:
    """A series (rows,) with its gaps bridged by straight lines."""
    rows, known = np.arange(len(values)), ~np.isnan(values)
    return np.asarray(np.interp(rows, rows[known], values[known]))
