"""The noise of `bits` in torch's whole-number operations, for weights on any device."""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from edgetwin.systems.federated.noise.bits import PER_COUNTER, Array

_MASK = 0xFFFFFFFF
_CHUNK = 1 << 13  # counters at a time: 2**20 signs, so that noise needs little memory


def philox(counter: tuple[Tensor, int, int, int], seed: int) -> tuple[Tensor, ...]:
    """Philox4x32-10 of many counters: four words (k,) of 32 bits, each in int64."""
    c0 = counter[0]
    c1, c2, c3 = (torch.full_like(c0, value) for value in counter[1:])
    k0, k1 = seed & _MASK, seed >> 32
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2  # wraps; low and high halves are those of uint64
        c0, c1, c2, c3 = (
            ((b >> 32) & _MASK) ^ c1 ^ k0, b & _MASK, ((a >> 32) & _MASK) ^ c3 ^ k1, a & _MASK
        )  # fmt: skip
        k0, k1 = (k0 + 0x9E3779B9) & _MASK, (k1 + 0xBB67AE85) & _MASK
    return c0, c1, c2, c3


def add_noise(
    values: Tensor,
    seed: int,
    block: int,
    first: int,
    steps: Sequence[float],
    *,
    wide: bool = False,
    start: int = 0,
) -> None:
    """As `bits.add_noise`: values (128 * k,) += sum over j of steps[j] * noise of first + j."""
    steps = list(map(float if values.is_floating_point() else int, steps))
    if not wide and _is_fused(values.device):
        from edgetwin.systems.federated.noise.fused import add_signs

        for j, step in enumerate(steps):
            add_signs(values, seed, block, first + j, step, start // PER_COUNTER[wide])
        return
    per = PER_COUNTER[wide]
    for at in range(0, values.numel(), _CHUNK * per):
        part = values[at : at + _CHUNK * per]
        counters = torch.arange(part.numel() // per, device=values.device) + (start + at) // per
        for j, step in enumerate(steps):
            words = torch.stack(philox((counters, first + j, block, 0), seed), 1)
            made = _sums(words) if wide else _signs(words)
            part.add_(made.reshape(-1).to(values.dtype), alpha=step)


def add_all_noise(
    values: Tensor, seeds: Sequence[int], block: int, steps: Array, *, wide: bool = False
) -> None:
    """As `bits.add_all_noise`."""
    for seed, some in zip(seeds, steps.tolist(), strict=True):
        add_noise(values, seed, block, 0, some, wide=wide)


@cache
def _is_fused(device: torch.device) -> bool:
    from edgetwin.kernel_gpu.devices import fusing_pays

    return fusing_pays(device)


def _signs(words: Tensor) -> Tensor:
    """(k, 4) words as (k, 4, 32) signs, lowest bit first."""
    shifts = torch.arange(32, device=words.device)
    return ((words[:, :, None] >> shifts) & 1) * 2 - 1


def _sums(words: Tensor) -> Tensor:
    """(k, 4) words as (k, 4, 2) sums of 16 signs."""
    return _signs(words).reshape(len(words), 4, 2, 16).sum(-1)
