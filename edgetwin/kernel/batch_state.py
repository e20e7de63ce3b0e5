"""The state of many boards: the fields of the scalar state as rows over LANES boards.

A group of LANES boards is a block of floats (float_rows, LANES) and one of whole numbers
(whole_rows, LANES). Only rows that the board has are kept, so a HiKey 970 takes 5 kB and not 7.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.state import SLOTS, STATE_DTYPE
from hw_models.compiled import jit
from hw_models.lane_arrays import lane_rows, move
from hw_models.lanes import LANES
from hw_models.lowering import Lowered

Block = NDArray[Any]

# Fields of the scalar state by what they have one number for; the others are single numbers.
_BY = {
    "domains": (
        "governor", "fixed", "ceiling", "refused", "level", "target", "switch_ns", "trip_cap",
        "domain_busy", "domain_need_hz", "skip",
    ),
    "units": ("online", "busy", "busy_s", "busy_mark_s", "peak_activity"),
    "parts": ("activity", "power_w", "gain_w", "leak_w", "energy_j", "energy_mark_j"),
    "nodes": ("modes", "push", "modes_mark"),
    "zones": ("zone_c", "zone_fault", "seen_c", "zone_integral", "peak_c"),
    "rails": ("rail_w", "rail_fault", "rail_mark_j", "rail_mark_ns"),
    "slots": (
        "job_serial", "job_unit", "job_first", "job_rows", "job_row", "job_hold_ns",
        "job_event_ns", "job_ends", "job_left", "job_phase_left", "job_rate", "job_target",
        "job_done", "job_alive_s", "job_below_s", "job_l2d_rate", "job_total",
    ),
}  # fmt: skip
# What a batch does not keep: scratch, and of a job what its entry of the plan tells.
_UNUSED = ("change_w", "job_first", "job_rows", "job_total", "job_alive_s")
# What a batch knows of a board beyond the scalar state, which leaves these to Python: the next
# event of its plan, the end of its list, when it comes (or NEVER); jobs that ended, wait, are yet
# to come; 1 if the run ends with its jobs; when to stop.
_MORE = (
    "event_next", "event_end", "event_ns", "finished", "waiting", "to_come", "until_done",
    "end_ns",
)  # fmt: skip
AT_DTYPE = np.dtype([(name, "i8") for name in (*(STATE_DTYPE.names or ()), *_MORE)])
# What counts while clocks, phases and migrations follow one another inside a control period: what
# `refresh_lanes` works out, what changes besides, what is only looked at. The rest is needed where
# sensors, governors or plans have their say.
_WORKED_OUT = (
    "traffic", "busy", "power_w", "gain_w", "leak_w", "push", "peak_extra_w", "job_rate",
    "job_l2d_rate",
)  # fmt: skip
_CHANGES = (
    "t_ns", "calm", "dirty", "steady", "level", "switch_ns", "busy_s", "modes", "energy_j",
    "aimed_s", "below_s", "throttled_s", "over_cap_s", "overshoot", "peak_w",
    "peak_c", "job_unit", "job_row", "job_hold_ns", "job_event_ns", "job_ends", "job_left",
    "job_phase_left", "job_done", "job_below_s",
)  # fmt: skip
_LOOKED_AT = (
    "tick", "off", "slots", "fan", "throttled", "target", "online", "event_ns", "end_ns",
    "ambient_c", "cap_w", "job_serial", "job_target",
)  # fmt: skip


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the rows of a board lie: first what counts inside a period, then the rest, then jobs.

    at (1,) of AT_DTYPE: the first row of every field, of which a field of jobs has SLOTS.
    float_words and whole_words: the word of the scalar state that each row holds, -1 for none.
    flowing, for floats, then for whole numbers: ends (2, 3) of what is worked out, changes and is
    looked at inside a period, in the rows and in the list behind, of first rows of jobs' fields.
    """

    at: NDArray[Any]
    float_words: NDArray[np.int64]
    whole_words: NDArray[np.int64]
    flowing: tuple[NDArray[np.int64], ...]


def layout_of(lowered: Lowered) -> Layout:
    """The rows of a board of this shape."""
    lengths = {kind: len(getattr(lowered, kind)) for kind in _BY if kind != "slots"}
    length = {name: n for kind, n in (lengths | {"slots": SLOTS}).items() for name in _BY[kind]}
    at = np.full(1, -1, AT_DTYPE)
    words: dict[str, list[int]] = {"f": [], "i": []}
    jobs = [name for name in AT_DTYPE.names or () if name in _BY["slots"]]
    single = [name for name in AT_DTYPE.names or () if name not in jobs]
    inside = (_WORKED_OUT, _CHANGES, _LOOKED_AT)
    ends = np.zeros((2, 2, 3), np.int64)
    for kind, names in enumerate(inside):
        for name in single:
            if name in names:
                _add_rows(name, length, at, words)
        ends[:, 0, kind] = len(words["f"]), len(words["i"])
    for name in (*single, *jobs):
        if name not in _UNUSED and at[name][0] < 0:
            _add_rows(name, length, at, words)
    rows: tuple[list[int], list[int]] = ([], [])
    for kind, names in enumerate(inside):
        for name in jobs:
            if name in names:
                rows[not is_float(name)].append(at[0][name])
        ends[:, 1, kind] = len(rows[0]), len(rows[1])
    return Layout(
        at=at,
        float_words=np.array(words["f"], np.int64),
        whole_words=np.array(words["i"], np.int64),
        flowing=(ends[0], np.array(rows[0], np.int64), ends[1], np.array(rows[1], np.int64)),
    )


def _add_rows(
    name: str, length: Mapping[str, int], at: NDArray[Any], words: Mapping[str, list[int]]
) -> None:
    """Give a field its rows, behind those that have theirs."""
    rows = words["f" if is_float(name) else "i"]
    at[name] = len(rows)
    if name in _MORE:
        rows.append(-1)
        return
    assert STATE_DTYPE.fields is not None
    dtype, offset = STATE_DTYPE.fields[name][:2]
    if (name in length) != bool(dtype.shape):
        raise ValueError(f"field {name} of the state is not in the batch's list of fields.")
    rows += range(offset // 8, offset // 8 + length.get(name, 1))


def is_float(name: str) -> bool:
    """Is this field of the state one of floats?"""
    return name in (STATE_DTYPE.names or ()) and STATE_DTYPE[name].base.kind == "f"


def new_blocks(layout: Layout, groups: int, dtype: Any) -> tuple[Block, Block]:
    """Floats (groups, float_rows, LANES) and whole numbers (groups, whole_rows, LANES), zero."""
    return (
        lane_rows((groups, len(layout.float_words), LANES), dtype),
        lane_rows((groups, len(layout.whole_words), LANES), np.int64),
    )


@jit
def take_out(
    f: Any, n: Any, lane: int, float_words: Any, whole_words: Any, real: Any, word: Any
) -> None:
    """Copy one board of a group to the scalar state, given as its words: real, word (words,)."""
    for row in range(len(float_words)):
        real[float_words[row]] = f[row, lane]
    for row in range(len(whole_words)):
        if whole_words[row] >= 0:
            word[whole_words[row]] = n[row, lane]


@jit
def put_back(
    f: Any, n: Any, lane: int, float_words: Any, whole_words: Any, real: Any, word: Any
) -> None:
    """Copy the scalar state, given as its words, to one board of a group."""
    for row in range(len(float_words)):
        f[row, lane] = real[float_words[row]]
    for row in range(len(whole_words)):
        if whole_words[row] >= 0:
            n[row, lane] = word[whole_words[row]]


@jit
def bring_lane(
    ends: Any, jobs: Any, is_dirty: bool, slots: int, of: Any, lane: int, to: Any, to_lane: int
) -> None:
    """Copy what counts inside a period from a lane of one block (rows, LANES) to one of another.

    ends and jobs: see `Layout.flowing`; is_dirty tells that what is worked out will be anew; slots:
    how many jobs.
    """
    for row in range(ends[0, 0] if is_dirty else 0, ends[0, 2]):
        move(of, row, lane, to, to_lane)
    for job in range(ends[1, 0] if is_dirty else 0, ends[1, 2]):
        for row in range(jobs[job], jobs[job] + slots):
            move(of, row, lane, to, to_lane)


@jit
def send_lane(ends: Any, jobs: Any, slots: int, of: Any, lane: int, to: Any, to_lane: int) -> None:
    """Copy back what may have changed inside a period; see `bring_lane`."""
    for row in range(ends[0, 1]):
        move(of, row, lane, to, to_lane)
    for job in range(ends[1, 1]):
        for row in range(jobs[job], jobs[job] + slots):
            move(of, row, lane, to, to_lane)
