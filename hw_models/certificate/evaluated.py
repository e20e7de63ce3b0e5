"""A board driven through runs, open loop: what was measured beside what it predicts.

Only ambient and the temperatures at the start come from the run itself: they are estimated from
it, as in the fit, since no board file can know them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.certificate.regimes import regimes
from hw_models.openloop import driven, starting_temps_c

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.fit import FitResult, Run

Array = NDArray[np.float64]

STRETCH_S: Final = 120.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """One run: measured and predicted values (rows,) by signal, and the regime of each reading.

    ambient_c and start_c (n_nodes,) are what the prediction started from.
    """

    run: "Run"
    measured: Mapping[str, Array]
    predicted: Mapping[str, Array]
    regimes: NDArray[np.str_]
    ambient_c: float
    start_c: Array

    @property
    def t_s(self) -> Array:
        """Times of the readings, (rows,)."""
        return self.run.recorded.t_s

    def error(self, signal: str) -> Array:
        """Predicted less measured, (rows,), NaN where nothing was measured."""
        return self.predicted[signal] - self.measured[signal]

    def with_board(self, board: "Board") -> dict[str, Array]:
        """What another board would say under the same inputs from the same start, by signal."""
        return predicted(board, self.run, self.ambient_c, self.start_c)


def evaluate(
    board: "Board", runs: Sequence["Run"], known: "FitResult | None" = None
) -> tuple[Evaluated, ...]:
    """Every run driven open loop; `known` holds ambient and start of runs that were fitted.

    Those of other runs are estimated from the run's zones with the board as it is.
    """
    return tuple(_evaluated(board, run, conditions(board, run, known)) for run in runs)


def conditions(board: "Board", run: "Run", known: "FitResult | None") -> tuple[float, Array]:
    """Ambient and node temperatures (n_nodes,) at the start of a run."""
    found = None if known is None else {p.path: p.value for p in known.parameters}
    own = f"runs.{run.name}."
    if found is None or f"{own}ambient_c" not in found:
        if not run.recorded.zones_c:
            ambient_c = board.thermal.ambient_c.value
            return ambient_c, starting_temps_c(board, run.recorded, ambient_c)
        from hw_models.fit import fit_thermal

        found = {p.path: p.value for p in fit_thermal(board, [run], free=()).parameters}
    ambient_c = found.get(f"{own}ambient_c", board.thermal.ambient_c.value)
    start_c = starting_temps_c(board, run.recorded, ambient_c)
    for i, node in enumerate(board.thermal.nodes):
        start_c[i] = found.get(f"{own}initial_c[{node}]", start_c[i])
    return ambient_c, start_c


def _evaluated(board: "Board", run: "Run", start: tuple[float, Array]) -> Evaluated:
    seen = run.recorded
    said = predicted(board, run, *start)
    rails = {f"power_w.{rail}": values for rail, values in seen.rails_w.items()}
    zones = {f"temps_c.{zone}": values for zone, values in seen.zones_c.items()}
    measured = rails | zones
    return Evaluated(
        run=run,
        measured={name: measured[name] for name in said if name in measured},
        predicted={name: values for name, values in said.items() if name in measured},
        regimes=regimes(board, seen),
        ambient_c=start[0],
        start_c=start[1],
    )


def predicted(board: "Board", run: "Run", ambient_c: float, start_c: Array) -> dict[str, Array]:
    """Every rail, then every zone of the board, (rows,) each, in the board's order."""
    lowered = board.lower()
    zones_c, rails_w, _ = driven(lowered, run.recorded, ambient_c, start_c.copy())
    said = {f"power_w.{name}": rails_w[:, i] for i, name in enumerate(lowered.rails)}
    return said | {f"temps_c.{name}": zones_c[:, i] for i, name in enumerate(lowered.zones)}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Measured and predicted values of one signal over several runs, (n,) each.

    stretch (n,) numbers the two minutes of a run that a reading belongs to.
    """

    measured: Array
    said: Array
    stretch: NDArray[np.int64]

    @property
    def error(self) -> Array:
        """Predicted less measured, (n,)."""
        return self.said - self.measured


def pooled(runs: Sequence[Evaluated], signal: str, regime: str = "all") -> Pooled:
    """Every known reading of a signal in a regime, over all runs that have it."""
    measured, said, stretch, first = [np.zeros(0)], [np.zeros(0)], [np.zeros(0, np.int64)], 0
    for run in runs:
        if signal not in run.measured:
            continue
        rows = np.isfinite(run.measured[signal])
        rows &= (regime == "all") | (run.regimes == regime)
        at = np.floor((run.t_s - run.t_s[0]) / STRETCH_S).astype(np.int64)
        measured.append(run.measured[signal][rows])
        said.append(run.predicted[signal][rows])
        stretch.append(first + at[rows])
        first += int(at[-1]) + 1
    return Pooled(
        measured=np.concatenate(measured),
        said=np.concatenate(said),
        stretch=np.concatenate(stretch),
    )


def mean_error(values: Array, stretch: NDArray[np.int64]) -> float:
    """The standard error of a mean of (n,) values of which those of one stretch go together.

    As large as the mean itself where there are fewer than two stretches.
    """
    _, place, count = np.unique(stretch, return_inverse=True, return_counts=True)
    if len(count) < 2:
        return float(np.abs(np.mean(values))) if len(values) else 0.0
    away = np.bincount(place, values) / count - np.mean(values)
    weight = count / len(values)
    return float(np.sqrt(np.sum((weight * away) ** 2) * len(count) / (len(count) - 1)))


def signals_of(runs: Sequence[Evaluated]) -> tuple[str, ...]:
    """Every signal that some run measured, in the board's order."""
    order: dict[str, None] = {}
    for run in runs:
        order |= dict.fromkeys(run.predicted)
    return tuple(s for s in order if any(s in run.measured for run in runs))
