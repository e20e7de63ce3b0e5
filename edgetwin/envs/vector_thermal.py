"""edgetwin/Thermal-v0 for many boards at once."""

from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.envs.board_env import BoardEnv
from edgetwin.envs.observe import QOS, REWARD_A, REWARD_B
from edgetwin.envs.thermal import (
    PER_SLOT,
    QOS_WEIGHT,
    RATE_LIMIT,
    REFERENCE_C,
    TEMP_SCALE_K,
    ThermalEnv,
    core_count,
)
from edgetwin.envs.vector_env import BoardVectorEnv, Truths
from edgetwin.kernel.batch_control import request_lanes
from edgetwin.kernel.batch_orders import is_over, mark_board, migrate_board
from edgetwin.kernel.batch_read import read_board
from edgetwin.kernel.control import USERSPACE
from edgetwin.kernel.lanes import LANES, load
from edgetwin.scenario import Scenario
from hw_models.compiled import free, jit
from hw_models.lowering import GOVERNORS


@final
class ThermalVectorEnv(BoardVectorEnv):
    """Many boards of `edgetwin.envs.thermal.ThermalEnv`, which documents spaces and reward."""

    single: ClassVar[type[BoardEnv]] = ThermalEnv

    def _build(self) -> None:
        assert isinstance(self.one, ThermalEnv)
        self._slots = self.one.slots
        self._is_agent = self.one.clocks == "agent"
        self._clusters = len(self.one.clusters)

    def _begin(self, i: int, episode: Scenario) -> None:
        name = "userspace" if self._is_agent else "qos-dvfs"
        group, lane = divmod(i, LANES)
        n, at = self.batch.whole[group], self.batch.at
        for d in range(self._clusters):
            n[at["governor"] + d, lane] = GOVERNORS.index(name)
            n[at["fixed"] + d, lane] = n[at["target"] + d, lane]

    def _act(self, actions: NDArray[np.int64], frozen: Truths) -> None:
        batch = self.batch
        begin_steps(
            batch.floats, batch.whole, batch.layout.at, batch.records, batch.groups_per_board,
            actions, frozen, self._step_ns, self._slots, self._clusters,
        )  # fmt: skip

    def _look(self, seen: Truths) -> None:
        batch = self.batch
        look_all(
            batch.floats, batch.whole, batch.layout.at, batch.records, batch.groups_per_board,
            self._slots, self._obs, batch.readings, self._rewards, self._over, seen,
        )  # fmt: skip


@free
def begin_steps(
    f: Any, n: Any, at: Any, boards: Any, per_board: int, actions: Any, frozen: Any, step_ns: int,
    slots: int, clusters: int,
) -> None:  # fmt: skip
    """Migrate, ask for clocks, say when the step ends; boards in frozen (n_boards,) stand still.

    actions (n_boards, 1 or 1 + clusters) are in their space.
    """
    a = at[0]
    for g in range(len(f)):
        b = boards[g // per_board]
        cores = core_count(b)
        for lane in range(LANES):
            i = g * LANES + lane
            if i >= len(actions):
                break
            mark_board(f[g], n[g], lane, a)
            n[g, a.end_ns, lane] = n[g, a.t_ns, lane]
            if not frozen[i]:
                n[g, a.end_ns, lane] += step_ns
                _order(n[g], lane, a, b, actions[i], cores, clusters)
        for d in range(b.domains):
            given = load(n[g], a.governor + d) == USERSPACE
            runs = load(n[g], a.end_ns) > load(n[g], a.t_ns)
            request_lanes(n[g], a, b, d, load(n[g], a.fixed + d), given & runs)


@jit
def _order(n: Any, lane: int, at: Any, b: Any, action: Any, cores: int, clusters: int) -> None:
    """What the action asks of one board."""
    if len(action) > 1:
        for d in range(clusters):
            n[at.fixed + d, lane] = action[1 + d]
    if action[0] > 0:
        slot = (action[0] - 1) // cores
        core = (action[0] - 1) % cores
        runs = n[at.job_serial + slot, lane] > 0 and n[at.job_unit + slot, lane] >= 0
        if runs and n[at.online + core, lane]:
            migrate_board(n, lane, at, b, slot, core)


@free
def look_all(
    f: Any, n: Any, at: Any, boards: Any, per_board: int, slots: int, obs: Any, readings: Any,
    rewards: Any, over: Any, seen: Any,
) -> None:  # fmt: skip
    """Fill observations, readings, rewards and what is over, one row per board that is seen."""
    a = at[0]
    for g in range(len(f)):
        b = boards[g // per_board]
        cores = core_count(b)
        for lane in range(LANES):
            i = g * LANES + lane
            if i >= len(obs) or not seen[i]:
                continue
            read_board(f[g], n[g], lane, a, b, readings[i])
            rewards[i] = _see(f[g], n[g], lane, a, b, cores, slots, obs[i], readings[i])
            over[i] = is_over(n[g], lane, a)


@jit
def _see(
    f: Any, n: Any, lane: int, at: Any, b: Any, cores: int, slots: int, obs: Any, row: Any
) -> float:
    """The observation of one board and both terms of its reward; see `look` of thermal.py."""
    obs[:] = 0.0
    hot_c = -50.0
    for z in range(b.zones):
        hot_c = max(hot_c, f[at.zone_c + z, lane])
    hot_c = min(hot_c, 200.0)
    row[REWARD_A] = -(hot_c - REFERENCE_C) / TEMP_SCALE_K
    row[REWARD_B] = -QOS_WEIGHT * row[QOS]
    obs[0] = hot_c
    k = 1
    for d in range(b.unit_domain[cores - 1] + 1):
        obs[k] = b.freq_hz[d, n[at.level + d, lane]] / b.freq_hz[d, b.levels[d] - 1]
        k += 1
    for c in range(cores):
        obs[k] = min(1.0, f[at.busy + c, lane])
        k += 1
    for j in range(slots):
        unit = n[at.job_unit + j, lane]
        if unit >= 0:
            target = f[at.job_target + j, lane]
            ratio = f[at.job_rate + j, lane] / target if target > 0.0 else 1.0
            obs[k] = min(RATE_LIMIT, max(ratio, 1e-3))
            obs[k + 1] = min(RATE_LIMIT, target * 1e-9)
            obs[k + 2] = min(RATE_LIMIT, f[at.job_l2d_rate + j, lane] * 1e-9)
            if unit < cores:
                obs[k + PER_SLOT + unit] = 1.0
        k += PER_SLOT + cores
    return row[REWARD_A] + row[REWARD_B]
