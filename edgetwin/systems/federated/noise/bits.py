"""Noise by counter: bit i of a perturbation is a function of seed, block, number and i alone.

Philox4x32-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405) turns a counter of four words and a
key of two into 128 random bits, on every device the same. The key is the seed; the counter is
(i // 128, perturbation, block, purpose), so no two perturbations of a seed ever share bits.
`on_device` says the same in torch operations, for weights that live on an accelerator.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgetwin.systems.federated.noise.expand import add_word
from hw_models.compiled import inline, jit

NOISE, SEED, ROUNDING, POOL, DRAW = range(5)
"""Purposes: what a counter's bits are for."""

PER_COUNTER: Final = (128, 8)
"""Values that 128 bits make: signs, or sums of 16 signs."""

_POP = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1) * 2.0 - 8.0
_POPS = {np.dtype(kind): _POP.astype(kind) for kind in (np.float32, np.int32)}
"""Sum of the eight signs in a byte, (256,)."""

_MASK = 0xFFFFFFFF
_LANES = 16  # counters whose bits are made at once


@inline
def _round(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    a = np.uint64(0xD2511F53) * c0
    b = np.uint64(0xCD9E8D57) * c2
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    return (b >> half) ^ c1 ^ k0, b & mask, (a >> half) ^ c3 ^ k1, a & mask


@jit
def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Four words of 32 random bits, each as uint64; all arguments uint64 below 2**32."""
    mask = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
        k0 = (k0 + np.uint64(0x9E3779B9)) & mask
        k1 = (k1 + np.uint64(0xBB67AE85)) & mask
    return c0, c1, c2, c3


@jit
def _many(c: Any, key: Any, block: int, number: int, start: int) -> None:
    """`philox` of neighbouring counters at once: c (4, lanes) gets their words.

    Lane by lane in the innermost loop, which the compiler turns into vectors.
    """
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    lanes = c.shape[1]
    for i in range(lanes):
        c[0, i], c[1, i] = np.uint64(start + i), np.uint64(number)
        c[2, i], c[3, i] = np.uint64(block), np.uint64(0)
    k0, k1 = key[0], key[1]
    for _ in range(10):
        for i in range(lanes):
            a = np.uint64(0xD2511F53) * (c[0, i] & mask)
            b = np.uint64(0xCD9E8D57) * (c[2, i] & mask)
            x, y = (b >> half) ^ c[1, i] ^ k0, (a >> half) ^ c[3, i] ^ k1
            c[0, i], c[1, i], c[2, i], c[3, i] = x, b & mask, y, a & mask
        k0 = (k0 + np.uint64(0x9E3779B9)) & mask
        k1 = (k1 + np.uint64(0xBB67AE85)) & mask


@jit
def add_signs(values: Any, key: Any, block: int, first: int, steps: Any, start: int) -> None:
    """values (128 * k,) += sum over j of steps[j] * signs of perturbation first + j.

    key (2,) uint64, steps of the values' type, start the counter of values[0].
    """
    c = np.empty((4, _LANES), np.uint64)
    counters = len(values) // 128
    for q in range(0, counters, _LANES):
        for j in range(len(steps)):
            _many(c, key, block, first + j, start + q)
            for i in range(min(_LANES, counters - q)):
                for w in range(4):
                    add_word(values, 128 * (q + i) + 32 * w, c[w, i], steps[j])


@jit
def add_sums(
    values: Any, key: Any, block: int, first: int, steps: Any, start: int, pops: Any
) -> None:
    """As `add_signs` with sums of 16 signs in place of one; values (8 * k,)."""
    at_block, none = np.uint64(block), np.uint64(0)
    for q in range(len(values) // 8):
        for j in range(len(steps)):
            number, at = np.uint64(first + j), np.uint64(start + q)
            words = philox(at, number, at_block, none, key[0], key[1])
            for t in range(8):
                half = (words[t // 2] >> np.uint64(16 * (t % 2))) & np.uint64(0xFFFF)
                total = pops[half & np.uint64(255)] + pops[half >> np.uint64(8)]
                values[8 * q + t] += steps[j] * total


def add_noise(
    values: NDArray[Any],
    seed: int,
    block: int,
    first: int,
    steps: Sequence[float],
    *,
    wide: bool = False,
    start: int = 0,
) -> None:
    """values += sum of steps[j] * noise of perturbation first + j; float32 or int32, padded.

    Their number is a multiple of 128, and start that of the first one. wide takes sums of 16
    signs (variance 16, nearly Gaussian) in place of signs.
    """
    key, scaled = key_of(seed), np.array(steps, values.dtype)
    if wide:
        add_sums(values, key, block, first, scaled, start // 8, _POPS[values.dtype])
    else:
        add_signs(values, key, block, first, scaled, start // 128)


@lru_cache(maxsize=64)
def key_of(seed: int) -> NDArray[np.uint64]:
    """A seed of 64 bits as the two words of a key; ValueError for one that is not."""
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed}; give a whole number from 0 to 2**64 - 1.")
    return np.array([seed & _MASK, seed >> 32], np.uint64)


def words(seed: int, purpose: int, first: int = 0, second: int = 0, third: int = 0) -> list[int]:
    """Four random words of 32 bits for a purpose of our own, numbered by up to three indices."""
    c0, c1, c2, c3 = (np.uint64(x) for x in (first, second, third, purpose))
    return [int(w) for w in philox(c0, c1, c2, c3, *key_of(seed))]


def derived_seed(seed: int, first: int, second: int = 0, third: int = 0) -> int:
    """A seed of 64 bits from another one and up to three indices.

    >>> derived_seed(7, 0, 1) != derived_seed(7, 1, 0)
    True
    """
    low, high, *_ = words(seed, SEED, first, second, third)
    return high << 32 | low


def drawn(seed: int, first: int, second: int, n: int, count: int) -> NDArray[np.int64]:
    """`count` of the numbers below n in random order, without repetition, by seed and two indices.

    ValueError for more than there are.
    """
    if not 0 <= count <= n:
        raise ValueError(f"{count} of {n} numbers; give 0 to {n}.")
    found: NDArray[np.int64] = _shuffled(key_of(seed), first, second, n, count)
    return found


@jit
def _shuffled(key: Any, first: int, second: int, n: int, count: int) -> Any:
    """The first places of a shuffle (Fisher and Yates), one counter a place."""
    order, half = np.arange(n), np.uint64(32)
    at_first, at_second = np.uint64(first), np.uint64(second)
    for i in range(count):
        word, _, _, _ = philox(np.uint64(i), at_first, at_second, np.uint64(DRAW), key[0], key[1])
        j = i + np.int64((word * np.uint64(n - i)) >> half)
        order[i], order[j] = order[j], order[i]
    return order[:count]


def noise(seed: int, block: int, number: int, n: int, wide: bool = False) -> NDArray[np.int32]:
    """One perturbation in whole numbers, (n,): signs, or sums of 16 signs."""
    values = np.zeros(padded(n), np.int32)
    add_noise(values, seed, block, number, [1], wide=wide)
    return values[:n]


def padded(n: int) -> int:
    """The next multiple of 128: room for n values and the rest of the last counter's bits."""
    return -(-n // 128) * 128
