"""A plan for a board from nothing: a backend is opened, profiled below the cap, and given back."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

from edgetwin.cells import CellStore
from edgetwin.factory import make_backend
from edgetwin.systems.planner.choice import Objective, Plan, Planner
from edgetwin.systems.planner.meter import BoardMeter, Care
from edgetwin.systems.planner.on_board import Task
from edgetwin.systems.planner.profiler import Hold, KeptMeter, Meter
from edgetwin.systems.planner.saved import planner_json
from hw_models.board import Board

LONGEST_S: Final = 1200.0
_SAFE_K: Final = 5.0  # below the board's own trip, so that profiling ends before the board acts


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Profiling:
    """How a board is profiled.

    backend and device are what `make_backend` is told. longest_s is how long a cell may take to
    settle. overshoot is the share by which profiling may pass the cap; None: as it likes, on the
    twin nobody minds. keep is a folder of measured cells, where an interrupted profile goes on.
    """

    backend: str = "sim"
    device: Mapping[str, Any] = field(default_factory=dict)
    longest_s: float = LONGEST_S
    overshoot: float | None = None
    keep: Path | None = None

    def care(self, board: Board, cap_w: float) -> Care:
        """How carefully cells are measured for a cap on a board."""
        abort_w = None if self.overshoot is None else cap_w * (1.0 + self.overshoot)
        return Care(
            caps_w=(cap_w,), longest_s=self.longest_s, safe_c=safety_c(board), abort_w=abort_w
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked of a plan."""

    cap_w: float
    points: int
    objective: Objective = "time"
    deadline_s: float | None = None
    confidence: float
    seed: int = 0


def plan_on(
    board: Board, make_task: Callable[[Board], Task], wish: Wish, how: Profiling
) -> tuple[Plan, dict[str, Any]]:
    """Profile a board and choose; the plan and its JSON, which says what profiling was like.

    On the twin the choice is judged by its counters and by brute force. ValueError where nothing
    can be planned, HardwareError where the board cannot be driven; it is given back either way.
    """
    backend = make_backend(how.backend, board=board, seed=wish.seed, **how.device)
    with closing(backend):
        task = make_task(backend.board)
        meter = task.meter(backend, how.care(task.board, wish.cap_w))
        hold = None if how.overshoot is None else Hold(overshoot=how.overshoot)
        found = task.profile(
            _kept(meter, task, wish, how), [wish.cap_w], points=wish.points, seed=wish.seed,
            hold=hold,
        )  # fmt: skip
    planner = task.planner(found)
    plan = planner.plan(
        wish.cap_w, objective=wish.objective, deadline_s=wish.deadline_s, confidence=wish.confidence
    )
    said = task.judged(plan) if how.backend == "sim" else plan.as_json()
    return plan, said | _circumstances(task, meter, planner) | {
        "backend": how.backend,
        "overshoot": found.overshoot,
        "not_run": [task.space.words(at) for at in found.refused],
    }


def safety_c(board: Board) -> float | None:
    """The temperature above which nothing is measured: below every trip that is not a fan's."""
    trips_c = [float(t.temp_c.value) for t in board.limits.trips if t.kind != "fan"]
    return min(trips_c) - _SAFE_K if trips_c else None


def _kept(meter: BoardMeter, task: Task, wish: Wish, how: Profiling) -> Meter:
    """The meter itself, or one that remembers what it measured under the same circumstances."""
    if how.keep is None:
        return meter
    facts = {
        "board": task.board.name, "network": task.network.name, "seed": wish.seed,
        "cap_w": wish.cap_w, "backend": how.backend, "longest_s": how.longest_s,
        "overshoot": how.overshoot, **{name: str(value) for name, value in how.device.items()},
    }  # fmt: skip
    return KeptMeter(meter, CellStore(path=how.keep), task.space, facts)


def _circumstances(task: Task, meter: BoardMeter, planner: Planner) -> dict[str, Any]:
    """Which board it was, how long profiling took there, and all that the plan rests on."""
    return {
        "board": task.board.name,
        "grade": task.board.grade,
        "network": task.network.name,
        "profiling_s": meter.spent_s,
        "hottest_c": meter.hottest_c if meter.spent_s > 0 else None,
        "efficiency": task.efficiency.source,
        "cells": planner_json(planner),
    }
