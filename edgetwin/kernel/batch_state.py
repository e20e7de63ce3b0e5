"""The state of many boards: the fields of the scalar state as rows over LANES boards.

A group of LANES boards is a block of floats (float_rows, LANES) and one of whole numbers
(whole_rows, LANES). Only rows that the board has are kept, so a HiKey 970 takes 5 kB and not 7.
"""

from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.state import SLOTS, STATE_DTYPE
from hw_models.compiled import jit
from hw_models.lane_functions import load, pick, place, store
from hw_models.lanes import LANES
from hw_models.lowering import Lowered

Block = NDArray[Any]
_LINE = 64

# Fields of the scalar state by what they have one number for; the others are single numbers.
_BY = {
    "domains": (
        "governor", "fixed", "ceiling", "refused", "level", "target", "switch_ns", "trip_cap",
        "domain_busy", "domain_need_hz", "skip",
    ),
    "units": ("online", "busy", "busy_s", "busy_mark_s", "peak_activity"),
    "parts": ("activity", "power_w", "gain_w", "leak_w", "energy_j"),
    "nodes": ("modes", "push", "modes_integral"),
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
# What changes, or is looked at, while clocks, phases and migrations follow one another inside a
# control period; the rest is needed where sensors, governors or plans have their say.
_FLOWING = (
    "t_ns", "tick", "calm", "dirty", "steady", "off", "slots", "fan", "throttled", "level",
    "target", "switch_ns", "online", "event_ns", "end_ns", "ambient_c", "cap_w", "traffic",
    "busy", "busy_s", "modes", "push", "power_w", "gain_w", "leak_w", "energy_j", "peak_extra_w",
    "modes_integral", "aimed_s", "below_s", "throttled_s", "over_cap_s", "overshoot", "peak_w",
    "peak_c", "job_serial", "job_unit", "job_row", "job_hold_ns", "job_event_ns", "job_ends",
    "job_left", "job_phase_left", "job_rate", "job_target", "job_done", "job_below_s",
    "job_l2d_rate",
)  # fmt: skip


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the rows of a board lie; those of jobs come last, SLOTS rows for each field.

    at (1,) of AT_DTYPE: the first row of every field; float_words and whole_words: the word of the
    scalar state that each row holds, -1 for none. rows: eight lists, of floats and of whole numbers
    that flow inside a control period (each without jobs, then the first rows of jobs), then of all.
    """

    at: NDArray[Any]
    float_words: NDArray[np.int64]
    whole_words: NDArray[np.int64]
    rows: tuple[NDArray[np.int64], ...]


def layout_of(lowered: Lowered) -> Layout:
    """The rows of a board of this shape."""
    lengths = {kind: len(getattr(lowered, kind)) for kind in _BY if kind != "slots"}
    length = {name: n for kind, n in (lengths | {"slots": SLOTS}).items() for name in _BY[kind]}
    at = np.full(1, -1, AT_DTYPE)
    words: dict[str, list[int]] = {"f": [], "i": []}
    for name in (*_MORE, *_jobs_last()):
        if name in _MORE:
            at[name] = len(words["i"])
            words["i"].append(-1)
            continue
        assert STATE_DTYPE.fields is not None
        dtype, offset = STATE_DTYPE.fields[name][:2]
        if (name in length) != bool(dtype.shape) and name not in _UNUSED:
            raise ValueError(f"field {name} of the state is not in the batch's list of fields.")
        if name not in _UNUSED:
            rows = words["f" if dtype.base.kind == "f" else "i"]
            at[name] = len(rows)
            rows += range(offset // 8, offset // 8 + length.get(name, 1))
    return Layout(
        at=at,
        float_words=np.array(words["f"], np.int64),
        whole_words=np.array(words["i"], np.int64),
        rows=_row_lists(at, length),
    )


def _row_lists(at: NDArray[Any], length: dict[str, int]) -> tuple[NDArray[np.int64], ...]:
    """Rows that flow and all rows: of floats, first of jobs; of whole numbers, first of jobs."""
    lists: list[list[int]] = [[] for _ in range(8)]
    for name in AT_DTYPE.names or ():
        if name in _UNUSED:
            continue
        first, is_job = int(at[0][name]), name in _BY["slots"]
        k = 0 if is_float(name) else 2
        rows = [first] if is_job else range(first, first + length.get(name, 1))
        lists[4 + k + is_job] += rows
        if name in _FLOWING:
            lists[k + is_job] += rows
    return tuple(np.array(rows, np.int64) for rows in lists)


def is_float(name: str) -> bool:
    """Is this field of the state one of floats?"""
    return name in (STATE_DTYPE.names or ()) and STATE_DTYPE[name].base.kind == "f"


def _jobs_last() -> tuple[str, ...]:
    """Fields of the scalar state, those of jobs behind the others."""
    names = STATE_DTYPE.names or ()
    return (*(name for name in names if name not in _BY["slots"]), *_BY["slots"])


def new_blocks(layout: Layout, groups: int, dtype: Any) -> tuple[Block, Block]:
    """Floats (groups, float_rows, LANES) and whole numbers (groups, whole_rows, LANES), zero."""
    return (
        lane_rows((groups, len(layout.float_words), LANES), dtype),
        lane_rows((groups, len(layout.whole_words), LANES), np.int64),
    )


def lane_rows(shape: tuple[int, ...], dtype: Any = np.float64) -> Block:
    """Zeros whose rows of LANES numbers each lie in one line of the cache (64 bytes).

    Rows that begin anywhere lie in two: the thermal step then takes a quarter longer.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    room = np.zeros(size + _LINE, np.uint8)
    first = -room.ctypes.data % _LINE
    return room[first : first + size].view(dtype).reshape(shape)


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
def gather_rows(rows: Any, jobs: Any, slots: int, of: Any, first: Any, small: Any) -> None:
    """Copy boards into a small block (rows, LANES).

    of: a block as one dimension; first: lanes, where in it the first number of every board lies.
    rows: which rows; jobs: first rows of fields of jobs, of which the first `slots` rows count.
    """
    for row in rows:
        store(small, row, pick(of, first + row * LANES))
    for job_row in jobs:
        for row in range(job_row, job_row + slots):
            store(small, row, pick(of, first + row * LANES))


@jit
def scatter_rows(rows: Any, jobs: Any, slots: int, of: Any, first: Any, small: Any) -> None:
    """Copy a small block back to where `gather_rows` took it from.

    Of lanes that came from one board the first counts.
    """
    for row in rows:
        place(of, first + row * LANES, load(small, row))
    for job_row in jobs:
        for row in range(job_row, job_row + slots):
            place(of, first + row * LANES, load(small, row))
