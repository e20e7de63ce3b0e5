"""What became of every program of a batch of boards."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.batch_visit import ENDED, RUNNING, WAITING
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
    """Every program that has arrived, those that still run or wait included.

    ValueError for a batch that does not keep lives.
    """
    if not batch.keeps_lives:
        raise ValueError("this batch keeps no lives; make it with keep_lives=True.")
    plans, lives = batch.plans[: batch.n_boards], batch.lives[: batch.n_boards].copy()
    for j in range(SLOTS):
        serial = batch.get("job_serial", j)
        boards = np.flatnonzero(serial > 0)
        for name in ("done", "below_s"):
            lives[name][boards, serial[boards] - 1] = batch.get(f"job_{name}", j)[boards]
    since_s = (batch.get("t_ns")[:, None] - plans["t_ns"]) * 1e-9
    waits = plans["kind"] == WAITING
    lives["below_s"][waits] = np.where(plans["target"] > 0.0, since_s, 0.0)[waits]
    live = waits | (plans["kind"] == RUNNING)
    lives["alive_s"][live] = since_s[live]
    board, at = np.nonzero(live | (plans["kind"] == ENDED))
    entries, lives = plans[board, at], lives[board, at]
    return Lives(
        board=board,
        program=entries["first"].astype(np.int64),
        arrive_s=entries["t_ns"] * 1e-9,
        target_ips=entries["target"],
        done=lives["done"],
        alive_s=lives["alive_s"],
        below_s=lives["below_s"],
    )
