"""DAgger: states that a student leads itself into, labelled by the oracle, join the demonstrations.

(Ross, Gordon and Bagnell 2011, arXiv:1011.0686.)
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.scenario import Scenario
from edgetwin.simulator.batch_plan import Sample
from edgetwin.systems.thermal.branches import Outcomes, outcomes
from edgetwin.systems.thermal.chip import Chip
from edgetwin.systems.thermal.demos import Rows, joined
from edgetwin.systems.thermal.features import features
from edgetwin.systems.thermal.labels import soft_labels
from edgetwin.systems.thermal.rollout import Rollout
from edgetwin.systems.thermal.view import Manager, View
from hw_models.board import Board

EVERY: Final = 40
"""Epochs between two looks: 20 s, in which most programs have settled elsewhere or ended."""


def visited(
    board: Board,
    manager: Manager,
    scenarios: Sequence[Scenario],
    seeds: Sequence[int],
    *,
    sample: Sample | None = None,
    limit_s: float = 3000.0,
) -> Rows:
    """Every program of every board at every look of a closed loop under the manager, labelled."""
    rollout = Rollout(board, manager, scenarios, seeds, sample=sample)
    found: list[Rows] = []
    turn = 0

    def watch(view: View, live: NDArray[np.bool_]) -> None:
        nonlocal turn
        turn += 1
        which = np.flatnonzero(live & view.runs.any(axis=1))
        if turn % EVERY == 0 and len(which):
            found.append(examples(view, rollout.chip, which))

    rollout.run(limit_s, watch)
    return joined(found)


def examples(view: View, chip: Chip, which: NDArray[np.int64]) -> Rows:
    """One example for every program that runs on boards which (k,)."""
    assert view.truth is not None
    asked = view.runs[which]
    result: Outcomes = outcomes(chip, view.truth, which, asked)
    labels = soft_labels(result, result.temp_c)
    return Rows(
        x=features(view, chip)[which][asked],
        y=labels[asked].astype(np.float32),
        temp_c=result.temp_c[asked].astype(np.float32),
        later_c=result.later_c[asked].astype(np.float32),
        feasible=result.feasible[asked],
        facts={},
    )
