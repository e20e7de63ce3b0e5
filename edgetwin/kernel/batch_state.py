"""The state of many boards: the fields of the scalar state as rows over LANES boards.

A group of LANES boards is a block of floats (float_rows, LANES) and one of whole numbers
(whole_rows, LANES). Only rows that the board has are kept, so a HiKey 970 takes 5 kB and not 7.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgetwin.kernel.lanes import LANES
from edgetwin.kernel.state import SLOTS, STATE_DTYPE
from hw_models.compiled import jit
from hw_models.lowering import Lowered

Block = NDArray[Any]

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
_UNUSED = ("change_w",)
# What a batch knows of a board beyond the scalar state, which leaves these to Python: the next
# event of its plan, the end of its list, when it comes (or NEVER); jobs that ended, wait, are yet
# to come; 1 if the run ends with its jobs; when to stop; the plan's entry of the job in each slot.
_MORE = (
    "event_next", "event_end", "event_ns", "finished", "waiting", "to_come", "until_done",
    "end_ns", "job_entry",
)  # fmt: skip
AT_DTYPE = np.dtype([(name, "i8") for name in (*(STATE_DTYPE.names or ()), *_MORE)])


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the rows of a board lie.

    at (1,) of AT_DTYPE: the first row of every field; float_words and whole_words: the word of the
    scalar state that each row holds, -1 for none.
    """

    at: NDArray[Any]
    float_words: NDArray[np.int64]
    whole_words: NDArray[np.int64]


def layout_of(lowered: Lowered) -> Layout:
    """The rows of a board of this shape."""
    lengths = {kind: len(getattr(lowered, kind)) for kind in _BY if kind != "slots"}
    length = {name: n for kind, n in (lengths | {"slots": SLOTS}).items() for name in _BY[kind]}
    at = np.full(1, -1, AT_DTYPE)
    words: dict[str, list[int]] = {"f": [], "i": []}
    for name in STATE_DTYPE.names or ():
        assert STATE_DTYPE.fields is not None
        dtype, offset = STATE_DTYPE.fields[name][:2]
        if (name in length) != bool(dtype.shape) and name not in _UNUSED:
            raise ValueError(f"field {name} of the state is not in the batch's list of fields.")
        if name not in _UNUSED:
            rows = words["f" if dtype.base.kind == "f" else "i"]
            at[name] = len(rows)
            rows += range(offset // 8, offset // 8 + length.get(name, 1))
    for name in _MORE:
        at[name] = len(words["i"])
        words["i"] += [-1] * (SLOTS if name == "job_entry" else 1)
    return Layout(
        at=at,
        float_words=np.array(words["f"], np.int64),
        whole_words=np.array(words["i"], np.int64),
    )


def new_blocks(layout: Layout, groups: int, dtype: Any) -> tuple[Block, Block]:
    """Floats (groups, float_rows, LANES) and whole numbers (groups, whole_rows, LANES), zero."""
    return (
        np.zeros((groups, len(layout.float_words), LANES), dtype),
        np.zeros((groups, len(layout.whole_words), LANES), np.int64),
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
