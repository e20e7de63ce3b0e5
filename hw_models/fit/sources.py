"""Tasks of transfer: what a board or measured siblings tell about a table of a new workload.

A board tells the exponent, the overheads and the power of its accelerator with their standard
deviations. Measured siblings tell how the parameters of the form scatter among workloads.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from hw_models.fit.accelerator_step import StepForm
from hw_models.fit.grid import GridFit, fit_grid
from hw_models.fit.latency import Priors, fit_latency, path, predict_latency
from hw_models.fit.steps import fit_steps, power_basis, power_paths, predict_steps, step_form
from hw_models.fit.tasks import Positions, Reference, Said, Task
from hw_models.parameters import std_at, value_at
from hw_models.tables import Grid, LatencyTable, StepTable

if TYPE_CHECKING:
    from hw_models.board import Board

Array = NDArray[np.float64]

# What learned methods are trained on where the source is a board: the twin's own price of a
# network that everyone measures, as PowerTrain trains on ResNet.
_REFERENCE: Final = "resnet-18"
_BATCHES: Final = (1.0, 4.0, 16.0, 64.0)
# What of a grid belongs to the board and what to the workload, and how far each moves (ln).
_OF_BOARD: Final = ("static_w", "floor_gain", "clock_exponent", "limit_ratio", "lowest_clock",
                    "edge")  # fmt: skip
_OF_WORKLOAD: Final = ("compute_half_batch", "host_batch", "overlap", "rest_ratio",
                       "compute_growth", "rest_growth", "power_half_batch")  # fmt: skip
_BOARD_MOVES, _WORKLOAD_MOVES = 0.15, 0.5
# How far a workload is from what the board file says (ln): the GPU of a TX2, equally busy, draws
# 4 W with one network and 5.4 W with another.
_BETWEEN_WORKLOADS: Final = 0.2


def latency_tasks(source: "Board | LatencyTable", table: LatencyTable) -> tuple[Task, ...]:
    """One task per network of a latency table, over its own points; on a board, over all clocks.

    The source is a calibrated board or a table of other networks of the same board; a network of
    the table that is in the source too is left out of the source.
    """
    tasks = []
    for name in dict.fromkeys(table.networks):
        target = table.of(name)
        if isinstance(source, LatencyTable):
            kept = [i for i, other in enumerate(source.networks) if other != name]
            siblings = source.take(np.array(kept))
            tasks.append(_latency_task(name, target, _siblings(siblings), _pooled(siblings)))
        else:
            whole = _all_clocks(source, target, name)
            tasks.append(_latency_task(name, whole, _of_board(source), _board_reference(source)))
    return tuple(tasks)


def step_tasks(board: "Board", table: StepTable) -> tuple[Task, ...]:
    """One task per network of a step table, from what the board file says of its accelerator."""
    form = step_form(board)
    told = (*form.paths((_REFERENCE,)), *power_paths(form)[1:])
    known = {p: _prior(board, p) for p in told if value_at(board, p) > 0.0}
    trusted = StepForm(
        board=board, kind=form.kind, host_hz=form.host_hz, counts=form.counts, priors=known
    )
    reference = _step_reference(trusted)
    names = dict.fromkeys(table.networks)
    return tuple(_step_task(trusted, table.of(name), name, reference) for name in names)


def grid_task(source: Grid, target: Grid, *, is_same_board: bool) -> Task:
    """A grid of the same workload on a sibling board, or of another workload on the same board."""
    fitted = fit_grid(source)
    moves = _carried(fitted, is_same_board)
    ends = [(float(axis.min()), float(axis.max())) for axis in (target.batch, target.setting)]

    def twin(at: Positions, seed: int) -> Said:
        fit = fit_grid(target.take(at), batches=ends[0], settings=ends[1], priors=moves, seed=seed)
        said = fit.predict(target.batch, target.setting)
        return {
            "time_s": (said.time_s, said.time_share), "power_w": (said.power_w, said.power_share),
        }  # fmt: skip

    return Task(
        name=target.workload,
        axes={"batch": target.batch, target.knob: target.setting},
        features=_features(target.batch, target.setting),
        responses={"time_s": target.time_s, "power_w": target.power_w},
        twin=twin,
        reference=Reference(
            features=_features(source.batch, source.setting),
            responses={"time_s": source.time_s, "power_w": source.power_w},
        ),
        fewest=3,
    )


def _features(*columns: Array) -> Array:
    """What learned methods see: logarithms, (n, d)."""
    return np.log(np.stack(columns, axis=1))


def _carried(source: GridFit, is_same_board: bool) -> Priors:
    """Priors of a target: what it shares with the source, a little further apart than known."""
    solution, moves = source.solution, {}
    kept, away = (_OF_BOARD, _BOARD_MOVES) if is_same_board else (_OF_WORKLOAD, _WORKLOAD_MOVES)
    for i, u in enumerate(solution.unknowns):
        name = u.path.rsplit(".", 1)[1]
        if name in kept:
            spread = float(np.hypot(np.sqrt(solution.covariance[i, i]), away))
            moves[name] = (float(solution.values[i]), min(u.spread, spread))
    return moves


def _latency_task(name: str, points: LatencyTable, priors: Priors, reference: Reference) -> Task:
    def twin(at: Positions, seed: int) -> Said:
        result = fit_latency(points.take(at), priors=priors, seed=seed)
        said = predict_latency(result, name, points.gpu_hz, points.emc_hz)
        return {"latency_s": (said.mean, said.std / said.mean)}

    return Task(
        name=name,
        axes={"gpu_hz": points.gpu_hz, "emc_hz": points.emc_hz},
        features=_features(points.gpu_hz, points.emc_hz),
        responses={"latency_s": points.latency_s},
        twin=twin,
        reference=reference,
        fewest=2,
    )


def _siblings(table: LatencyTable) -> Priors:
    """How the form's parameters scatter among measured networks: mean and std of ln, with few."""
    result = fit_latency(table)
    names = list(result.rms)
    ratios = [
        (result[path(n, "memory_cycles")].value / result[path(n, "compute_cycles")].value)
        for n in names
    ]
    found = {"memory_ratio": _scatter(np.log(ratios))}
    for last in ("pnorm", "overhead_s"):
        found[last] = _scatter(np.log([result[path(n, last)].value for n in names]))
    return found


def _scatter(ln: Array) -> tuple[float, float]:
    """Centre and std of ln for one more of a kind; at least 0.3, and 0.7 where one is all."""
    std = float(ln.std(ddof=1)) * np.sqrt(1 + 1 / len(ln)) if len(ln) > 1 else 0.7
    return float(np.exp(ln.mean())), max(float(std), 0.3)


def _pooled(table: LatencyTable) -> Reference:
    """All siblings' points, each network about its own mean."""
    ln = np.log(table.latency_s)
    for name in dict.fromkeys(table.networks):
        at = np.array([other == name for other in table.networks])
        ln[at] -= ln[at].mean()
    return Reference(
        features=_features(table.gpu_hz, table.emc_hz), responses={"latency_s": np.exp(ln)}
    )


def _prior(board: "Board", at: str) -> tuple[float, float]:
    value = value_at(board, at)
    return value, float(np.hypot(std_at(board, at) / value, _BETWEEN_WORKLOADS))


def _of_board(board: "Board") -> Priors:
    form = step_form(board)
    return {last: _prior(board, form.path(last)) for last in ("pnorm", "overhead_s")}


def _all_clocks(board: "Board", target: LatencyTable, name: str) -> LatencyTable:
    """The measured points and, as NaN, every other pair of operating points of the board."""
    gpu, emc = _clocks(board)
    seen = {(g, e) for g, e in zip(target.gpu_hz, target.emc_hz, strict=True)}
    more = np.array([(g, e) for g in gpu for e in emc if (g, e) not in seen]).reshape(-1, 2)
    return LatencyTable(
        networks=(name,) * (len(seen) + len(more)),
        gpu_hz=np.append(target.gpu_hz, more[:, 0]),
        emc_hz=np.append(target.emc_hz, more[:, 1]),
        latency_s=np.append(target.latency_s, np.full(len(more), np.nan)),
    )


def _clocks(board: "Board") -> tuple[Sequence[float], Sequence[float]]:
    """Operating points of the accelerator and of the memory."""
    kind = step_form(board).kind
    domain = next(group.domain for group in board.units.values() if group.kind == kind)
    memory = board.power.memory
    if memory is None:
        raise ValueError(f"{board.name} has no memory clock; transfer needs one.")
    return board.domain(domain).freqs_hz.value, board.domain(memory.domain).freqs_hz.value


def _board_reference(board: "Board") -> Reference:
    """The twin's price of the reference network over the clocks, as a latency."""
    whole = _step_reference(step_form(board))
    single = whole.features[:, 0] == 0.0
    return Reference(
        features=whole.features[single, 1:],
        responses={"latency_s": whole.responses["step_s"][single]},
    )


def _step_reference(form: StepForm) -> Reference:
    """The twin's price of the reference network over batches and clocks."""
    gpu, emc = _clocks(form.board)
    cells = np.array([(b, g, e) for b in _BATCHES for g in gpu for e in emc])
    batch, gpu_hz, emc_hz = cells.T
    blank = np.ones(len(cells))
    points = StepTable(
        networks=(_REFERENCE,) * len(cells), batch=batch, gpu_hz=gpu_hz, emc_hz=emc_hz,
        step_s=blank, mean_w=blank, peak_w=blank,
    )  # fmt: skip
    paths = form.paths((_REFERENCE,))
    parts = form.parts(points, paths, np.log([value_at(form.board, p) for p in paths]))
    base_w = sum(part.power_w.value for part in form.board.power.baseline.values())
    draws = [base_w, *(value_at(form.board, p) for p in power_paths(form)[1:])]
    mean_w, peak_w = np.split(power_basis(form, points, parts) @ np.array(draws), 2)
    return Reference(
        features=_features(batch, gpu_hz, emc_hz),
        responses={"step_s": np.exp(parts.ln_step()[0]), "mean_w": mean_w, "peak_w": peak_w},
    )


def _step_task(form: StepForm, table: StepTable, name: str, reference: Reference) -> Task:
    def twin(at: Positions, seed: int) -> Said:
        result = fit_steps(form, table.take(at), seed=seed)
        said = predict_steps(
            form, result, name, batch=table.batch, gpu_hz=table.gpu_hz, emc_hz=table.emc_hz
        )
        found = {"step_s": said.step_s, "mean_w": said.mean_w, "peak_w": said.peak_w}
        return {key: (each.mean, each.std / each.mean) for key, each in found.items()}

    return Task(
        name=name,
        axes={"batch": table.batch, "gpu_hz": table.gpu_hz, "emc_hz": table.emc_hz},
        features=_features(table.batch, table.gpu_hz, table.emc_hz),
        responses={"step_s": table.step_s, "mean_w": table.mean_w, "peak_w": table.peak_w},
        twin=twin,
        reference=reference,
        fewest=4,
    )
