"""Latency grids and step tables in a certificate: fitted on some points, judged by the others.

Points of a table are measured one by one and do not follow one another in time, so 60 % of each
network's points, drawn by seed, are fitted and the rest is held out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.certificate.evaluated import Pooled
from hw_models.certificate.figures import errors
from hw_models.certificate.model import Certificate, CertifiedParameter, Errors, Split
from hw_models.tables import (
    LatencyTable,
    StepTable,
    read_latency_table,
    read_step_table,
    table_kind,
)

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.fit import FitResult, Parameter

Array = NDArray[np.float64]
Table = LatencyTable | StepTable

FITTED_SHARE: Final = 0.6
KINDS: Final = ("latency", "steps")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PointsFit:
    """What a table says of a board: its fit, and errors by split and signal."""

    result: "FitResult"
    errors: Mapping[Split, Mapping[str, Errors]]


def is_table(path: str | Path) -> bool:
    """Whether a file's header is that of a latency grid or a step table.

    ValueError for a table of another kind, which no board file can be fitted to.
    """
    kind = table_kind(path)
    if kind is not None and kind not in KINDS:
        raise ValueError(f"{path} is a table of {kind}; expected a trace, latencies or steps.")
    return kind is not None


def read_points(path: str | Path) -> Table:
    """A latency grid or step table by its header; ValueError in one line otherwise."""
    return read_latency_table(path) if table_kind(path) == "latency" else read_step_table(path)


def fit_points(board: "Board", tables: Sequence[Table], *, seed: int = 0) -> list[PointsFit]:
    """Every table fitted on 60 % of its points; where steps speak of the accelerator, latencies
    only speak of their networks. ValueError as in `fit_latency` and `fit_steps`."""
    has_steps = any(isinstance(table, StepTable) for table in tables)
    return [_fitted(board, table, seed, has_steps) for table in tables]


def _fitted(board: "Board", table: Table, seed: int, has_steps: bool) -> PointsFit:
    from hw_models.fit import board_performance, fit_latency, fit_steps, step_form

    seen, unseen = _split(table, seed)
    if isinstance(seen, StepTable):
        result = fit_steps(step_form(board), seen, seed=seed)
    else:
        result = fit_latency(seen, seed=seed)
    found: dict[Split, dict[str, Errors]] = {"fitted": errors_at(board, result, seen)}
    if len(unseen.networks):
        found["held-out"] = errors_at(board, result, unseen)
    kinds = board.performance.accelerators
    if isinstance(seen, LatencyTable) and kinds and not has_steps:
        result = _extended(result, board_performance(result, board, next(iter(kinds))))
    return PointsFit(result=result, errors=found)


def _split(table: Table, seed: int) -> tuple[Table, Table]:
    """Of each network 60 % of the points, four at least, and the others."""
    rng = np.random.default_rng(seed)
    kept: list[int] = []
    for name in dict.fromkeys(table.networks):
        rows = rng.permutation([i for i, other in enumerate(table.networks) if other == name])
        kept += rows[: max(4, round(FITTED_SHARE * len(rows)))].tolist()
    others = sorted(set(range(len(table.networks))) - set(kept))
    return table.take(sorted(kept)), table.take(others)


def errors_at(board: "Board", result: "FitResult", table: Table) -> dict[str, Errors]:
    """Errors by signal and network: `latency_s.<network>`, or `step_s`, `mean_w`, `peak_w`.

    KeyError for a network that the fit does not know.
    """
    found = {}
    for name in dict.fromkeys(table.networks):
        for signal, measured, said in _compared(board, result, table.of(name), name):
            each = np.arange(len(measured))
            found[f"{signal}.{name}"] = errors(
                Pooled(measured=measured, said=said, stretch=each), has_shares=True
            )
    return found


def _compared(
    board: "Board", result: "FitResult", table: Table, name: str
) -> Iterator[tuple[str, Array, Array]]:
    from hw_models.fit import predict_latency, predict_steps, step_form

    if isinstance(table, LatencyTable):
        said = predict_latency(result, name, table.gpu_hz, table.emc_hz)
        yield "latency_s", table.latency_s, said.mean
        return
    steps = predict_steps(
        step_form(board), result, name, batch=table.batch, gpu_hz=table.gpu_hz, emc_hz=table.emc_hz
    )
    yield "step_s", table.step_s, steps.step_s.mean
    yield "mean_w", table.mean_w, steps.mean_w.mean
    yield "peak_w", table.peak_w, steps.peak_w.mean


def _extended(result: "FitResult", more: Sequence["Parameter"]) -> "FitResult":
    """The result with further parameters, taken as independent of the others."""
    n = len(result.parameters)
    whole = np.zeros((n + len(more), n + len(more)))
    whole[:n, :n] = result.covariance
    whole[range(n, len(whole)), range(n, len(whole))] = [p.std**2 for p in more]
    return replace(result, parameters=(*result.parameters, *more), covariance=whole)


def without(result: "FitResult", taken: Sequence[str]) -> "FitResult":
    """The result less board parameters that another fit has taken."""
    kept = [i for i, p in enumerate(result.parameters) if p.path not in taken]
    return replace(
        result,
        parameters=tuple(result.parameters[i] for i in kept),
        covariance=result.covariance[np.ix_(kept, kept)],
    )


def certified_result(certificate: Certificate) -> "FitResult":
    """The parameters of a certificate as a fit result that predicts points."""
    from hw_models.fit import FitResult

    every = (*certificate.parameters, *certificate.nuisances)
    n = len(certificate.parameters)
    covariance = np.diag([p.std**2 for p in every])
    covariance[:n, :n] = certificate.covariance
    fitted = certificate.errors.get("fitted", {})
    shares = {s.partition(".")[2]: rows["all"].mape or 0.0 for s, rows in fitted.items()}
    return FitResult(
        parameters=tuple(map(_parameter, every)),
        covariance=covariance,
        findings=(),
        rms=shares | {"step_s": 0.0, "power_w": 0.0},
        n=len(every),
        seed=certificate.seed,
    )


def _parameter(p: CertifiedParameter) -> "Parameter":
    from hw_models.fit import Parameter

    return Parameter(
        path=p.path,
        value=p.value,
        std=p.std,
        low=-np.inf if p.low is None else p.low,
        high=np.inf if p.high is None else p.high,
        start=p.value,
        status=p.status,  # type: ignore[arg-type]
        interval=p.interval,
    )
