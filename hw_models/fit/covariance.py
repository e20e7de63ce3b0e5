"""Error bars that cover: the covariance of a fit whose residuals are correlated in time.

Estimates satisfy J' W r = 0, so that their covariance is A^-1 M A^-1 with A = J' W J + prior and M
the covariance of J' W r. Residuals of one kind are turned into their principal components over the
signals, and each component's autocorrelation, pooled over runs, gives its share of M.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.memory import pooled_lags
from hw_models.fit.problem import HUBER, Block

Array = NDArray[np.float64]

# No direction is better known than by this share of what white noise would leave.
_LEAST: Final = 0.2


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A (p, p) without the prior, M (p, p), covariance (p, p) with the prior, all on the z scale.

    n is the number of residuals, effective_n how many independent ones they are worth.
    """

    information: Array
    meat: Array
    covariance: Array
    n: int
    effective_n: float


def spread(blocks: Sequence[Block], p: int) -> Spread:
    """The covariance of p parameters from the residuals and slopes of all runs."""
    information, meat = np.zeros((p, p)), np.zeros((p, p))
    n, effective = 0, 0.0
    for kind in _kinds([_weighed(block) for block in blocks]):
        basis, lags = _components(kind)
        for block in kind:
            at = np.ix_(block.columns, block.columns)
            is_full = np.abs(block.residuals) < HUBER * np.sqrt(block.worth)
            slopes = (block.slopes * is_full[:, :, None]).reshape(-1, len(block.columns))
            information[at] += slopes.T @ slopes
            meat[at] += _rounding(block)
            turned = np.einsum("nsk,sc->cnk", block.slopes, basis)
            for c in range(basis.shape[1]):
                meat[at] += _between(turned[c], lags[c])
            known = ~np.isnan(block.signals.measured)
            n += int(known.sum())
            effective += float(known.sum(axis=0) @ block.worth)
    full = np.linalg.inv(information + np.eye(p))
    meat = _sane(meat, information)
    return Spread(
        information=information,
        meat=meat,
        covariance=_symmetric(full @ (meat + np.eye(p)) @ full),
        n=n,
        effective_n=max(effective, 1.0),
    )


def _weighed(block: Block) -> Block:
    """Residuals (cut at Huber's bound) and slopes times the root of what each signal is worth."""
    root = np.sqrt(block.worth)
    return replace(
        block,
        residuals=np.clip(block.residuals, -HUBER, HUBER) * root,
        slopes=block.slopes * root[:, None],
    )


def _sane(meat: Array, information: Array) -> Array:
    """M made positive: estimated autocorrelations may promise more than white noise could."""
    root = np.linalg.cholesky(information + np.eye(len(meat)))
    inner = np.linalg.solve(root, np.linalg.solve(root, _symmetric(meat)).T)
    floor = np.linalg.solve(root, np.linalg.solve(root, information).T)
    values, basis = np.linalg.eigh(_symmetric(inner - _LEAST * floor))
    half = root @ basis * np.sqrt(np.maximum(values, 0.0))
    return _symmetric(half @ half.T + _LEAST * information)


def _symmetric(matrix: Array) -> Array:
    return np.asarray(0.5 * (matrix + matrix.T))


def _bias(block: Block) -> tuple[Array, Array]:
    """What rounding leaves behind: mean residuals (n, s), and the cell of each value (n, s).

    A value that stays between the same two steps of its sensor is rounded the same way each time
    it comes back. Cells are half a step of the predicted value; -1 where nothing was measured.
    """
    bias = np.zeros_like(block.residuals)
    cells = np.full(block.residuals.shape, -1)
    for s, step in enumerate(block.signals.step):
        known = ~np.isnan(block.signals.measured[:, s])
        if step <= 0 or not known.any():
            continue
        places = np.round(2.0 * block.said[known, s] / step)
        _, cell, counts = np.unique(places, return_inverse=True, return_counts=True)
        mean = np.bincount(cell, block.residuals[known, s]) / counts
        bias[known, s], cells[known, s] = mean[cell], cell
    return bias, cells


def _rounding(block: Block) -> Array:
    """The share of M (k, k) of errors that are the same wherever the predicted value is."""
    k = len(block.columns)
    bias, cells = _bias(block)
    found = np.zeros((k, k))
    for s in range(cells.shape[1]):
        known = cells[:, s] >= 0
        if not known.any():
            continue
        _, cell, counts = np.unique(cells[known, s], return_inverse=True, return_counts=True)
        r = block.residuals[known, s]
        noise = float(np.var(r - bias[known, s]))
        between = np.bincount(cell, bias[known, s]) / counts
        variance = float(np.mean(np.maximum(between**2 - noise / counts, 0.0)))
        sums = np.zeros((len(counts), k))
        np.add.at(sums, cell, block.slopes[known, s])
        found += variance * sums.T @ sums
    return found


def _kinds(blocks: Sequence[Block]) -> list[list[Block]]:
    """Blocks of the same signals, of all runs."""
    found: dict[tuple[str, ...], list[Block]] = {}
    for block in blocks:
        found.setdefault(block.signals.names, []).append(block)
    return list(found.values())


def _components(blocks: Sequence[Block]) -> tuple[Array, list[Array]]:
    """Principal components (s, c) of the residuals over the signals, and each one's lags."""
    series = [block.residuals - _bias(block)[0] for block in blocks]
    joined = np.concatenate(series)
    known = np.concatenate([~np.isnan(block.signals.measured) for block in blocks])
    pairs = np.maximum(known.T.astype(np.float64) @ known, 1.0)
    _, basis = np.linalg.eigh(joined.T @ joined / pairs)
    lags = [pooled_lags([s @ basis[:, c] for s in series]) for c in range(basis.shape[1])]
    return np.asarray(basis), lags


def _between(slopes: Array, lags: Array) -> Array:
    """sum over t, u of slopes[t]' lag(|t - u|) slopes[u], (k, k), by fast convolution."""
    rows = slopes.shape[0]
    lags = lags[:rows]
    size = 1 << int(np.ceil(np.log2(rows + len(lags))))
    kernel = np.zeros(size)
    kernel[: len(lags)] = lags
    kernel[size - len(lags) + 1 :] = lags[1:][::-1]
    moved = np.fft.irfft(
        np.fft.rfft(slopes, size, axis=0) * np.fft.rfft(kernel)[:, None], size, axis=0
    )[:rows]
    return np.asarray(slopes.T @ moved)
