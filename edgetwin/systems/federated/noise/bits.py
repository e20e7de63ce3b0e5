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

from edgetwin.systems.federated.noise.expand import add_words, fetch_words
from hw_models.compiled import inline, jit

NOISE, SEED, ROUNDING, POOL, DRAW = range(5)
"""Purposes: what a counter's bits are for."""

PER_COUNTER: Final = (128, 8)
"""Values that 128 bits make: signs, or sums of 16 signs."""

_POP = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1) * 2.0 - 8.0
_POPS = {np.dtype(kind): _POP.astype(kind) for kind in (np.float32, np.int32)}
"""Sum of the eight signs in a byte, (256,)."""

_MASK = 0xFFFFFFFF

Array = NDArray[np.float64]
_LANES = 16  # counters whose bits are made at once
_AHEAD = 256  # values that are on their way while others are added to


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
    """`philox` of neighbouring counters at once: c (4, _LANES) gets their words.

    Rounds inside lanes, so that the compiler keeps words in registers and lanes in vectors.
    """
    mask = np.uint64(0xFFFFFFFF)
    for i in range(_LANES):
        c0, c1, c2, c3 = np.uint64(start + i), np.uint64(number), np.uint64(block), np.uint64(0)
        k0, k1 = np.uint64(key[0]), np.uint64(key[1])
        for _ in range(10):
            c0, c1, c2, c3 = _round(c0 & mask, c1, c2 & mask, c3, k0, k1)
            k0 = (k0 + np.uint64(0x9E3779B9)) & mask
            k1 = (k1 + np.uint64(0xBB67AE85)) & mask
        c[0, i], c[1, i], c[2, i], c[3, i] = c0, c1, c2, c3


@jit
def _add_lanes(values: Any, q: int, c: Any, step: Any) -> None:
    """The signs in c (4, _LANES) go to the values of as many counters, from the q-th on."""
    for i in range(min(_LANES, len(values) // 128 - q)):
        for w in range(4):
            add_words(values, 128 * (q + i) + 32 * w, (c[w, i],), (step,))


@jit
def _add_two_lanes(values: Any, q: int, c: Any, other: Any, steps: Any) -> None:
    """As `_add_lanes` for two perturbations at once."""
    for i in range(min(_LANES, len(values) // 128 - q)):
        for w in range(4):
            add_words(values, 128 * (q + i) + 32 * w, (c[w, i], other[w, i]), steps)


@jit
def add_signs(values: Any, key: Any, block: int, number: int, step: Any, start: int) -> None:
    """values (128 * k,) += step * signs of a perturbation; start is the counter of values[0].

    key has two words.
    """
    c = np.empty((4, _LANES), np.uint64)
    for q in range(0, len(values) // 128, _LANES):
        _many(c, key, block, number, start + q)
        _add_lanes(values, q, c, step)


@jit
def add_kept(values: Any, kept: Any, step: float) -> None:
    """values (32 * k,) += step * the signs kept as bits in words, (k,) uint32."""
    for i in range(len(kept)):
        fetch_words(values, 32 * i + _AHEAD)
        add_words(values, 32 * i, (np.uint64(kept[i]),), (step,))


@jit
def trade_kept(
    values: Any, kept: Any, low: int, high: int, block: int, number: int, held: float, step: float
) -> None:
    """values (128 * k,) -= held * the signs kept, += step * those of a perturbation, kept from now.

    low and high are the words of the key; kept (4 * k,) uint32.
    """
    c, key = np.empty((4, _LANES), np.uint64), (low, high)
    for q in range(0, len(values) // 128, _LANES):
        _many(c, key, block, number, q)
        for i in range(min(_LANES, len(values) // 128 - q)):
            for w in range(4):
                at = 4 * (q + i) + w
                fetch_words(values, 32 * at + _AHEAD)
                pair = (np.uint64(kept[at]), c[w, i])
                add_words(values, 32 * at, pair, (-held, step))
                kept[at] = c[w, i]


@jit
def add_all_signs(values: Any, keys: Any, block: int, steps: Any) -> None:
    """values (128 * k,) += sum over s and j of steps[s, j] * signs of perturbation j of keys[s].

    keys (n, 2) uint64, steps (n, perturbations): values pass through the nearest cache once, and
    two perturbations at a time are added to them.
    """
    c, other = np.empty((4, _LANES), np.uint64), np.empty((4, _LANES), np.uint64)
    many = steps.shape[1]
    for q in range(0, len(values) // 128, _LANES):
        for k in range(0, steps.size - 1, 2):
            s, j, t, i = k // many, k % many, (k + 1) // many, (k + 1) % many
            _many(c, keys[s], block, j, q)
            _many(other, keys[t], block, i, q)
            _add_two_lanes(values, q, c, other, (steps[s, j], steps[t, i]))
        if steps.size % 2:
            _many(c, keys[-1], block, many - 1, q)
            _add_lanes(values, q, c, steps[-1, -1])


@jit
def add_sums(
    values: Any, key: Any, block: int, first: int, steps: Any, start: int, pops: Any
) -> None:
    """As `add_signs` with sums of 16 signs in place of one; values (8 * k,), steps an array."""
    at_block, none = np.uint64(block), np.uint64(0)
    for q in range(len(values) // 8):
        for j in range(len(steps)):
            number, at = np.uint64(first + j), np.uint64(start + q)
            words = philox(at, number, at_block, none, np.uint64(key[0]), np.uint64(key[1]))
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

    Their number is a multiple of 128, and start that of the first one. Steps are all floats or all
    integers. wide takes sums of 16 signs (variance 16, nearly Gaussian) in place of signs.
    """
    key = key_of(seed)
    if wide:
        scaled = np.array(steps, values.dtype)
        add_sums(values, key, block, first, scaled, start // 8, _POPS[values.dtype])
    else:
        for j, step in enumerate(steps):
            add_signs(values, key, block, first + j, step, start // 128)


def add_all_noise(
    values: NDArray[Any], seeds: Sequence[int], block: int, steps: Array, *, wide: bool = False
) -> None:
    """values += sum of steps[s, j] * noise of perturbation j of seeds[s], in one pass if not wide.

    steps (seeds, perturbations).
    """
    if wide:
        for seed, some in zip(seeds, steps.tolist(), strict=True):
            add_noise(values, seed, block, 0, some, wide=True)
    else:
        add_all_signs(values, _keys_of(seeds), block, steps.astype(values.dtype))


@lru_cache(maxsize=64)
def key_of(seed: int) -> tuple[int, int]:
    """A seed of 64 bits as the two words of a key; ValueError for one that is not."""
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed is {seed}; give a whole number from 0 to 2**64 - 1.")
    return seed & _MASK, seed >> 32


def _keys_of(seeds: Sequence[int]) -> NDArray[np.uint64]:
    """Keys of many seeds, (seeds, 2)."""
    return np.array([key_of(seed) for seed in seeds], np.uint64)


@jit
def _words(key: Any, purpose: int, first: int, second: int, third: int) -> Any:
    c0, c1, c2, c3 = np.uint64(first), np.uint64(second), np.uint64(third), np.uint64(purpose)
    return philox(c0, c1, c2, c3, np.uint64(key[0]), np.uint64(key[1]))


def words(
    seed: int, purpose: int, first: int = 0, second: int = 0, third: int = 0
) -> tuple[int, int, int, int]:
    """Four random words of 32 bits for a purpose of our own, numbered by up to three indices."""
    found: tuple[int, int, int, int] = _words(key_of(seed), purpose, first, second, third)
    return found


def chances(seeds: Sequence[int], block: int, count: int) -> Array:
    """Random numbers in [0, 1) by which a block's steps are rounded, (seeds, count)."""
    found: Array = _rounding(_keys_of(seeds), block, count) / 2**32
    return found


@jit
def _rounding(keys: Any, block: int, count: int) -> Any:
    made = np.empty((len(keys), count), np.uint64)
    for s in range(len(keys)):
        for j in range(0, count, 4):
            found = _words(keys[s], ROUNDING, j // 4, block, 0)
            for w in range(min(4, count - j)):
                made[s, j + w] = found[w]
    return made


def derived_seed(seed: int, first: int, second: int = 0, third: int = 0) -> int:
    """A seed of 64 bits from another one and up to three indices.

    >>> derived_seed(7, 0, 1) != derived_seed(7, 1, 0)
    True
    """
    found: int = _seed(key_of(seed), first, second, third)
    return found


@jit
def _seed(key: Any, first: int, second: int, third: int) -> Any:
    low, high, _, _ = _words(key, SEED, first, second, third)
    return high << np.uint64(32) | low


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
    for i in range(count):
        word, _, _, _ = _words(key, DRAW, i, first, second)
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
