"""Latency grids: seconds of one inference over GPU and memory clock, network by network.

    latency = ((compute_cycles / f_gpu)^q + (memory_cycles / f_emc)^q)^(1/q) + overhead_s

with the roofline of the performance model. Every network has its own four parameters, under
`runs.<network>.`; `board_performance` says what they tell about the board.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.points import Evaluate, Solution, Unknown, solve
from hw_models.fit.result import FitResult, Parameter
from hw_models.fit.roofline import ln_roofline
from hw_models.fit.verdicts import judged
from hw_models.tables import LatencyTable

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.jobs import NetworkProfile

Array = NDArray[np.float64]
# Centre and std of ln of a positive parameter, by its name.
Priors = Mapping[str, tuple[float, float]]

NOISE: Final = 0.01  # a repeated measurement of a latency agrees to about a hundredth
_LAST: Final = ("compute_cycles", "memory_cycles", "pnorm", "overhead_s")
# The exponent lies between a sum (1) and the larger of two; 3 within a factor of two says little.
_EXPONENT, _EXPONENT_SPREAD = 3.0, 0.6
_CURES: Final = {
    "compute_cycles": "points at low GPU clocks and the highest memory clock",
    "memory_cycles": "points at high GPU clocks and the lowest memory clock",
    "pnorm": "points where both clocks matter: high GPU clocks, every memory clock",
    "overhead_s": "points at the highest clocks, and more of them",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A prediction and one standard deviation of it, (n,) each, in the same unit."""

    mean: Array
    std: Array


def fit_latency(table: LatencyTable, *, priors: Priors | None = None, seed: int = 0) -> FitResult:
    """Four parameters per network from its points; deterministic by seed.

    A network with few points leans on priors, and findings say which parameters do. priors replace
    the weak ones (see `hw_models.fit.sources`) by `pnorm`, `overhead_s` and `memory_ratio`, which
    is memory_cycles / compute_cycles. rms has the relative residual by network. ValueError for
    fewer than two points of a network.
    """
    given = {} if priors is None else priors
    return judged(
        {n: _solution(table.of(n), n, given, seed) for n in dict.fromkeys(table.networks)},
        seed=seed,
        cures=_CURES,
    )


def _solution(table: LatencyTable, name: str, given: Priors, seed: int) -> Solution:
    if len(table.latency_s) < 2:
        raise ValueError(f"{name} has one point; a latency fit needs two, better eight.")
    cycles = float(np.median(table.latency_s * table.gpu_hz))
    ratio, ratio_spread = given.get("memory_ratio", (1.0, 2.0))
    priors = (
        (cycles, 1.0),
        (ratio * cycles, ratio_spread),
        given.get("pnorm", (_EXPONENT, _EXPONENT_SPREAD)),
        given.get("overhead_s", (0.02 * float(table.latency_s.min()), 2.0)),
    )
    unknowns = [
        Unknown(path=path(name, last), prior=prior, spread=spread)
        for last, (prior, spread) in zip(_LAST, priors, strict=True)
    ]
    evaluate = _evaluate(table.gpu_hz, table.emc_hz)
    return solve(evaluate, table.latency_s, unknowns, seed=seed, noise=NOISE)


def path(network: str, last: str) -> str:
    """Where a parameter of a network is found in a result."""
    return f"runs.{network}.{last}"


def _evaluate(gpu_hz: Array, emc_hz: Array) -> Evaluate:
    def evaluate(ln: Array) -> tuple[Array, Array]:
        cycles, memory_cycles, q, overhead_s = np.exp(ln)
        found: tuple[Array, Array] = ln_roofline(
            cycles / gpu_hz, memory_cycles / emc_hz, q, np.full(len(gpu_hz), overhead_s)
        )
        return found

    return evaluate


def predict_latency(result: FitResult, network: str, gpu_hz: Array, emc_hz: Array) -> Predicted:
    """Seconds of one inference at other clocks, (n,), with the parameters' uncertainty.

    KeyError with the nearest name for a network that was not fitted.
    """
    paths = [path(network, last) for last in _LAST]
    values = np.array([result[p].value for p in paths])
    gpu_hz, emc_hz = np.broadcast_arrays(
        np.asarray(gpu_hz, dtype=float), np.asarray(emc_hz, dtype=float)
    )
    ln, slopes = _evaluate(gpu_hz.ravel(), emc_hz.ravel())(np.log(values))
    covariance = result.covariance_of(paths) / np.outer(values, values)
    variance = np.einsum("ni,ij,nj->n", slopes, covariance, slopes) + result.rms[network] ** 2
    mean = np.exp(ln)
    return Predicted(mean=mean, std=mean * np.sqrt(variance))


def board_performance(
    result: FitResult,
    board: "Board",
    kind: str,
    counts: "Mapping[str, NetworkProfile] | None" = None,
) -> tuple[Parameter, ...]:
    """What a latency fit says of `performance.accelerators.<kind>` of a board, with std.

    The exponent and the overhead are means over networks, weighted by what each network knows,
    with the scatter between networks in their std. With counts (profiles by the table's names) also
    `efficiency` and `bytes_per_cycle`, at a batch of one and the precision the networks ran in.
    KeyError for a kind the board lacks.
    """
    accelerator = board.performance.accelerators[kind]
    names = list(result.rms)
    found = {
        "pnorm": {n: (result[path(n, "pnorm")], 1.0) for n in names},
        "overhead_s": {n: (result[path(n, "overhead_s")], 1.0) for n in names},
    }
    known = {n: counts[n] for n in names if n in counts} if counts else {}
    if known:
        peak = accelerator.flops_per_cycle.value
        found["efficiency"] = {
            n: (result[path(n, "compute_cycles")], p.forward_flops / peak) for n, p in known.items()
        }
        found["bytes_per_cycle"] = {
            n: (result[path(n, "memory_cycles")], p.forward_bytes + p.parameter_bytes)
            for n, p in known.items()
        }
    at = f"performance.accelerators.{kind}"
    return tuple(
        _pooled(f"{at}.{last}", getattr(accelerator, last).value, list(by_network.values()))
        for last, by_network in found.items()
    )


def _pooled(path: str, start: float, estimates: list[tuple[Parameter, float]]) -> Parameter:
    """A mean over networks in logarithms: work / cycles, or the parameter itself where work is 1.

    The scatter between networks is that of DerSimonian and Laird (1986).
    """
    is_rate = any(work != 1.0 for _, work in estimates)
    ln = np.log([work / p.value if is_rate else p.value for p, work in estimates])
    variance = np.array([(p.std / p.value) ** 2 for p, _ in estimates])
    weight = 1 / variance
    mean = float(np.average(ln, weights=weight))
    spare = float((weight * (ln - mean) ** 2).sum()) - (len(ln) - 1)
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    between = max(spare / scale, 0.0) if scale > 0 else 0.0
    weight = 1 / (variance + between)
    mean = float(np.average(ln, weights=weight))
    value, std_ln = float(np.exp(mean)), float(np.sqrt(1 / weight.sum() + between))
    return Parameter(
        path=path, value=value, std=value * std_ln, low=0.0, high=np.inf, start=start,
        status="pinned" if std_ln < 0.35 else "not pinned",
    )  # fmt: skip
