"""What became of every program of a batch of boards."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.batch_visit import ARRIVAL, RUNNING, WAITING
from edgetwin.kernel.state import QOS_SHARE, SLOTS
from edgetwin.simulator import BatchSimulator
from edgetwin.systems.thermal.chip import Array, Whole


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """Programs that arrived on n boards, one entry each: board, when, target, work and time.

    program: the first row of its demand; done: instructions; alive_s: waiting included; below_s:
    time in which it ran below 98 % of its target.
    """

    board: Whole
    program: Whole
    arrive_s: Array
    target_ips: Array
    done: Array
    alive_s: Array
    below_s: Array

    @property
    def ratio(self) -> Array:
        """Mean rate over life, over the target."""
        return self.done / np.maximum(self.alive_s, 1e-9) / self.target_ips

    @property
    def violated(self) -> NDArray[np.bool_]:
        """Mean rate over life below 98 % of the target."""
        return self.ratio < QOS_SHARE

    @property
    def shortfall(self) -> Array:
        """How far the mean rate stays below the target, as a share of it; 0 if it does not."""
        return np.maximum(0.0, 1.0 - self.ratio)


def lives_of(batch: BatchSimulator) -> Lives:
    """Every program that has arrived, those that still run or wait included."""
    now_ns = batch.get("t_ns")
    plans = batch.plans[: batch.n_boards].copy()
    entry = np.array([batch.get("job_entry", j) for j in range(SLOTS)]).T
    runs = np.array([batch.get("job_serial", j) for j in range(SLOTS)]).T > 0
    for j in range(SLOTS):
        boards = np.flatnonzero(runs[:, j])
        for name in ("done", "alive_s", "below_s"):
            plans[name][boards, entry[boards, j]] = batch.get(f"job_{name}", j)[boards]
    waits = plans["status"] == WAITING
    waited_s = (now_ns[:, None] - plans["t_ns"]) * 1e-9
    plans["alive_s"][waits] = plans["below_s"][waits] = waited_s[waits]
    board, at = np.nonzero((plans["kind"] == ARRIVAL) & (plans["status"] >= min(WAITING, RUNNING)))
    chosen = plans[board, at]
    return Lives(
        board=board,
        program=chosen["first"].astype(np.int64),
        arrive_s=chosen["t_ns"] * 1e-9,
        target_ips=chosen["target"],
        done=chosen["done"],
        alive_s=chosen["alive_s"],
        below_s=chosen["below_s"],
    )
