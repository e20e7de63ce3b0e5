"""Rows of the table that vary the board: draws from its posterior, and one assumption at a time."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.reproduce.thermal.grid import (
    ORACLE,
    STUDENT,
    Runs,
    conditions,
    manager,
    mixes_of,
    play,
    runs_of,
)
from edgetwin.reproduce.thermal.lab import LOW_BAND, UNLEARNED, WIDE_BAND, Lab
from edgetwin.reproduce.thermal.stats import kendall_tau
from edgetwin.simulator.batch import BLOCK
from edgetwin.studies import Figure, row
from hw_models.board import Board
from hw_models.parameters import paths, value_at, with_values

RANKED: Final = (*UNLEARNED, ORACLE, STUDENT, "top-rl-200", "ppo")
PROGRAMS: Final = 4


def posterior_ranking(lab: Lab) -> dict[str, Any]:
    """Ranking of managers by mean temperature under posterior draws of the board."""
    assert lab.trainings
    means = {name: lab.kept(["posterior", name], partial(_posterior, lab, name)) for name in RANKED}
    nominal = np.array([means[name]["nominal"] for name in RANKED])
    drawn = np.array([means[name]["drawn"] for name in RANKED])
    taus = [kendall_tau(nominal, drawn[:, k]) for k in range(drawn.shape[1])]
    return row(
        {"mean_tau": Figure(value=float(np.mean(taus)), bar=0.8, at_least=True)},
        n=len(taus),
        runs_per_board=BLOCK,
        lowest_tau=float(np.min(taus)),
        share_at_least=float(np.mean(np.array(taus) >= 0.8)),
        mean_c=means,
    )


def _posterior(lab: Lab, name: str) -> dict[str, Any]:
    """Mean temperature on the board of the file and on every draw, under the same workloads."""
    (mix,) = mixes_of(["unseen"], [WIDE_BAND], ["duration"], ["no-fan"], count=PROGRAMS)
    one = conditions([mix], BLOCK, loads=[4.0])
    many = one * lab.size.posterior_boards
    player = manager(name, 0, lab.trainings)
    nominal = runs_of(play(lab.board, player, one), one)
    drawn = runs_of(play(lab.board, player, many, lambda b, rng: b.sample(rng)), many)
    by_board = drawn.mean_c.reshape(lab.size.posterior_boards, BLOCK)
    return {"nominal": float(nominal.mean_c.mean()), "drawn": by_board.mean(axis=1).tolist()}


def _scaled(board: Board, factor: float, part: str, ends: str = "") -> Board:
    """The board with every number under a path scaled."""
    chosen = [p for p in paths(board) if p.startswith(part) and (not ends or ends in p)]
    return with_values(board, {p: factor * value_at(board, p) for p in chosen})


ASSUMPTIONS: Final[dict[str, Callable[[Board], Board]]] = {
    "as in the board file": lambda b: b,
    "cooling x 0.5": lambda b: _scaled(b, 0.5, "thermal.cooling"),
    "cooling x 1.5": lambda b: _scaled(b, 1.5, "thermal.cooling"),
    "package and die links x 0.5": lambda b: _scaled(b, 0.5, "thermal.links"),
    "leakage x 0.5": lambda b: _scaled(b, 0.5, "power.units", "leakage_w"),
    "leakage x 4": lambda b: _scaled(b, 4.0, "power.units", "leakage_w"),
    "core power x 0.8": lambda b: _scaled(b, 0.8, "power.units.a", "active_capacitance_f"),
    "core power x 1.8": lambda b: _scaled(b, 1.8, "power.units.a", "active_capacitance_f"),
    "base heat x 2": lambda b: _scaled(b, 2.0, "power.baseline"),
}


LOADS: Final = (2.0, 4.0, 6.0, 8.0)


def sensitivity(lab: Lab) -> dict[str, Any]:
    """Which assumption decides the kelvins: student against GTS/ondemand at low targets."""
    assert lab.trainings
    found = lab.kept(["sensitivity"], lambda: _sensitivity(lab))
    return {
        "value": None, "bar": None, "ok": None, "reason": "see `by_assumption` and `by_load`",
        **found,
    }  # fmt: skip


def _sensitivity(lab: Lab) -> dict[str, Any]:
    """Every assumption on a block of boards of its own, the same workloads on each."""
    one = conditions(mixes_of(["unseen"], [LOW_BAND]), BLOCK // (4 * len(LOADS)), LOADS)
    many = one * len(ASSUMPTIONS)
    base, other = (
        runs_of(play(lab.board, manager(name, 0, lab.trainings), many, _Cycle()), many)
        for name in ("gts-ondemand", STUDENT)
    )
    blocks = {name: slice(k * BLOCK, (k + 1) * BLOCK) for k, name in enumerate(ASSUMPTIONS)}
    first = _inside(base, slice(0, BLOCK))
    return {
        "by_assumption": {
            name: _told(base, other, _inside(base, block)) for name, block in blocks.items()
        },
        "by_load": {
            f"{load:g}": _told(base, other, first & base.where(load=load)) for load in LOADS
        },
    }


@final
class _Cycle:
    """Hands out the boards of the assumptions in turn, in place of draws from the posterior."""

    def __init__(self) -> None:
        self._left = iter(ASSUMPTIONS.values())

    def __call__(self, board: Board, rng: np.random.Generator) -> Board:
        return next(self._left)(board)


def _inside(runs: Runs, block: slice) -> NDArray[np.bool_]:
    which = np.zeros(len(runs.mean_c), np.bool_)
    which[block] = True
    return which


def _told(base: Runs, other: Runs, chosen: NDArray[np.bool_]) -> dict[str, Any]:
    """Kelvin and normalised drop in each kind of work and cooling."""
    told = {}
    for fixed in ("work", "duration"):
        for cooling in ("fan", "no-fan"):
            which = chosen & base.where(fixed=fixed, cooling=cooling)
            drop_k = (base.mean_c - other.mean_c)[which]
            told[f"{fixed}, {cooling}"] = {
                "drop_k": float(drop_k.mean()),
                "normalised": float(drop_k.sum() / (base.mean_c - base.idle_c)[which].sum()),
                "ondemand_c": float(base.mean_c[which].mean()),
            }
    return told
