"""Compiled parts that every task shares: the block of numbers behind `info`."""

import math
from typing import Any

import numpy as np

from edgetwin.envs.calibration import calibration_entry
from edgetwin.envs.info import Block, Entries
from edgetwin.kernel.batch_read import (
    CAP_W,
    DROPPED,
    ENERGY_J,
    FAN,
    HEAD,
    OVER_CAP,
    QOS,
    REWARD_A,
    REWARD_B,
    T_S,
    THROTTLED,
)
from edgetwin.simulator import Simulator
from hw_models.compiled import jit


@jit
def mark(s: Any) -> None:
    """Note the counters at the start of a step; `fill_block` reports what has come since."""
    s.mark_below_s = s.below_s
    s.mark_aimed_s = s.aimed_s
    s.mark_over_cap_s = s.over_cap_s
    s.mark_ns = s.t_ns


@jit
def mark_step(state: Any) -> None:
    """`mark` for callers that hold the record (1,)."""
    mark(state[0])


@jit
def hottest_c(s: Any, b: Any) -> float:
    """The highest temperature that a sensor reports, -50 degC if none does."""
    hot_c = -50.0
    for z in range(b.zones):
        hot_c = max(hot_c, s.zone_c[z])
    return min(hot_c, 200.0)


@jit
def fill_block(s: Any, b: Any, block: Any) -> None:
    """Write what the sensors say now behind the head, and the head's common entries."""
    aimed_s = s.aimed_s - s.mark_aimed_s
    step_s = (s.t_ns - s.mark_ns) * 1e-9
    block[QOS] = (s.below_s - s.mark_below_s) / aimed_s if aimed_s > 0.0 else 0.0
    block[OVER_CAP] = (s.over_cap_s - s.mark_over_cap_s) / step_s if step_s > 0.0 else 0.0
    block[T_S] = s.t_ns * 1e-9
    total_j = 0.0
    for p in range(b.parts):
        total_j += s.energy_j[p]
    block[ENERGY_J] = b.drawn_per_w * total_j
    block[THROTTLED] = s.throttled
    block[CAP_W] = s.cap_w
    block[FAN] = s.fan
    k = HEAD
    block[DROPPED] = 0.0
    for z in range(b.zones):
        block[k] = s.zone_c[z]
        if np.isnan(s.zone_c[z]):
            block[DROPPED] = 1.0
        k += 1
    for r in range(b.rails):
        block[k] = s.rail_w[r]
        if np.isnan(s.rail_w[r]):
            block[DROPPED] = 1.0
        k += 1
    for d in range(b.domains):
        block[k] = b.freq_hz[d, s.level[d]]
        k += 1


def block_size(sim: Simulator) -> int:
    """Numbers in a block of this board."""
    low = sim.lowered
    return HEAD + len(low.zones) + len(low.rails) + len(low.domains)


def entries(
    sim: Simulator, rewards: tuple[str, str], backend: str, sampled_how: str | None = None
) -> Entries:
    """The documented keys of `info` and how each is read from a block."""
    low, board = sim.lowered, sim.board
    fan = board.limits.fan is not None
    zones_at = HEAD
    rails_at = zones_at + len(low.zones)
    clocks_at = rails_at + len(low.rails)

    def named(names: tuple[str, ...], at: int) -> Any:
        end = at + len(names)

        def read(block: Block) -> dict[str, float | None]:
            said = block[at:end].tolist()
            if block.item(DROPPED):
                said = [None if math.isnan(value) else value for value in said]
            return dict(zip(names, said))  # noqa: B905  as many as names: strict costs a call

        return read

    found: Entries = {
        "t_s": lambda block: block.item(T_S),
        "temps_c": named(low.zones, zones_at),
        "power_w": named(low.rails, rails_at) if low.rails else lambda block: None,
        "energy_j": (lambda block: block.item(ENERGY_J)) if low.rails else lambda block: None,
        "freq_hz": named(low.domains, clocks_at),
        "fan": lambda block: int(block.item(FAN)) if fan else None,
        "throttled": lambda block: bool(block.item(THROTTLED)),
        "cap_w": lambda block: None if math.isinf(block.item(CAP_W)) else block.item(CAP_W),
        "cap_violation": lambda block: block.item(OVER_CAP),
        "qos_violation": lambda block: block.item(QOS),
        rewards[0]: lambda block: block.item(REWARD_A),
        rewards[1]: lambda block: block.item(REWARD_B),
        "backend": lambda block: backend,
    }
    found["calibration"] = calibration_entry(board, sampled_how, found)
    return found
