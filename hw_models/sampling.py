"""Boards that could as well be this one: its numbers drawn from what is known about them.

The law is a normal distribution around the file's numbers, truncated to the physical bounds of
each. With a certificate its covariance is that of the fit, and numbers that were not fitted stay:
the covariance holds given them. Without one, and beside one of grade C (from documents), every
number of clocks (voltages), power, heat (not
the room's temperature), speed and sensor offsets varies by its own std; the entries of a list
that a clock or a fan steps through move together, since a higher clock that needs less voltage is
no board. Where such a list ascends in the file, it ascends in the draw.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from hw_models.board_checks import POSITIVE, SIGNED, quantities
from hw_models.parameters import std_at, value_at

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.certificate import Certificate

Array = NDArray[np.float64]
How = Literal["covariance", "independent"]

_VARIED: Final = re.compile(
    r"(clocks\..*\.volts_v|power\..*|thermal\.(?!ambient_c).*|performance\..*"
    r"|sensors\.zones\..*\.offset_k)"
)
_SHARES: Final = {"stall_activity", "efficiency", "forward_efficiency", "share"}
_ENTRY_BY_ENTRY: Final = "capacity_j_per_k"
# What must be positive stays above this share of the file's number.
_LEAST_SHARE: Final = 0.05
_TRIES: Final = 64
_SWEEPS: Final = 8
_NORMAL: Final = NormalDist()


@final
@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Numbers of a board as `center + factor @ z`, z standard normal, kept within low and high.

    center, low, high are (n,), factor (n, k); `rows` has for each column the rows it moves.
    `ascending` are the entries of lists that must not descend.
    """

    how: How
    paths: tuple[str, ...]
    center: Array
    factor: Array
    low: Array
    high: Array
    rows: tuple[NDArray[np.int64], ...]
    ascending: tuple[NDArray[np.int64], ...]
    beside: "Posterior | None" = None

    def draw(self, rng: np.random.Generator) -> dict[str, float]:
        """One draw of all numbers by path.

        Whole draws outside the bounds are drawn again; where bounds are so near that this fails,
        the coordinates are drawn one after the other within what the bounds leave (Gibbs).
        """
        values = self._alone(rng) if self.how == "independent" else self._rejected(rng)
        if values is None:
            values = self._gibbs(rng)
        for entries in self.ascending:
            values[entries] = np.maximum.accumulate(values[entries])
        found = dict(zip(self.paths, values.tolist(), strict=True))
        return found if self.beside is None else found | self.beside.draw(rng)

    @cached_property
    def _spans(self) -> list[tuple[float, float]]:
        """Between which values every coordinate keeps to the bounds while the others are 0."""
        return [self._span(self.center[rows], self.factor[rows, k], rows)
                for k, rows in enumerate(self.rows)]  # fmt: skip

    def _span(self, base: Array, step: Array, rows: NDArray[np.int64]) -> tuple[float, float]:
        ends = np.stack([self.low[rows] - base, self.high[rows] - base]) / step
        return float(np.min(ends, axis=0).max()), float(np.max(ends, axis=0).min())

    def _alone(self, rng: np.random.Generator) -> Array:
        """Every column moves rows of its own: each coordinate is drawn by itself."""
        u = rng.random(len(self.rows)).tolist()
        z = [_truncated(x, *span) for x, span in zip(u, self._spans, strict=True)]
        return np.asarray(np.clip(self.center + self.factor @ np.array(z), self.low, self.high))

    def _rejected(self, rng: np.random.Generator) -> Array | None:
        z = rng.standard_normal((_TRIES, self.factor.shape[1]))
        values = self.center + z @ self.factor.T
        fits = np.flatnonzero(((values >= self.low) & (values <= self.high)).all(axis=1))
        return values[fits[0]] if len(fits) else None

    def _gibbs(self, rng: np.random.Generator) -> Array:
        """Sweeps over all coordinates, which start at the center and forget it."""
        values, z = self.center.copy(), np.zeros(self.factor.shape[1])
        for _ in range(_SWEEPS):
            u = rng.random(len(z))
            for k, rows in enumerate(self.rows):
                step = self.factor[rows, k]
                base = values[rows] - step * z[k]
                below, above = self._span(base, step, rows)
                z[k] = _truncated(u[k], min(below, z[k]), max(above, z[k]))
                values[rows] = np.clip(base + step * z[k], self.low[rows], self.high[rows])
        return values


def posterior(
    board: "Board", certificate: "Certificate | None", without: Sequence[str] = ()
) -> Posterior:
    """What is known about a board's numbers, some left out, ready to be drawn from."""
    beside = None
    if certificate is None:
        paths, factor = _independent(board, without)
        bounds = [_bounds(board, path) for path in paths]
    else:
        paths = tuple(p.path for p in certificate.parameters)
        factor = _root(np.array(certificate.covariance))
        bounds = [_within(_bounds(board, p.path), p.low, p.high) for p in certificate.parameters]
        beside = posterior(board, None, paths) if certificate.grade == "C" else None
    center = np.array([value_at(board, path) for path in paths])
    low, high = np.array(bounds).reshape(-1, 2).T
    return Posterior(
        how="independent" if certificate is None else "covariance",
        paths=paths,
        center=center,
        factor=factor,
        low=np.minimum(low, center),
        high=np.maximum(high, center),
        rows=tuple(np.flatnonzero(column) for column in factor.T),
        ascending=tuple(_ascending(board, paths)),
        beside=beside,
    )


def _truncated(u: float, low: float, high: float) -> float:
    """A standard normal number between low and high, from u uniform in [0, 1)."""
    if low > 0.0:  # the upper tail is better resolved from below
        return -_truncated(u, -high, -low)
    at_low, at_high = _NORMAL.cdf(low), _NORMAL.cdf(high)
    share = min(max(at_low + u * (at_high - at_low), 1e-300), 1.0 - 1e-16)
    return min(max(_NORMAL.inv_cdf(share), low), high)


def _independent(board: "Board", without: Sequence[str]) -> tuple[tuple[str, ...], Array]:
    """Paths and one column for every number that varies alone, or list that varies as one."""
    groups = [group for group in _groups(board) if not {*group} & {*without}]
    paths = tuple(path for group in groups for path in group)
    factor = np.zeros((len(paths), len(groups)))
    row = 0
    for k, group in enumerate(groups):
        factor[row : row + len(group), k] = [std_at(board, path) for path in group]
        row += len(group)
    return paths, factor


def _groups(board: "Board") -> Iterator[tuple[str, ...]]:
    for at, quantity in quantities(board):
        if not _VARIED.fullmatch(at) or not np.any(np.asarray(quantity.std)):
            continue
        if not np.ndim(quantity.value):
            yield (at,)
            continue
        entries = tuple(f"{at}[{i}]" for i in range(len(quantity.array)))
        if at.endswith(_ENTRY_BY_ENTRY):
            yield from ((entry,) for entry in entries if std_at(board, entry))
        else:
            yield entries


def _bounds(board: "Board", path: str) -> tuple[float, float]:
    """What a number can be on any board: positive, not negative, a share, or anything."""
    key = path.rsplit(".", 1)[-1].split("[", maxsplit=1)[0]
    if key in SIGNED:
        return -np.inf, np.inf
    low = _LEAST_SHARE * value_at(board, path) if key in POSITIVE else 0.0
    return low, 1.0 if key in _SHARES else np.inf


def _within(
    bounds: tuple[float, float], low: float | None, high: float | None
) -> tuple[float, float]:
    return (
        bounds[0] if low is None else max(bounds[0], low),
        bounds[1] if high is None else min(bounds[1], high),
    )


def _root(covariance: Array) -> Array:
    """A factor F with F F' = covariance; directions of rounding noise are left out."""
    scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    unit = np.where(scale > 0.0, scale, 1.0)
    size, axes = np.linalg.eigh(covariance / np.outer(unit, unit))
    kept = size > 1e-12
    return np.asarray(unit[:, None] * axes[:, kept] * np.sqrt(size[kept]))


def _ascending(board: "Board", paths: Sequence[str]) -> Iterator[NDArray[np.int64]]:
    """Entries of the lists by clock or fan level that ascend in the file."""
    lists: dict[str, list[int]] = {}
    for row, path in enumerate(paths):
        if path.endswith("]") and _ENTRY_BY_ENTRY not in path:
            lists.setdefault(path.rsplit("[", 1)[0], []).append(row)
    for rows in lists.values():
        if np.all(np.diff([value_at(board, paths[row]) for row in rows]) >= 0.0):
            yield np.array(rows)
