"""One search for every method: the same number of settings, on the same other seeds.

A method says what it leaves open: rates on a logarithmic scale, and choices. Points of a Halton
sequence are spread over that, all are tried on one seed, and the best quarter on further ones.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

Settings = dict[str, Any]
Name = Any
Trial = tuple[Name, Settings, int]
Costs = Sequence[float]

TUNING_SEED: Final = 1000
"""Seeds from here on are for the search alone."""

JUDGED_SEED: Final = 100
"""Seeds from here on are judged, and nothing was chosen with them."""

KEPT: Final = 4  # one in so many settings is tried on further seeds


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What a method leaves open: ranges (low, high) of rates by name, choices, and what makes
    settings of one value each."""

    ranges: Mapping[str, tuple[float, float]]
    choices: Sequence[Any]
    make: Callable[[Mapping[str, float], Any], Settings]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is spent on a method: settings tried, on how many seeds the best of them, seeds
    that are judged, FLOPs a run."""

    settings: int
    tuning_seeds: int
    seeds: int
    budget_flops: float


def candidates(space: Space, n: int) -> list[Settings]:
    """n settings spread over a space; rates have three digits."""
    from scipy.stats.qmc import Halton

    points = Halton(len(space.ranges) + 1, scramble=False).random(n + 1)[1:]
    return [_settings(space, point) for point in points]


def _settings(space: Space, point: NDArray[np.float64]) -> Settings:
    """The first coordinate, whose digits are the most regular, chooses."""
    choice = space.choices[int(point[0] * len(space.choices))]
    rates = {
        name: float(f"{low * (high / low) ** share:.3g}")
        for (name, (low, high)), share in zip(space.ranges.items(), point[1:], strict=True)
    }
    return space.make(rates, choice)


def best_of(
    tried: Mapping[Name, Sequence[Settings]], effort: Effort, cost: Callable[[list[Trial]], Costs]
) -> dict[Name, Settings]:
    """By name the settings with the least mean cost; those of all names are tried together.

    `cost` takes trials (name, settings, seed).
    """
    first = _costs(cost, [(name, one, TUNING_SEED) for name in tried for one in tried[name]])
    found, further = {}, range(TUNING_SEED + 1, TUNING_SEED + effort.tuning_seeds)
    ends = np.cumsum([len(some) for some in tried.values()])[:-1]
    by_name = dict(zip(tried, np.split(first, ends), strict=True))
    places = {
        name: np.argsort(own, kind="stable")[: max(1, len(own) // KEPT)]
        for name, own in by_name.items()
    }
    again = [
        (name, tried[name][k], seed) for name in tried for k in places[name] for seed in further
    ]
    rest = iter(_costs(cost, again))
    for name in tried:
        means = [by_name[name][k] + sum(next(rest) for _ in further) for k in places[name]]
        found[name] = tried[name][int(places[name][int(np.argmin(means))])]
    return found


def _costs(cost: Callable[[list[Trial]], Costs], trials: list[Trial]) -> NDArray[np.float64]:
    return np.array(cost(trials), float)
