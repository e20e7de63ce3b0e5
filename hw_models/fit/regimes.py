"""A fan that nobody logged: when it starts, the same power suddenly heats less.

Over blocks of 20 s the mean temperature obeys dT = a P' + b P - k (T - T_air), with k in proportion
to how well the board is cooled. Where one k does not do for a whole run, the run is cut where the
sum of squares falls most, as long as each cut pays for itself (Schwarz's criterion).
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.result import Finding, Regime
from hw_models.openloop import driven, starting_temps_c
from hw_models.recorded import Recorded

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]
Cuts = tuple[int, ...]

_BLOCK_S: Final = 20.0
_SHORTEST_BLOCKS: Final = 9
_MOST_REGIMES: Final = 6
_ROUNDS: Final = 6
# Cooling that differs by less than this share is the same fan level.
_ALIKE: Final = 1.25
_REACH_S: Final = 60.0
_COARSE_S: Final = 6.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cooled:
    """How a run was cooled: cuts (block numbers, ends included) and k in 1/block between them.

    cost is the sum of squares in K^2, criterion Schwarz's.
    """

    cuts: Cuts
    rate: Array
    cost: float
    criterion: float


def with_fan(
    board: "Board", name: str, seen: Recorded
) -> tuple[Recorded, tuple[Regime, ...], tuple[Finding, ...]]:
    """A run with the fan as its temperatures tell it, where it was not logged.

    The worst cooled stretch is taken as level 0, any other as the level under which the board
    file comes nearest to the zones. Without a change of regime the level held longest by the
    board's trips is taken throughout.
    """
    is_logged = not any(note.startswith("fan not in the log") for note in seen.notes)
    if board.limits.fan is None or is_logged or not seen.zones_c:
        return seen, (), ()
    blocks = np.floor((seen.t_s - seen.t_s[0]) / _BLOCK_S).astype(np.int64)
    found = _segmented(*_means(board, seen, blocks)) if blocks[-1] > 2 * _SHORTEST_BLOCKS else None
    if found is None or len(found.rate) == 1 or max(found.rate) / min(found.rate) < _ALIKE:
        level = int(np.bincount(seen.fan).argmax())
        return replace(seen, fan=np.full_like(seen.fan, level)), (), (_steady(name, level),)
    fan = _sharpened(board, seen, _levels(board, seen, blocks, found))
    regimes = tuple(_regimes(name, seen.t_s, fan))
    return replace(seen, fan=fan), regimes, (_changed(name, regimes, found),)


def _means(board: "Board", seen: Recorded, blocks: NDArray[np.int64]) -> tuple[Array, Array]:
    """Block means of the zones' temperature in degC and of the input power in W."""
    from hw_models.fit.prepared import filled

    zones = [filled(values) for values in seen.zones_c.values()]
    temps_c = np.mean(zones, axis=0)
    source = board.sensors.input_rail
    rail_w = seen.rails_w.get(source or "")
    power_w = _expected_w(board, seen) if rail_w is None else filled(rail_w)
    counts = np.bincount(blocks)
    is_there = counts > 0
    return (
        np.bincount(blocks, temps_c)[is_there] / counts[is_there],
        np.bincount(blocks, power_w)[is_there] / counts[is_there],
    )


def _expected_w(board: "Board", seen: Recorded) -> Array:
    """What the board file expects the whole board to draw, (rows,)."""
    air_c = board.thermal.ambient_c.value
    start_c = starting_temps_c(board, seen, air_c)
    _, _, energy_j = driven(board.lower(), seen, air_c, start_c)
    return np.gradient(energy_j, seen.t_s)


def _segmented(temps_c: Array, power_w: Array) -> Cooled:
    """The best description over air temperatures and numbers of regimes."""
    tried = []
    for air_c in np.linspace(float(temps_c.min()) - 25.0, float(temps_c.min()) - 1.0, 13):
        warmth_k = temps_c[:-1] - air_c
        drive = np.stack([power_w[1:], power_w[:-1]], axis=1)
        rise_k = np.diff(temps_c)
        for pieces in range(1, _MOST_REGIMES + 1):
            if pieces * _SHORTEST_BLOCKS > len(rise_k):
                break
            tried.append(_fitted(rise_k, drive, warmth_k, pieces))
    return min(tried, key=lambda found: found.criterion)


def _fitted(rise_k: Array, drive: Array, warmth_k: Array, pieces: int) -> Cooled:
    """Alternate: cuts and rates under given drive, then drive and rates under given cuts."""
    n = len(rise_k)
    cuts: Cuts = (0, n)
    for _ in range(_ROUNDS):
        columns = np.zeros((n, len(cuts) - 1))
        for s, (start, end) in enumerate(pairwise(cuts)):
            columns[start:end, s] = -warmth_k[start:end]
        design = np.concatenate([drive, columns], axis=1)
        solution = np.linalg.lstsq(design, rise_k, rcond=None)[0]
        cost = float(((rise_k - design @ solution) ** 2).sum())
        best = Cooled(cuts=cuts, rate=solution[2:], cost=cost, criterion=0.0)
        new = _cut(rise_k - drive @ solution[:2], warmth_k, pieces)
        if new == cuts:
            break
        cuts = new
    n_numbers = 3 + 2 * len(best.rate)
    is_sane = bool((best.rate > 0).all())
    criterion = n * np.log(max(best.cost, 1e-12) / n) + n_numbers * np.log(n)
    return replace(best, criterion=float(criterion) if is_sane else np.inf)


def _cut(rest_k: Array, warmth_k: Array, pieces: int) -> Cuts:
    """The cuts that leave the least squares of rest + rate * warmth, by dynamic programming."""
    n = len(rest_k)
    products = (rest_k**2, rest_k * warmth_k, warmth_k**2)
    sums = [np.concatenate([[0.0], np.cumsum(x)]) for x in products]
    rr, rw, ww = (s[None, :] - s[:, None] for s in sums)  # from the row's block to the column's
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = np.where(ww > 0, rr - rw**2 / ww, np.inf)
    i, k = np.indices(cost.shape)
    cost[k - i < _SHORTEST_BLOCKS] = np.inf
    total, came = cost[0].copy(), []
    for _ in range(pieces - 1):
        options = total[:, None] + cost
        came.append(options.argmin(axis=0))
        total = options.min(axis=0)
    cuts = [n]
    for previous in reversed(came):
        cuts.append(int(previous[cuts[-1]]))
    return (0, *cuts[::-1])


def _levels(
    board: "Board", seen: Recorded, blocks: NDArray[np.int64], found: Cooled
) -> NDArray[np.int64]:
    """The fan level of every reading (rows,): 0 where cooling is worst, else what fits best.

    The levels of a better cooled stretch are tried one after the other against the zones.
    """
    fan = np.zeros_like(seen.fan)
    last = len(found.rate) - 1
    for s, (start, end) in enumerate(pairwise(found.cuts)):
        if found.rate[s] < _ALIKE * min(found.rate):
            continue
        part = (blocks >= start) & ((blocks < end) | (s == last))
        tried = []
        for level in range(1, len(board.limits.fan.pwm) if board.limits.fan else 1):
            fan[part] = level
            tried.append(_misfit_k(board, replace(seen, fan=fan)))
        fan[part] = 1 + int(np.argmin(tried))
    return fan


def _sharpened(board: "Board", seen: Recorded, fan: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same levels with each change moved, by up to a minute, to where it fits best."""
    for row in np.flatnonzero(np.diff(fan)) + 1:
        for reach_s, step_s in ((_REACH_S, _COARSE_S), (_COARSE_S, 1.0)):
            at_s = seen.t_s[np.flatnonzero(np.diff(fan)) + 1]
            now_s = float(at_s[np.abs(at_s - seen.t_s[row]).argmin()])
            times_s = now_s + np.arange(-reach_s, reach_s + 0.5 * step_s, step_s)
            tried = [_moved(seen.t_s, fan, now_s, float(time_s)) for time_s in times_s]
            fan = min(tried, key=lambda other: _misfit_k(board, replace(seen, fan=other)))
    return fan


def _moved(t_s: Array, fan: NDArray[np.int64], from_s: float, to_s: float) -> NDArray[np.int64]:
    """Levels (rows,) whose change at from_s happens at to_s instead."""
    row = int(np.searchsorted(t_s, from_s))
    to_row = int(np.clip(np.searchsorted(t_s, to_s), 1, len(t_s) - 1))
    moved = fan.copy()
    moved[min(row, to_row) : max(row, to_row)] = fan[row] if to_row < row else fan[row - 1]
    return moved


def _misfit_k(board: "Board", seen: Recorded) -> float:
    """Root mean square error of the board's own prediction, each zone's mean error apart."""
    air_c = board.thermal.ambient_c.value
    zones_c, _, _ = driven(board.lower(), seen, air_c, starting_temps_c(board, seen, air_c))
    order = list(board.sensors.zones)
    errors = [zones_c[:, order.index(zone)] - values for zone, values in seen.zones_c.items()]
    return float(np.sqrt(np.mean([np.nanvar(error) for error in errors])))


def _regimes(name: str, t_s: Array, fan: NDArray[np.int64]) -> list[Regime]:
    starts = [0, *(np.flatnonzero(np.diff(fan)) + 1).tolist(), len(fan)]
    return [
        Regime(run=name, start_s=float(t_s[a]), end_s=float(t_s[b - 1]), fan=int(fan[a]))
        for a, b in pairwise(starts)
    ]


def _changed(name: str, regimes: tuple[Regime, ...], found: Cooled) -> Finding:
    parts = ", ".join(f"{r.start_s:.0f}-{r.end_s:.0f} s level {r.fan}" for r in regimes)
    ratio = max(found.rate) / min(found.rate)
    return Finding(
        kind="regime",
        paths=(f"runs.{name}",),
        message=f"{name}: the fan was not logged, and cooling changes by a factor of {ratio:.1f} "
        f"during the run: taken as {parts}; each level is fitted.",
        cure="log the fan, or hold it at one level",
    )


def _steady(name: str, level: int) -> Finding:
    return Finding(
        kind="regime",
        paths=(f"runs.{name}",),
        message=f"{name}: the fan was not logged, and nothing shows that it changed: taken as "
        f"level {level} throughout.",
        cure="log the fan, or hold it at one level",
    )
