"""edgetwin/Thermal-v0 for many boards at once."""

from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.envs.board_env import BoardEnv
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
from edgetwin.kernel.batch_orders import mark_group, migrate_board, over_group
from edgetwin.kernel.batch_read import (
    QOS,
    REWARD_A,
    REWARD_B,
    all_seen,
    hottest_lanes,
    read_group,
    write_rows,
)
from edgetwin.kernel.control import USERSPACE
from edgetwin.kernel.state import NEVER
from edgetwin.scenario import Scenario
from hw_models.compiled import free, merged
from hw_models.lane_arrays import lay, peek, turn, unowned
from hw_models.lane_functions import bits, lane_numbers, load, pick, store, where
from hw_models.lanes import LANES
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

    def _act(self, actions: NDArray[np.int64], frozen: Truths, first: int, last: int) -> None:
        batch = self.batch
        begin_steps(
            batch.floats, batch.whole, batch.layout.at, batch.records, batch.groups_per_board,
            first, last, actions, frozen, self._step_ns, self._slots, self._clusters,
        )  # fmt: skip

    def _look(self, seen: Truths, first: int, last: int) -> None:
        batch = self.batch
        look_all(
            batch.floats, batch.whole, batch.layout.at, batch.records, batch.groups_per_board,
            first, last, self._slots, self._obs, batch.readings, self._rewards, self._over, seen,
        )  # fmt: skip


@free
def begin_steps(
    f: Any, n: Any, at: Any, boards: Any, per_board: int, first: int, last: int, actions: Any,
    frozen: Any, step_ns: int, slots: int, clusters: int,
) -> None:  # fmt: skip
    """Migrate, ask for clocks, say when the step ends, in groups first to last - 1.

    Boards in frozen (n_boards,) stand still.

    actions (n_boards, 1 or 1 + clusters) are in their space.
    """
    a = at[0]
    f, n, boards, actions, frozen = unowned((f, n, boards, actions, frozen))
    for g in range(first, last):
        b = boards[g // per_board]
        cores = core_count(b)
        mark_group(f[g], n[g], a)
        t_ns = load(n[g], a.t_ns)
        store(n[g], a.end_ns, where(t_ns < NEVER, t_ns + step_ns, -1))
        for lane in range(min(LANES, len(actions) - g * LANES)):
            i = g * LANES + lane
            if frozen[i]:
                n[g, a.end_ns, lane] = n[g, a.t_ns, lane]
            elif actions.shape[1] > 1 or actions[i, 0] > 0:
                _order(n[g], lane, a, b, actions[i], cores, clusters)
        for d in range(b.domains):
            given = load(n[g], a.governor + d) == USERSPACE
            if bits(given) != 0:
                given = given & (load(n[g], a.end_ns) > load(n[g], a.t_ns))
                request_lanes(n[g], a, b, d, load(n[g], a.fixed + d), given)


@merged
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
    f: Any, n: Any, at: Any, boards: Any, per_board: int, first: int, last: int, slots: int,
    obs: Any, readings: Any, rewards: Any, over: Any, seen: Any,
) -> None:  # fmt: skip
    """Fill observations, readings, rewards and what is over, one row per board that is seen.

    Only those of groups first to last - 1.
    """
    a = at[0]
    f, n, boards, obs, readings = unowned((f, n, boards, obs, readings))
    rewards, over, seen = unowned((rewards, over, seen))
    columns = np.zeros((readings.shape[1], LANES))
    seen_now = np.zeros((obs.shape[1], LANES), np.float32)
    for g in range(first, last):
        b = boards[g // per_board]
        cores = core_count(b)
        are_vectors = cores == LANES and all_seen(g * LANES, seen, obs)
        read_group(f[g], n[g], a, b, columns)
        head = _see(f[g], n[g], a, b, cores, slots, not are_vectors, seen_now, columns)
        write_rows(columns, g * LANES, seen, readings)
        if are_vectors:
            _write(n[g], a, head, slots, seen_now, g * LANES, obs)
        else:
            write_rows(seen_now, g * LANES, seen, obs)
        ended = over_group(n[g], a)
        for lane in range(LANES):
            i = g * LANES + lane
            if i < len(obs) and seen[i]:
                rewards[i] = columns[REWARD_A, lane] + columns[REWARD_B, lane]
                over[i] = (ended >> lane) & 1 != 0


@merged
def _see(
    f: Any, n: Any, at: Any, b: Any, cores: int, slots: int, with_places: bool, obs: Any,
    columns: Any,
) -> int:  # fmt: skip
    """Observations (numbers, LANES) of a group and both terms of its reward; see `look`.

    Returns how many numbers come before those of the slots; without places those are left out.
    """
    hot_c = hottest_lanes(f, at, b)
    store(columns, REWARD_A, (hot_c - REFERENCE_C) * (-1.0 / TEMP_SCALE_K))
    store(columns, REWARD_B, load(columns, QOS) * -QOS_WEIGHT)
    store(obs, 0, hot_c)
    k = 1
    for d in range(b.unit_domain[cores - 1] + 1):
        hz = pick(b.freq_hz[d], load(n, at.level + d))
        store(obs, k, hz / b.freq_hz[d, b.levels[d] - 1])
        k += 1
    for c in range(cores):
        store(obs, k, min(load(f, at.busy + c), 1.0))
        k += 1
    head = k
    for j in range(slots):
        unit = load(n, at.job_unit + j)
        runs = unit >= 0
        target = load(f, at.job_target + j)
        ratio = where(target > 0.0, load(f, at.job_rate + j) / target, 1.0)
        l2d = load(f, at.job_l2d_rate + j) * 1e-9
        store(obs, k, where(runs, min(max(ratio, 1e-3), RATE_LIMIT), 0.0))
        store(obs, k + 1, where(runs, min(target * 1e-9, RATE_LIMIT), 0.0))
        store(obs, k + 2, where(runs, min(l2d, RATE_LIMIT), 0.0))
        if with_places:
            for c in range(cores):
                store(obs, k + PER_SLOT + c, where(unit == c, 1.0, 0.0))
        k += PER_SLOT + cores
    return head


@merged
def _write(n: Any, at: Any, head: int, slots: int, seen: Any, first: int, obs: Any) -> None:
    """Write what a group of boards with LANES cores has seen to the rows of obs from first on.

    The place of a job among as many cores as lanes is a vector as it stands: it need not be turned.
    """
    turn(seen, 0, obs, first, 0)
    turn(seen, head - LANES, obs, first, head - LANES)
    for j in range(slots):
        k = head + j * (PER_SLOT + LANES)
        turn(seen, k, obs, first, k)  # of these PER_SLOT count
        for lane in range(LANES):
            place = where(lane_numbers() == peek(n, at.job_unit + j, lane), 1.0, 0.0)
            lay(place, obs, first + lane, k + PER_SLOT)
