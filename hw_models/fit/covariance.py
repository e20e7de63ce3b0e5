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
from hw_models.fit.problem import Block
from hw_models.fit.robust import HUBER

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
        rounded = _rounded(kind, p)
        meat += rounded.meat
        basis, lags = _components(kind, rounded)
        for block in kind:
            at = np.ix_(block.columns, block.columns)
            is_full = np.abs(block.residuals) < HUBER * np.sqrt(block.worth)
            slopes = (block.slopes * is_full[:, :, None]).reshape(-1, len(block.columns))
            information[at] += slopes.T @ slopes
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
        weight=block.weight * root,
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


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Rounded:
    """What rounding leaves behind: residuals it explains, (n, s) by block, and its share of M."""

    explained: list[Array]
    meat: Array


def _rounded(kind: Sequence[Block], p: int) -> _Rounded:
    """Errors of rounding in blocks of the same signals, of all runs.

    A value that stays between the same two steps of its sensor is rounded the same way each time
    it comes back, in whatever run. Readings fall into cells of half a step of the predicted value;
    the variance between cells is what their means show beyond the noise within them, and each mean
    counts by how sure it is. A fit hides what it can follow: a constant signal is fitted without
    residual, and its true value may still be anywhere within the step. So each number that moves a
    signal takes one cell's variance from what is expected of its sensor instead of what is seen.
    """
    explained, meat = [np.zeros_like(block.residuals) for block in kind], np.zeros((p, p))
    for s, step in enumerate(kind[0].signals.step):
        known = [~np.isnan(block.signals.measured[:, s]) for block in kind]
        ends = np.cumsum([int(rows.sum()) for rows in known])
        if step <= 0 or not ends[-1]:
            continue
        said = np.concatenate([b.said[rows, s] for b, rows in zip(kind, known, strict=True)])
        r = np.concatenate([b.residuals[rows, s] for b, rows in zip(kind, known, strict=True)])
        places = np.round(2.0 * said / step)
        _, cell, counts = np.unique(places, return_inverse=True, return_counts=True)
        mean = np.bincount(cell, r) / counts
        noise = float(((r - mean[cell]) ** 2).sum()) / max(len(r) - len(counts), 1)
        seen = max(float(np.mean(mean**2 - noise / counts)), 0.0)
        sure = seen / np.maximum(seen + noise / counts, 1e-300)
        sums = np.zeros((len(counts), p))
        for i, (block, at) in enumerate(zip(kind, np.split(cell, ends[:-1]), strict=True)):
            explained[i][known[i], s] = (sure * mean)[at]
            moved = np.zeros((len(counts), len(block.columns)))
            np.add.at(moved, at, block.slopes[known[i], s])
            sums[:, block.columns] += moved
        hidden = min(int(np.any(sums != 0.0, axis=0).sum()), len(counts)) / len(counts)
        variance = max(seen, (1.0 - hidden) * seen + hidden * _expected(kind, s))
        meat += variance * sums.T @ sums
    return _Rounded(explained=explained, meat=meat)


def _expected(kind: Sequence[Block], s: int) -> float:
    """The variance that rounding leaves in the mean of a value that stays where it is.

    That of a uniform error of one step where the sensor's own noise is small; noise of half a step
    or more averages it away: (step / pi)^2 / 2 sum_k exp(-(2 pi k noise / step)^2) / k^2.
    """
    signals, step = kind[0].signals, float(kind[0].signals.step[s])
    said = np.concatenate([np.abs(block.said[:, s]) for block in kind])
    weight = np.concatenate([block.weight[block.weight[:, s] > 0, s] for block in kind])
    noise2 = (signals.share[s] * np.median(said)) ** 2 + signals.floor[s] ** 2 - step**2 / 12.0
    k = np.arange(1, 50)
    decay = np.exp(-((2.0 * np.pi * k / step) ** 2) * max(float(noise2), 0.0)) / k**2
    return 0.5 * (step / np.pi) ** 2 * float(np.mean(weight**2)) * float(decay.sum())


def _kinds(blocks: Sequence[Block]) -> list[list[Block]]:
    """Blocks of the same signals, of all runs."""
    found: dict[tuple[str, ...], list[Block]] = {}
    for block in blocks:
        found.setdefault(block.signals.names, []).append(block)
    return list(found.values())


def _components(blocks: Sequence[Block], rounded: _Rounded) -> tuple[Array, list[Array]]:
    """Principal components (s, c) of the residuals over the signals, and each one's lags."""
    series = [b.residuals - told for b, told in zip(blocks, rounded.explained, strict=True)]
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
