"""What the sensors of many boards make of the truth: averages, rounding, noise, faults."""

import math

import torch
from torch import Tensor

from edgetwin.kernel.state import DROPPED, HEALTHY
from edgetwin.kernel_gpu.boards import Boards
from edgetwin.kernel_gpu.fields import Tensors, in_seconds, merged
from edgetwin.kernel_gpu.heat import zones_c


def sample(s: Tensors, b: Boards, mask: Tensor) -> Tensors:
    """Read every sensor that is due at the tick of each board (n,)."""
    tick = s["sampled"]
    new = _zones(s, b, tick) | {"sampled": tick + 1}
    if b.sizes.rails:
        new |= _rails(s, b, tick)
    return merged(s, mask, new)


def _zones(s: Tensors, b: Boards, tick: Tensor) -> Tensors:
    """What the temperature sensors say now."""
    c = zones_c(s, b) + b.own["zone_offset_k"]
    c = c + b.own["zone_noise_k"] * _noise(s, b, tick, 0, b.sizes.zones)
    due = (tick[:, None] % b.fixed["zone_ticks"] == 0) & (s["zone_fault"] == HEALTHY)
    said = torch.where(due, rounded(c, b.own["zone_step_k"]), s["zone_c"])
    return {"zone_c": torch.where(s["zone_fault"] == DROPPED, torch.nan, said)}


def _rails(s: Tensors, b: Boards, tick: Tensor) -> Tensors:
    """Mean power of each rail since its last sample, or the power now when there was none."""
    due = tick[:, None] % b.fixed["rail_ticks"] == 0
    since_s = in_seconds(s["t_ns"][:, None] - s["rail_mark_ns"])
    covers = b.own["rail_covers"]
    energy_j = (covers.to(s["energy_j"].dtype) * s["energy_j"].unsqueeze(1)).sum(2)
    now_w = (covers * (s["power_w"] + s["leak_w"]).unsqueeze(1)).sum(2)
    mean_w = torch.where(since_s > 0.0, (energy_j - s["rail_mark_j"]) / since_s, now_w)
    noise = 1.0 + b.own["rail_noise"] * _noise(s, b, tick, b.sizes.zones, b.sizes.rails)
    said = rounded(mean_w.to(noise.dtype) * noise, b.own["rail_step_w"])
    said = torch.where(s["rail_fault"] == HEALTHY, said, s["rail_w"])
    said = torch.where(s["rail_fault"] == DROPPED, torch.nan, said)
    return {
        "rail_w": torch.where(due, said, s["rail_w"]),
        "rail_mark_j": torch.where(due, energy_j, s["rail_mark_j"]),
        "rail_mark_ns": torch.where(due, s["t_ns"][:, None], s["rail_mark_ns"]),
    }


def rounded(values: Tensor, step: Tensor) -> Tensor:
    """The nearest multiples of a sensor's step; a step of zero does not round."""
    return torch.where(step > 0.0, step * torch.round(values / step), values)


def _noise(s: Tensors, b: Boards, tick: Tensor, first: int, count: int) -> Tensor:
    """Standard normal numbers of some channels, (n, count); zeros where no sensor is noisy."""
    if not b.noisy:
        return torch.zeros_like(s["modes"][:, :1])
    channels = torch.arange(first, first + count, device=tick.device)
    return gauss(s["key"][:, None], tick[:, None], channels).to(s["modes"].dtype)


def gauss(key: Tensor, tick: Tensor, channel: Tensor) -> Tensor:
    """Standard normal numbers that depend on (key, tick, channel) alone (Box-Muller)."""
    counter = 2 * (tick * 64 + channel)
    a, b = _bits(key, counter), _bits(key, counter + 1)
    return torch.sqrt(-2.0 * torch.log(1.0 - a)) * torch.cos(2.0 * math.pi * b)


def _bits(key: Tensor, counter: Tensor) -> Tensor:
    """splitmix64 of a counter, as a number in [0, 1) (Steele et al. 2014, doi:10.1145/2660193).

    Signed words: products wrap as unsigned ones do, and shifts clear what the sign brings in.
    """
    x = key + (counter + 1) * _signed(0x9E3779B97F4A7C15)
    x = (x ^ _shifted(x, 30)) * _signed(0xBF58476D1CE4E5B9)
    x = (x ^ _shifted(x, 27)) * _signed(0x94D049BB133111EB)
    x = x ^ _shifted(x, 31)
    return _shifted(x, 11).to(torch.float64) * (1.0 / 9007199254740992.0)


def _shifted(x: Tensor, bits: int) -> Tensor:
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
