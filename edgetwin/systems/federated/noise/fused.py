"""The signs of `bits` in one kernel of Triton: what torch needs hundreds of launches for."""

from typing import Final

import triton
import triton.language as tl
from torch import Tensor

_AT_ONCE: Final = 64  # counters a program


# Numbers that differ from call to call must not each compile a kernel of their own.
@triton.jit(do_not_specialize=["low", "high", "block", "number", "start", "counters", "step"])  # type: ignore[untyped-decorator]
def _add(values, low, high, block, number, start, counters, step, at_once: tl.constexpr):  # type: ignore[no-untyped-def]
    """values[128 c + 32 w + b] += step where bit b of word w of counter c is set, else -= step."""
    own = tl.program_id(0) * at_once + tl.arange(0, at_once)
    c0 = (own + start).to(tl.uint32)
    zero = c0 * 0
    k0, k1 = low.to(tl.uint32, bitcast=True), high.to(tl.uint32, bitcast=True)
    words = tl.philox_impl(c0, zero + number.to(tl.uint32), zero + block.to(tl.uint32), zero,
                           k0, k1, 10)  # fmt: skip
    bit = tl.arange(0, 32)
    for w in tl.static_range(4):
        places = values + 128 * own[:, None] + (32 * w + bit)[None, :]
        inside = (own < counters)[:, None]
        is_set = (words[w][:, None] >> bit[None, :].to(tl.uint32)) & 1
        held = tl.load(places, mask=inside)
        tl.store(places, tl.where(is_set != 0, held + step, held - step), mask=inside)


def add_signs(values: Tensor, seed: int, block: int, number: int, step: float, start: int) -> None:
    """values (128 * k,) += step * signs of one perturbation; start is the counter of values[0]."""
    counters = values.numel() // 128
    low, high = (_signed(word) for word in (seed & 0xFFFFFFFF, seed >> 32))
    grid = (triton.cdiv(counters, _AT_ONCE),)
    _add[grid](values, low, high, block, number, start, counters, step, at_once=_AT_ONCE)


def _signed(word: int) -> int:
    """The same 32 bits as a signed number, so that every seed calls one compiled kernel."""
    return word - (1 << 32) if word >> 31 else word
