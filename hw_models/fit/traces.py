"""Power, heat, or both, estimated from traces of many runs at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.estimate import estimate
from hw_models.fit.meter import MARGIN_S, Meter, likely_offset_s, view
from hw_models.fit.networks import Groups, lumped
from hw_models.fit.places import (
    OFFSETS,
    POWER,
    THERMAL,
    Place,
    board_places,
    offset_places,
    run_places,
    usual,
)
from hw_models.fit.prepared import Prepared, prepared
from hw_models.fit.problem import TraceProblem
from hw_models.fit.report import result_of
from hw_models.fit.result import Candidate, FitResult
from hw_models.fit.runs import Run
from hw_models.openloop import driven

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be fitted: the signals that count, the numbers that move.

    own_offsets gives every zone of every run an offset of its own.
    """

    rails: bool
    zones: bool
    patterns: tuple[str, ...]
    own_offsets: bool = False

    @property
    def at_measured_heat(self) -> bool:
        """Power alone needs no thermal model: every node is where the sensors saw it."""
        return self.rails and not self.zones


def fit_power(
    board: "Board", runs: Sequence[Run], *, free: Sequence[str] | None = None, seed: int = 0
) -> FitResult:
    """Where the power of a board goes, from its rails at the temperatures its zones saw.

    free names the numbers to move, by path or pattern (`power.units.*`); by default everything
    in [power] that the file does not call exact. The board file's values enter as a weak prior,
    three times as wide as their std. ValueError where no run has a rail; KeyError for a name in
    free that is none.
    """
    task = Task(rails=True, zones=False, patterns=_patterns(board, free, POWER))
    return _fitted(board, runs, task, seed)


def fit_thermal(
    board: "Board",
    runs: Sequence[Run],
    *,
    free: Sequence[str] | None = None,
    networks: Sequence[Groups] | None = None,
    own_offsets: bool = False,
    seed: int = 0,
) -> FitResult:
    """How heat flows on a board, from its zones, under the power its file predicts.

    Ambient and initial temperatures are estimated for every run. networks lists coarser networks
    to try (see `coarser`): the one with the lowest information criterion is kept, and `board` of
    the result merges the nodes. own_offsets is for sensors that were mounted anew: every zone of
    every run then has an offset (`runs.<run>.offset_k.<zone>`) beyond the board's. Other
    arguments and errors as in `fit_power`.
    """
    patterns = _patterns(board, free, (*THERMAL, *OFFSETS))
    task = Task(rails=False, zones=True, patterns=patterns, own_offsets=own_offsets)
    return _chosen(board, runs, task, networks, seed)


def fit_joint(
    board: "Board",
    runs: Sequence[Run],
    *,
    free: Sequence[str] | None = None,
    networks: Sequence[Groups] | None = None,
    own_offsets: bool = False,
    meter: Meter | None = None,
    seed: int = 0,
) -> FitResult:
    """Power and heat together: temperature enters leakage, power enters heat.

    meter is the log of an external power meter, taken during these runs: it pins the scale in
    watts of a board without rails; the offset of its clock is estimated. Other arguments and errors
    as in `fit_thermal`.
    """
    patterns = _patterns(board, free, (*POWER, *THERMAL, *OFFSETS))
    task = Task(
        rails=bool(board.sensors.rails), zones=True, patterns=patterns, own_offsets=own_offsets
    )
    return _chosen(board, runs, task, networks, seed, meter)


def _patterns(
    board: "Board", free: Sequence[str] | None, by_default: Sequence[str]
) -> tuple[str, ...]:
    return usual(board, by_default) if free is None else tuple(free)


def _chosen(
    board: "Board",
    runs: Sequence[Run],
    task: Task,
    networks: Sequence[Groups] | None,
    seed: int,
    meter: Meter | None = None,
) -> FitResult:
    """The fit of the network that the information criterion prefers."""
    if networks is None:
        return _fitted(board, runs, task, seed, meter)
    boards = [lumped(board, groups) for groups in networks]
    # A network of one node has no links left to move.
    tasks = [replace(task, patterns=usual(coarse, task.patterns)) for coarse in boards]
    tried = [
        estimate(trace_problem(coarse, runs, own, meter), seed)
        for coarse, own in zip(boards, tasks, strict=True)
    ]
    worth = max(found.spread.effective_n for found in tried)
    criteria = [worth * x.log_misfit + len(x.z) * float(np.log(worth)) for x in tried]
    best = int(np.argmin(criteria))
    candidates = tuple(
        Candidate(groups=groups, n_parameters=len(x.z), criterion=criterion, chosen=i == best)
        for i, (groups, x, criterion) in enumerate(zip(networks, tried, criteria, strict=True))
    )
    return replace(result_of(tried[best], runs, seed), candidates=candidates)


def _fitted(
    board: "Board", runs: Sequence[Run], task: Task, seed: int, meter: Meter | None = None
) -> FitResult:
    return result_of(estimate(trace_problem(board, runs, task, meter), seed), runs, seed)


def trace_problem(
    board: "Board", runs: Sequence[Run], task: Task, meter: Meter | None = None
) -> TraceProblem:
    """What is to be solved for some runs; ValueError where nothing that counts was measured."""
    ready = tuple(prepared(board, run) for run in runs)
    _check(board, ready, task, meter)
    places = list(board_places(board, task.patterns))
    if not task.at_measured_heat:
        for run in ready:
            places += run_places(board, run.name, run.ambient_c, run.start_c)
            places += offset_places(board, run.name) if task.own_offsets else ()
    problem = TraceProblem(
        board=board,
        places=tuple(places),
        runs=ready,
        rails=task.rails,
        zones=task.zones,
        at_measured_heat=task.at_measured_heat,
        scales={},
        worth={},
        meters={},
    )
    return problem if meter is None else _metered(problem, meter)


def _check(board: "Board", runs: Sequence[Prepared], task: Task, meter: Meter | None) -> None:
    if not runs:
        raise ValueError("no run to fit; give at least one (see check_run and read_runs).")
    names = [run.name for run in runs]
    if len(set(names)) != len(names):
        raise ValueError(f"runs are named {', '.join(names)}; expected a name of its own for each.")
    has_rails = any(not np.isnan(run.rails.measured).all() for run in runs)
    has_zones = any(not np.isnan(run.zones.measured).all() for run in runs)
    if any("." in name for name in names):
        raise ValueError(f"runs are named {', '.join(names)}; expected names without a dot.")
    if task.at_measured_heat and not has_rails:
        raise ValueError(
            f"no run has a power rail of {board.name}; fit_joint gives the thermal shape without, "
            "and the watts with meter=."
        )
    if task.zones and not has_zones:
        raise ValueError(f"no run has a temperature zone of {board.name}; fit_power needs none.")


def _metered(problem: TraceProblem, meter: Meter) -> TraceProblem:
    """The same with an external meter: its clock brought to each run's, the rest estimated."""
    board, views, places = problem.board, {}, list(problem.places)
    for i, run in enumerate(problem.runs):
        t_s = run.seen.t_s
        _, _, energy_j = driven(board.lower(), run.seen, run.ambient_c, np.array(run.start_c))
        power_w = np.gradient(energy_j, t_s)
        views[i] = view(meter, t_s, likely_offset_s(meter, t_s, power_w))
        places.append(
            Place(
                path=f"runs.{run.name}.meter_offset_s", start=0.0, low=-MARGIN_S, high=MARGIN_S,
                scale=5.0, is_log=False,
            )
        )  # fmt: skip
    return replace(problem, meters=views, places=tuple(places))
