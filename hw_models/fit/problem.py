"""Traces of many runs against one board: residuals and their derivatives.

The forward model is the open-loop drive of hw_models.openloop, nothing else. Power alone is
predicted at the measured temperatures. Derivatives are differences of that same model, one run of
it per number: what belongs to one run moves only that run.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.memory import correlated_readings, pooled_lags
from hw_models.fit.meter import MeterView
from hw_models.fit.places import Place
from hw_models.fit.prepared import Prepared, Signals
from hw_models.fit.robust import HUBER, loss, typical_size
from hw_models.fit.solver import Linear
from hw_models.lowering import Lowered, lower_again
from hw_models.openloop import driven, rails_at_temperatures
from hw_models.parameters import replaced

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

_SHARE_STEP: Final = 1e-4
_LINEAR_STEP: Final = 1e-3
# Numbers of these sections change no thermal network.
_NO_HEAT: Final = ("power.", "sensors.", "clocks.", "limits.")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Signals of one run at a point: residuals (n, s) in standard errors and their slopes.

    columns (k,) are the parameters that move them, slopes (n, s, k) by how much per unit of z; a
    missing reading has residual and slopes 0. said (n, s) is what was predicted, in its own unit,
    weight (n, s) one over its standard error. worth (s,) is how many independent readings one of
    each signal is worth.
    """

    run: int
    signals: Signals
    said: Array
    weight: Array
    residuals: Array
    columns: Whole
    slopes: Array
    worth: Array


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TraceProblem:
    """What is fitted to what: a board, its free numbers, prepared runs and the signals that count.

    rails and zones say which signals count; at_measured_heat means that power is predicted at the
    measured temperatures; scales gives by signal how many times larger its residuals are than its
    sensor's noise, worth how many independent readings one of it is; expected, by run and group,
    is the power that noise which is a share is a share of; meters, by run, is an external meter's
    log.
    """

    board: "Board"
    places: tuple[Place, ...]
    runs: tuple[Prepared, ...]
    rails: bool
    zones: bool
    at_measured_heat: bool = False
    scales: Mapping[str, float]
    worth: Mapping[str, float]
    expected: tuple[tuple[Array, ...], ...] = ()
    meters: Mapping[int, MeterView]

    def values(self, z: Array) -> dict[str, float]:
        """Every free number at z, by path."""
        return {p.path: p.value(float(x)) for p, x in zip(self.places, z, strict=True)}

    def columns_of(self, run: int) -> Whole:
        """The parameters that move a run: the board's and its own."""
        own = f"runs.{self.runs[run].name}."
        return np.array(
            [
                i
                for i, place in enumerate(self.places)
                if not place.path.startswith("runs.") or place.path.startswith(own)
            ]
        )

    def board_at(self, values: Mapping[str, float]) -> "Board":
        """The board with the free numbers written in, unvalidated: bounds keep it sane."""
        of_board = {path: x for path, x in values.items() if not path.startswith("runs.")}
        return replaced(self.board, of_board)

    def lowered_at(self, values: Mapping[str, float]) -> Lowered:
        """The board with the free numbers written in, as arrays."""
        return self.board_at(values).lower()

    def predicted(self, lowered: Lowered, values: Mapping[str, float], run: int) -> list[Array]:
        """What every group of signals of a run would say, each (n, s), in their own units."""
        data = self.runs[run]
        if self.at_measured_heat:
            rails_w = rails_at_temperatures(lowered, data.seen, data.nodes_c)
            return [data.rails.of(rails_w)]
        own = f"runs.{data.name}."
        ambient_c = values.get(f"{own}ambient_c", data.ambient_c)
        start_c = np.array(
            [
                values.get(f"{own}initial_c[{node}]", start_c)
                for node, start_c in zip(lowered.nodes, data.start_c, strict=True)
            ]
        )
        zones_c, rails_w, energy_j = driven(
            lowered, data.seen, ambient_c, start_c, data.longest_step_s
        )
        found = [data.rails.of(rails_w)] if self.rails else []
        offset_k = [values.get(f"{own}offset_k.{zone}", 0.0) for zone in lowered.zones]
        found += [data.zones.of(zones_c + np.array(offset_k))] if self.zones else []
        if run in self.meters:
            offset_s = values.get(f"{own}meter_offset_s", 0.0)
            found.append(self.meters[run].seen(data.seen.t_s, energy_j, offset_s))
        return found

    def signals_of(self, run: int) -> list[Signals]:
        """The groups of signals of a run, in the order of `predicted`."""
        data = self.runs[run]
        found = [data.rails] if self.rails else []
        found += [data.zones] if self.zones else []
        return found + ([self.meters[run].signals] if run in self.meters else [])

    def weights(self, run: int) -> list[Array]:
        """One over the standard error of every value, each (n, s), 0 where one is missing."""
        found = []
        for g, signals in enumerate(self.signals_of(run)):
            level = self.expected[run][g] if self.expected else signals.measured
            scale = np.array([self.scales.get(name, 1.0) for name in signals.names])
            weight = 1.0 / (signals.std(np.nan_to_num(level)) * scale)
            weight[np.isnan(signals.measured)] = 0.0
            found.append(weight)
        return found

    def residuals(self, z: Array) -> Iterator[list[Array]]:
        """Predicted less measured in standard errors, run by run, group by group, each (n, s)."""
        values = self.values(z)
        lowered = self.lowered_at(values)
        for run in range(len(self.runs)):
            yield self._errors(run, self.predicted(lowered, values, run))

    def _errors(self, run: int, said: Sequence[Array]) -> list[Array]:
        groups = zip(said, self.signals_of(run), self.weights(run), strict=True)
        return [
            np.where(weight > 0, values - signals.measured, 0.0) * weight
            for values, signals, weight in groups
        ]

    def cost(self, z: Array) -> float:
        """Half the sum of squares (beyond Huber's bound, of its linear branch) and the prior's."""
        total = 0.5 * float(z @ z)
        for run, groups in enumerate(self.residuals(z)):
            for signals, r in zip(self.signals_of(run), groups, strict=True):
                total += float((loss(r) @ self._worth(signals)).sum())
        return total

    def _worth(self, signals: Signals) -> Array:
        return np.array([self.worth.get(name, 1.0) for name in signals.names])

    def blocks(self, z: Array) -> Iterator[Block]:
        """Residuals with their slopes at z, run by run and group by group."""
        values = self.values(z)
        steps = np.array([_step(place) for place in self.places])
        moved = [values | {p.path: p.value(z[i] + steps[i])} for i, p in enumerate(self.places)]
        board = self.board_at(values)
        base = board.lower()
        boards = [_moved(board, base, p.path, moved[i]) for i, p in enumerate(self.places)]
        for run in range(len(self.runs)):
            columns = self.columns_of(run)
            said = self.predicted(base, values, run)
            # One number's slopes lie together in memory: (n, s, k) is a view of (k, n, s).
            slopes = [np.moveaxis(np.empty((len(columns), *g.shape)), 0, 2) for g in said]
            for k, i in enumerate(columns):
                for g, group in enumerate(self.predicted(boards[i], moved[i], run)):
                    slopes[g][:, :, k] = (group - said[g]) / steps[i]
            for g, (signals, weight) in enumerate(
                zip(self.signals_of(run), self.weights(run), strict=True)
            ):
                yield Block(
                    run=run,
                    signals=signals,
                    said=said[g],
                    weight=weight,
                    residuals=np.where(weight > 0, said[g] - signals.measured, 0.0) * weight,
                    columns=columns,
                    slopes=slopes[g] * weight[:, :, None],
                    worth=self._worth(signals),
                )

    def linear(self, z: Array) -> Linear:
        """Cost, gradient and Gauss-Newton matrix at z, weak prior included."""
        p = len(self.places)
        gram, gradient, cost = np.eye(p), z.copy(), 0.5 * float(z @ z)
        for block in self.blocks(z):
            r = block.residuals
            cost += float((loss(r) @ block.worth).sum())
            weight = (block.worth * HUBER / np.maximum(np.abs(r), HUBER)).ravel()
            slopes = np.moveaxis(block.slopes, 2, 0).reshape(-1, r.size)
            gradient[block.columns] += slopes @ (weight * r.ravel())
            gram[np.ix_(block.columns, block.columns)] += (slopes * weight) @ slopes.T
        return Linear(cost=cost, gradient=gradient, gram=gram)

    def rescaled(self, z: Array) -> "TraceProblem":
        """The same with noise as the residuals at z show it, and power's share of the predicted.

        Residuals that stay on one side for minutes are worth few readings, and weigh accordingly.
        """
        values = self.values(z)
        lowered = self.lowered_at(values)
        runs = range(len(self.runs))
        expected = tuple(tuple(self.predicted(lowered, values, run)) for run in runs)
        fresh = replace(self, expected=expected)
        by_signal: dict[str, list[Array]] = {}
        for run, groups in enumerate(fresh.residuals(z)):
            for signals, r in zip(fresh.signals_of(run), groups, strict=True):
                for s, name in enumerate(signals.names):
                    by_signal.setdefault(name, []).append(r[~np.isnan(signals.measured[:, s]), s])
        scales, worth = dict(fresh.scales), {}
        for name, parts in by_signal.items():
            r = np.concatenate(parts)
            if len(r):
                spread = float(np.clip(typical_size(r), 0.1, 1e3))
                scales[name] = scales.get(name, 1.0) * spread
                cut = HUBER * spread
                lags = pooled_lags([np.clip(part, -cut, cut) for part in parts])
                worth[name] = 1.0 / correlated_readings(lags)
        return replace(fresh, scales=scales, worth=worth)


def _moved(board: "Board", base: Lowered, path: str, values: Mapping[str, float]) -> Lowered:
    """The board with one number moved, as arrays; a run's own numbers leave it as it is."""
    if path.startswith("runs."):
        return base
    has_other_heat = not path.startswith(_NO_HEAT) or path.startswith("power.conversion")
    other = replaced(board, {path: values[path]})
    return lower_again(base, other, has_other_heat=has_other_heat)


def _step(place: Place) -> float:
    return _SHARE_STEP / place.scale if place.is_log else _LINEAR_STEP
