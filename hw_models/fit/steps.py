"""Step tables of training jobs: seconds, mean and peak watts over batch size and clocks.

Time follows `accelerator_step`. Power is what the twin draws, with V^2 f of GPU and of memory:

    mean = rest + C_mem V_m^2 f_m + C V^2 f active busy + energy_j_per_byte bytes / step_s
    peak = mean + C V^2 f active (1 - busy)

busy is the share of the step in which the GPU works, active the share of its full activity while
it does (a stalled GPU draws the board's stall_activity). Leakage and all that does not change with
the clocks of GPU and memory is in `runs.table.rest_w`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.accelerator_step import StepForm, StepParts
from hw_models.fit.latency import Predicted
from hw_models.fit.points import Evaluate, Solution, Unknown, solve
from hw_models.fit.result import FitResult
from hw_models.fit.verdicts import judged
from hw_models.naming import unknown
from hw_models.tables import StepTable
from hw_models.workloads import load_network, network_names

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.jobs import NetworkProfile

Array = NDArray[np.float64]

NOISE: Final = 0.01
_TIME, _POWER = "step_s", "power_w"
_REST: Final = "runs.table.rest_w"
_CURES: Final = {
    "efficiency": "points of large batches at the highest memory clock",
    "half_flops_per_kernel": "points of small batches",
    "bytes_per_cycle": "points at the lowest memory clock",
    "launch_cycles": "networks with different numbers of kernels, at the smallest batch",
    "overhead_s": "networks with different numbers of kernels, at the smallest batch",
    "energy_j_per_byte": "points at one clock with different shares of memory traffic",
    "idle_capacitance_f": "points at every memory clock",
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StepPrediction:
    """What a step is expected to take, each with its standard deviation, (n,)."""

    step_s: Predicted
    mean_w: Predicted
    peak_w: Predicted


def step_form(
    board: "Board", *, kind: str | None = None, host_hz: float | None = None,
    counts: "Mapping[str, NetworkProfile] | None" = None,
) -> StepForm:  # fmt: skip
    """How steps run on an accelerator of a board: by default the first, its host at full clock.

    counts are profiles by the table's names of networks; by default the shipped ones. KeyError for
    an unknown kind, ValueError for a board without accelerator.
    """
    kinds = board.performance.accelerators
    if not kinds:
        raise ValueError(f"{board.name} has no accelerator; a step table needs one.")
    name = next(iter(kinds)) if kind is None else kind
    if name not in kinds:
        raise KeyError(unknown(f"accelerator of {board.name}", name, kinds))
    return StepForm(
        board=board,
        kind=name,
        host_hz=_host_hz(board, name) if host_hz is None else host_hz,
        counts={n: load_network(n) for n in network_names()} if counts is None else counts,
    )


def fit_steps(form: StepForm, table: StepTable, *, seed: int = 0) -> FitResult:
    """The accelerator's parameters, those of networks without counts, and power, from a table.

    rms has the relative residuals of step_s and power_w. ValueError for fewer than four points.
    """
    if len(table.step_s) < 4:
        raise ValueError(f"{len(table.step_s)} points; a step table needs four, better fifteen.")
    paths = form.paths(table.networks)
    time = solve(
        _time(form, table, paths), table.step_s, form.unknowns(table), seed=seed, noise=NOISE
    )
    basis = power_basis(form, table, form.parts(table, paths, time.ln))
    measured_w = np.concatenate([table.mean_w, table.peak_w])
    power = solve(
        _power(basis), measured_w, _power_unknowns(form, table, basis), seed=seed, noise=NOISE
    )
    return judged(_named(time, power), seed=seed, cures=_CURES)


def predict_steps(
    form: StepForm, result: FitResult, network: str, *, batch: Array, gpu_hz: Array, emc_hz: Array
) -> StepPrediction:
    """Time and power of steps at other batches and clocks, (n,), with their uncertainty.

    KeyError for a network that has neither counts nor points in the fit.
    """
    b, gpu, emc = (np.ravel(c).astype(float) for c in np.broadcast_arrays(batch, gpu_hz, emc_hz))
    points = StepTable(
        networks=(network,) * len(b), batch=b, gpu_hz=gpu, emc_hz=emc, step_s=b, mean_w=b, peak_w=b
    )
    known = [p.path for p in result.parameters]
    paths = tuple(p for p in known if p.startswith(form.path("")) or _is_network(p))
    parts = form.parts(points, paths, _ln(result, paths))
    ln_step_s, slopes = parts.ln_step()
    basis = power_basis(form, points, parts)
    draws = power_paths(form)
    ln_drawn_w, drawn_slopes = _power(basis)(_ln(result, draws))
    step = _predicted(result, paths, ln_step_s, slopes, _TIME)
    power = _predicted(result, draws, ln_drawn_w, drawn_slopes, _POWER)
    n = len(b)
    return StepPrediction(
        step_s=step,
        mean_w=Predicted(mean=power.mean[:n], std=power.std[:n]),
        peak_w=Predicted(mean=power.mean[n:], std=power.std[n:]),
    )


def _named(time: Solution, power: Solution) -> dict[str, Solution]:
    return {_TIME: time, _POWER: power}


def _is_network(path: str) -> bool:
    return path.startswith("runs.") and path != _REST


def _ln(result: FitResult, paths: tuple[str, ...]) -> Array:
    return np.log([result[p].value for p in paths])


def _predicted(
    result: FitResult, paths: tuple[str, ...], ln: Array, slopes: Array, signal: str
) -> Predicted:
    values = np.array([result[p].value for p in paths])
    covariance = result.covariance_of(paths) / np.outer(values, values)
    variance = np.einsum("ni,ij,nj->n", slopes, covariance, slopes) + result.rms[signal] ** 2
    mean = np.exp(ln)
    return Predicted(mean=mean, std=mean * np.sqrt(variance))


def _time(form: StepForm, table: StepTable, paths: tuple[str, ...]) -> Evaluate:
    return lambda ln: form.parts(table, paths, ln).ln_step()


def power_basis(form: StepForm, table: StepTable, parts: StepParts) -> Array:
    """What each power parameter is multiplied with, (2n, n_parameters): means, then peaks."""
    ln_s, _ = parts.ln_step()
    step_s, busy_s = np.exp(ln_s), np.exp(ln_s) - parts.times_s[2]
    kind = form.board.performance.accelerators[form.kind]
    share = np.minimum(parts.times_s[0] / busy_s, 1.0)
    active = share + kind.stall_activity.value * (1.0 - share)
    domain = form.board.units[_group(form.board, form.kind)].domain
    swing = _volts(form.board, domain, table.gpu_hz) ** 2 * table.gpu_hz * active
    columns = [np.tile(np.ones_like(step_s), 2), np.concatenate([swing * busy_s / step_s, swing])]
    memory = form.board.power.memory
    if memory is not None:
        memory_v = _volts(form.board, memory.domain, table.emc_hz)
        columns.append(np.tile(memory_v**2 * table.emc_hz, 2))
        columns.append(np.tile(parts.moved_bytes / step_s, 2))
    return np.stack(columns, axis=1)


def _power(basis: Array) -> Evaluate:
    """Power is linear in its parameters."""

    def evaluate(ln: Array) -> tuple[Array, Array]:
        drawn_w = basis * np.exp(ln)
        total_w = drawn_w.sum(axis=1)
        return np.log(total_w), drawn_w / total_w[:, None]

    return evaluate


def power_paths(form: StepForm) -> tuple[str, ...]:
    """The power parameters that a step table bears on: the rest, the GPU, the memory."""
    unit = f"power.units.{_group(form.board, form.kind)}.active_capacitance_f"
    memory = ("power.memory.idle_capacitance_f", "power.memory.energy_j_per_byte")
    return (_REST, unit, *(memory if form.board.power.memory else ()))


def _power_unknowns(form: StepForm, table: StepTable, basis: Array) -> list[Unknown]:
    """Priors: half the least power rests, what comes on top is the GPU, a byte costs 60 pJ."""
    least_w = float(table.mean_w.min())
    more_w = max(float(table.peak_w.max()) - 0.5 * least_w, 0.1 * least_w)
    priors = [(0.5 * least_w, 0.7), (more_w / float(basis[:, 1].max()), 1.0)]
    if form.board.power.memory is not None:
        priors += [(0.1 * least_w / float(basis[:, 2].max()), 1.0), (6e-11, 0.7)]
    return [
        Unknown(
            path=path, prior=form.priors.get(path, own)[0], spread=form.priors.get(path, own)[1]
        )
        for path, own in zip(power_paths(form), priors, strict=True)
    ]


def _volts(board: "Board", domain: str, freq_hz: Array) -> Array:
    """Volts at clocks (n,), between operating points linear."""
    clock = board.domain(domain)
    return np.interp(freq_hz, clock.freqs_hz.array, clock.volts_v.array)


def _group(board: "Board", kind: str) -> str:
    return next(name for name, group in board.units.items() if group.kind == kind)


def _host_hz(board: "Board", kind: str) -> float:
    """The highest clock of the core that launches an accelerator's kernels."""
    host = board.units[_group(board, kind)].host
    if host is None:
        raise ValueError(f"{kind} of {board.name} has no host; give host_hz.")
    return float(board.domain(board.unit(host).domain).freqs_hz.value[-1])
