"""The noise of sensors: standard normal numbers of LANES boards, from their keys and ticks."""

from typing import Any

from hw_models.compiled import merged
from hw_models.lane_bits import even_random, exponent, mantissa
from hw_models.lane_functions import floats, nearest, root, where

_LN2 = 0.6931471805599453
_TWO_PI = 6.283185307179586


@merged
def normal_lanes(key: Any, tick: Any, channel: int) -> Any:
    """What depends on (key, tick, channel) alone, as lanes of float64 (Box-Muller)."""
    counter = (tick * 64 + channel) * 2
    a = even_random(key, counter)
    b = even_random(key, counter + 1)
    return root(-2.0 * _logarithm(1.0 - a)) * _turned(b)


@merged
def _logarithm(x: Any) -> Any:
    """ln x for normal numbers: x = 2^k m with m near 1, and a series in (m - 1) / (m + 1)."""
    m = mantissa(x)
    is_high = m > 1.4142135623730951
    k = exponent(x) + where(is_high, 1.0, 0.0)
    m = where(is_high, 0.5 * m, m)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = floats(1.0 / 21.0, x)
    p = 1.0 / 17.0 + z * (1.0 / 19.0 + z * p)
    p = 1.0 / 13.0 + z * (1.0 / 15.0 + z * p)
    p = 1.0 / 9.0 + z * (1.0 / 11.0 + z * p)
    p = 1.0 / 5.0 + z * (1.0 / 7.0 + z * p)
    return k * _LN2 + (2.0 * s + 2.0 * s * z * (1.0 / 3.0 + z * p))


@merged
def _turned(turns: Any) -> Any:
    """The cosine of an angle in turns, from 0 to 1: half turns change its sign."""
    halves = nearest(2.0 * turns)
    x = (turns - 0.5 * halves) * _TWO_PI
    z = x * x
    p = 1.0 / 2432902008176640000.0 - z * (1.0 / 1124000727777607680000.0)
    p = 1.0 / 20922789888000.0 - z * (1.0 / 6402373705728000.0 - z * p)
    p = 1.0 / 479001600.0 - z * (1.0 / 87178291200.0 - z * p)
    p = 1.0 / 40320.0 - z * (1.0 / 3628800.0 - z * p)
    p = 1.0 / 24.0 - z * (1.0 / 720.0 - z * p)
    cosine = 1.0 - z * (0.5 - z * p)
    return where(halves == 1.0, -cosine, cosine)
