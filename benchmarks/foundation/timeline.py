"""What a board draws from event to event, worked out slowly: the reference for energy.

Inputs change at events only: a knob is turned, a clock arrives, a migration is over, a phase or a
job ends. Between two events power is constant, so energy without leakage is watts times seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import final

import numpy as np
from numpy.typing import NDArray

from benchmarks.foundation.plain import PlainBoard, Share
from benchmarks.foundation.plain_work import Task
from hw_models.board import Board

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """At at_s somebody sets a clock (domain, level) or moves a job (task name, unit)."""

    at_s: float
    domain: int = -1
    level: int = 0
    task: str = ""
    unit: int = -1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Seconds in which nothing changes: switching power and leakage gain by part, (n_parts,)."""

    dt_s: float
    power_w: Array
    gain_w: Array


@final
@dataclass(slots=True, kw_only=True)
class Course:
    """A board with userspace clocks on its way through time."""

    board: Board
    plain: PlainBoard
    tasks: list[Task]
    levels: list[int]
    targets: list[int]
    switch_s: list[float]
    now_s: float = 0.0
    ends_s: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, board: Board, tasks: list[Task], levels: list[int]) -> "Course":
        """A board at t = 0 with its jobs placed and its clocks at these operating points."""
        return cls(
            board=board,
            plain=PlainBoard(board),
            tasks=tasks,
            levels=list(levels),
            targets=list(levels),
            switch_s=[inf] * len(levels),
        )

    def run(self, turns: Sequence[Turn], end_s: float) -> list[Stretch]:
        """Every stretch until end_s; turns in order of time."""
        stretches, left = [], list(turns)
        while self.now_s < end_s:
            while left and left[0].at_s <= self.now_s:
                self._turn(left.pop(0))
            self._switch()
            next_s = min(end_s, left[0].at_s if left else inf, *self.switch_s)
            stretches.append(self._stretch(next_s))
        return stretches

    def _turn(self, turn: Turn) -> None:
        if turn.domain >= 0:
            self._request(turn.domain, turn.level)
            return
        for task in self.tasks:
            if task.name == turn.task and task.unit != turn.unit:
                task.unit = turn.unit
                task.held_until_s = whole_ns_s(
                    self.now_s + self.board.performance.migration_s.value
                )

    def _request(self, domain: int, level: int) -> None:
        """A clock runs a transition time after it was asked for."""
        if level == self.targets[domain]:
            return
        self.targets[domain] = level
        transition_s = self.board.clocks[self.plain.domains[domain]].transition_s.value[level]
        pending = level != self.levels[domain]
        self.switch_s[domain] = whole_ns_s(self.now_s + transition_s) if pending else inf

    def _switch(self) -> None:
        for domain, at_s in enumerate(self.switch_s):
            if at_s <= self.now_s:
                self.levels[domain], self.switch_s[domain] = self.targets[domain], inf

    def _stretch(self, next_s: float) -> Stretch:
        """Go on to next_s, or to the first end of a phase, job or migration before it."""
        running = [task for task in self.tasks if task.held_until_s <= self.now_s]
        held_s = [t.held_until_s for t in self.tasks if t.held_until_s > self.now_s]
        shares = self.plain.shares(running, self.levels)
        due_s = [self._due_s(task, share) for task, share in zip(running, shares, strict=True)]
        then_s = min([next_s, *held_s, *due_s])
        power_w, gain_w = self.plain.powers_w(running, shares, self.levels)
        dt_s = then_s - self.now_s
        self.now_s = then_s
        for task, share, at_s in zip(running, shares, due_s, strict=True):
            self._work(task, share.rate * dt_s, at_s <= then_s)
        return Stretch(dt_s=dt_s, power_w=power_w, gain_w=gain_w)

    def _due_s(self, task: Task, share: Share) -> float:
        return whole_ns_s(self.now_s + min(task.left, task.phase_left) / share.rate)

    def _work(self, task: Task, work: float, due: bool) -> None:
        ends = task.left <= task.phase_left
        task.left -= work
        task.phase_left -= work
        if due and ends:
            self.ends_s[task.name] = self.now_s
            self.tasks.remove(task)
        elif due:
            task.next_phase()


def whole_ns_s(time_s: float) -> float:
    """The first whole nanosecond at or after time_s: the twin's clock counts them."""
    return inf if time_s == inf else ceil(time_s * 1e9 - 1e-3) * 1e-9
