"""edgetwin/Training-v0 for many boards at once."""

from dataclasses import replace
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.envs.board_env import BoardEnv
from edgetwin.envs.training import (
    CAP_WEIGHT,
    POWER_LIMIT_W,
    PROGRESS_WEIGHT,
    TOTAL_RATE_LIMIT,
    WORTHLESS_S,
    TrainingEnv,
)
from edgetwin.envs.vector_env import BoardVectorEnv, Truths
from edgetwin.kernel.batch_control import request_lanes
from edgetwin.kernel.batch_orders import change_batch_board, mark_group, over_group
from edgetwin.kernel.batch_read import (
    OVER_CAP,
    REWARD_A,
    REWARD_B,
    hottest_lanes,
    read_group,
    write_rows,
)
from edgetwin.scenario import Scenario
from edgetwin.simulator.batch_plan import places
from hw_models.compiled import free, merged
from hw_models.lane_arrays import unowned
from hw_models.lane_functions import load, store
from hw_models.lanes import LANES
from hw_models.lowering import GOVERNORS


@final
class TrainingVectorEnv(BoardVectorEnv):
    """Many boards of `edgetwin.envs.training.TrainingEnv`, which documents spaces and reward."""

    single: ClassVar[type[BoardEnv]] = TrainingEnv

    def _build(self) -> None:
        one = self.one
        assert isinstance(one, TrainingEnv)
        self._gpu, self._domain, self._batches = one.gpu, one.domain, one.batches
        n = self.num_envs
        # Per board: demand row and samples of every batch size; the batch, progress and time seen.
        self._firsts = np.zeros((n, len(self._batches)), np.int64)
        self._totals = np.zeros((n, len(self._batches)))
        self._batch = np.zeros(n, np.int64)
        self._progress = np.zeros(n)
        self._seen_ns = np.zeros(n, np.int64)
        self._known: dict[int, tuple[Scenario, object, tuple[int, list[int], list[float]]]] = {}

    def _begin(self, i: int, episode: Scenario) -> None:
        assert isinstance(self.one, TrainingEnv)
        group, lane = divmod(i, LANES)
        n, at = self.batch.whole[group], self.batch.at
        n[at["governor"] + self._domain, lane] = GOVERNORS.index("userspace")
        n[at["fixed"] + self._domain, lane] = n[at["target"] + self._domain, lane]
        self._batch[i], self._firsts[i], self._totals[i] = self._choices(episode)
        self._progress[i] = 0.0
        self._seen_ns[i] = 0

    def _choices(self, episode: Scenario) -> tuple[int, list[int], list[float]]:
        """The first batch of an episode; demand row and samples of every batch size."""
        known = self._known.get(id(episode))
        if known is None or known[0] is not episode or known[1] is not self.batch.boards:
            assert isinstance(self.one, TrainingEnv)
            job = self.one.training_job(episode)
            jobs = [replace(job, batch=size) for size in self._batches]
            firsts = [places(one, self.batch.boards)[0] for one in jobs]
            totals = [float(job.samples_to_target[size]) for size in self._batches]
            found = (self._batches.index(job.batch), firsts, totals)
            self._known = {id(episode): (episode, self.batch.boards, found)}
            self.batch.gather_tables()
            return found
        return known[2]

    def _act(self, actions: NDArray[np.int64], frozen: Truths, first: int, last: int) -> None:
        batch = self.batch
        begin_training(
            batch.floats, batch.whole, batch.layout.at, batch.records, batch.groups_per_board,
            first, last, actions, frozen, self._step_ns, self._domain, self._firsts, self._totals,
            self._batch,
        )  # fmt: skip

    def _look(self, seen: Truths, first: int, last: int) -> None:
        batch = self.batch
        look_training(
            batch.floats, batch.whole, batch.layout.at, batch.records, batch.groups_per_board,
            first, last, self._gpu, self._domain, self._firsts, self._totals, self._batch,
            self._progress, self._seen_ns, self._obs, batch.readings, self._rewards, self._over,
            seen,
        )  # fmt: skip


@free
def begin_training(
    f: Any, n: Any, at: Any, boards: Any, per_board: int, first: int, last: int, actions: Any,
    frozen: Any, step_ns: int, domain: int, firsts: Any, totals: Any, batch: Any,
) -> None:  # fmt: skip
    """Ask for clock and batch size, say when the step ends, in groups first to last - 1.

    Boards in frozen stand still.

    actions (n_boards, 2); firsts and totals (n_boards, batches): demand row and samples of every
    batch size; batch (n_boards,): the one that runs.
    """
    a = at[0]
    f, n, boards, actions, frozen = unowned((f, n, boards, actions, frozen))
    firsts, totals, batch = unowned((firsts, totals, batch))
    for g in range(first, last):
        b = boards[g // per_board]
        mark_group(f[g], n[g], a)
        for lane in range(LANES):
            i = g * LANES + lane
            if i >= len(actions):
                break
            n[g, a.end_ns, lane] = n[g, a.t_ns, lane]
            if not frozen[i]:
                n[g, a.end_ns, lane] += step_ns
                n[g, a.fixed + domain, lane] = actions[i, 0]
                slot = training_slot(n[g], lane, a, firsts[i])
                wanted = actions[i, 1]
                if slot >= 0 and wanted != batch[i]:
                    share = totals[i, wanted] / totals[i, batch[i]]
                    change_batch_board(f[g], n[g], lane, a, slot, firsts[i, wanted], share)
                    batch[i] = wanted
        runs = load(n[g], a.end_ns) > load(n[g], a.t_ns)
        request_lanes(n[g], a, b, domain, load(n[g], a.fixed + domain), runs)


@merged
def training_slot(n: Any, lane: int, at: Any, firsts: Any) -> int:
    """Where the training job runs, -1 when it does not."""
    for j in range(n[at.slots, lane]):
        if n[at.job_serial + j, lane] > 0:
            for first in firsts:
                if n[at.job_row + j, lane] == first:
                    return j
    return -1


@free
def look_training(
    f: Any, n: Any, at: Any, boards: Any, per_board: int, first: int, last: int, gpu: int,
    domain: int, firsts: Any, totals: Any, batch: Any, progress: Any, seen_ns: Any, obs: Any,
    readings: Any, rewards: Any, over: Any, seen: Any,
) -> None:  # fmt: skip
    """Fill observations, readings, rewards and what is over, one row per board that is seen.

    Only those of groups first to last - 1.
    """
    a = at[0]
    f, n, boards, obs, readings = unowned((f, n, boards, obs, readings))
    rewards, over, seen, firsts, totals = unowned((rewards, over, seen, firsts, totals))
    batch, progress, seen_ns = unowned((batch, progress, seen_ns))
    columns = np.zeros((readings.shape[1], LANES))
    hot_c = np.zeros((1, LANES))
    for g in range(first, last):
        b = boards[g // per_board]
        read_group(f[g], n[g], a, b, columns)
        write_rows(columns, g * LANES, seen, readings)
        store(hot_c, 0, hottest_lanes(f[g], a, b))
        ended = over_group(n[g], a)
        for lane in range(LANES):
            i = g * LANES + lane
            if i >= len(obs) or not seen[i]:
                continue
            row = readings[i]
            obs[i, 4] = batch[i] / max(1, firsts.shape[1] - 1)
            slot = training_slot(n[g], lane, a, firsts[i])
            obs[i, 0] = hot_c[0, lane]
            _see(f[g], n[g], lane, a, b, gpu, domain, slot, totals[i, batch[i]], obs[i])
            done = float(obs[i, 5])
            late = (n[g, a.t_ns, lane] - seen_ns[i]) * 1e-9 / WORTHLESS_S
            row[REWARD_A] = PROGRESS_WEIGHT * (done - progress[i] - late)
            row[REWARD_B] = -CAP_WEIGHT * row[OVER_CAP]
            progress[i] = done
            seen_ns[i] = n[g, a.t_ns, lane]
            rewards[i] = row[REWARD_A] + row[REWARD_B]
            over[i] = (ended >> lane) & 1 != 0


@merged
def _see(
    f: Any, n: Any, lane: int, at: Any, b: Any, gpu: int, domain: int, slot: int, total: float,
    obs: Any,
) -> None:  # fmt: skip
    """The observation of one board but for heat and batch; see `look` of training.py.

    total: samples in all with the batch size that runs.
    """
    drawn_w = f[at.rail_w + b.input_rail, lane]
    obs[1] = 0.0 if np.isnan(drawn_w) else min(max(drawn_w, 0.0), POWER_LIMIT_W)
    obs[2] = min(f[at.cap_w, lane], POWER_LIMIT_W)
    obs[3] = b.freq_hz[domain, n[at.level + domain, lane]] / b.freq_hz[domain, b.levels[domain] - 1]
    obs[5] = 1.0 if n[at.finished, lane] > 0 else 0.0
    obs[6] = 0.0
    if slot >= 0:
        obs[5] = 1.0 - f[at.job_left + slot, lane] / total
        obs[6] = min(f[at.job_rate + slot, lane], TOTAL_RATE_LIMIT)
    obs[7] = min(1.0, f[at.busy + gpu, lane])
    obs[8] = n[at.throttled, lane]
