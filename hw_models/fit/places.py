"""Which numbers a fit moves, from where, between which bounds, and on which scale.

A fit works on z: (value - start) / scale, or ln(value / start) / scale for capacities and
conductances, whose errors are shares. The scale is the weak prior: three times the uncertainty
that the board file states, so that z = 0 +- 1 is all the file claims, taken with a grain of salt.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.naming import unknown
from hw_models.parameters import paths, std_at, value_at

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]

WEAK: Final = 3.0
# A standard error on the scale of the fit as large as what the board file says.
NOT_PINNED_STD: Final = 1.0 / WEAK
POWER: Final = (
    "power.units.*",
    "power.domains.*",
    "power.memory.*",
    "power.baseline.*",
    "power.conversion.*",
    "limits.fan.power_w[*]",
)
THERMAL: Final = ("thermal.capacity_j_per_k[*]", "thermal.links[*].*", "thermal.cooling[*].*")
OFFSETS: Final = ("sensors.zones.*.offset_k",)

_SHARE_SPREAD: Final = (0.1, 1.0)
_LOG_KEYS: Final = ("thermal.capacity", "thermal.links", "thermal.cooling")
_SIGNED: Final = ("ambient_c", "temp_c", "reference_c", "offset_k", "coefficients")
_SHARES: Final = ("share", "noise")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One number that a fit may move; prior_std in the number's own unit, around start."""

    path: str
    start: float
    low: float
    high: float
    scale: float
    is_log: bool

    def value(self, z: float) -> float:
        """The number at z."""
        if self.is_log:
            return float(self.start * np.exp(self.scale * z))
        return float(self.start + self.scale * z)

    def z(self, value: float) -> float:
        """Where a number is on the scale of the fit."""
        if self.is_log:
            return float(np.log(value / self.start) / self.scale)
        return (value - self.start) / self.scale

    def slope(self, z: float) -> float:
        """How much the number changes with z, in its own unit."""
        return self.value(z) * self.scale if self.is_log else self.scale

    @property
    def prior_std(self) -> float:
        """The standard deviation of the weak prior, in the number's own unit."""
        return self.start * self.scale if self.is_log else self.scale


def board_places(board: "Board", patterns: Sequence[str]) -> tuple[Place, ...]:
    """The numbers of a board that match a pattern (`*` for anything), in file order.

    A number named in full is moved even if the file calls it exact; patterns leave out those with
    std 0. KeyError for a name or pattern that nothing matches.
    """
    known = list(paths(board))
    for pattern in patterns:
        if not any(_matches(path, pattern) for path in known):
            raise KeyError(unknown(f"number of {board.name}", pattern, known).split(" Known:")[0])
    return tuple(
        place(board, path)
        for path in known
        if path in patterns
        or (std_at(board, path) > 0 and any(_matches(path, pattern) for pattern in patterns))
    )


def usual(board: "Board", patterns: Sequence[str]) -> tuple[str, ...]:
    """Those of some usual patterns that this board has numbers for."""
    known = list(paths(board))
    return tuple(p for p in patterns if any(_matches(path, p) for path in known))


def _matches(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern.replace("[", "[[]"))


def place(board: "Board", path: str) -> Place:
    """The number at a path as a fit moves it; ValueError where nothing says on which scale."""
    value, std = value_at(board, path), std_at(board, path)
    if path.startswith(_LOG_KEYS) and value > 0:
        spread = np.clip(WEAK * (std / value or 0.3), *_SHARE_SPREAD)
        return Place(
            path=path, start=value, low=value / 50, high=value * 50, scale=float(spread),
            is_log=True,
        )  # fmt: skip
    scale = WEAK * (std or 0.3 * abs(value))
    if scale == 0:
        raise ValueError(f"{path} is 0 +- 0; give it a std in the board file to fit it.")
    key = path.split("[", maxsplit=1)[0].rsplit(".", 1)[-1]
    high = value + 10 * scale
    return Place(
        path=path,
        start=value,
        low=value - 10 * scale if key in _SIGNED else 0.0,
        high=min(high, 1.0) if key in _SHARES else high,
        scale=scale,
        is_log=False,
    )


def run_places(
    board: "Board", run: str, ambient_c: float, starts_c: Sequence[float]
) -> Iterator[Place]:
    """What belongs to one run: the air around the board, and where the heat was at its start."""
    std_k = WEAK * max(std_at(board, "thermal.ambient_c"), 1.0)
    yield _degrees(f"runs.{run}.ambient_c", ambient_c, std_k)
    for node, start_c in zip(board.thermal.nodes, starts_c, strict=True):
        yield _degrees(f"runs.{run}.initial_c[{node}]", start_c, _START_K)


_START_K: Final = 5.0


def offset_places(board: "Board", run: str) -> Iterator[Place]:
    """What each zone of one run is off by, beyond the board's own offset."""
    for name, zone in board.sensors.zones.items():
        spread_k = np.max(zone.offset_k.std) or 1.0
        yield _degrees(f"runs.{run}.offset_k.{name}", 0.0, float(spread_k))


def _degrees(path: str, start_c: float, std_k: float) -> Place:
    return Place(
        path=path, start=start_c, low=start_c - 40.0, high=start_c + 40.0, scale=std_k,
        is_log=False,
    )  # fmt: skip
