"""How long work takes: the CPI line of programs, the p-norm roofline of accelerators.

Time per unit of work = launch_cycles / f_host + idle_s + roof + stall_s * contention, where roof
is the p-norm of compute_cycles / f and memory_cycles / f_mem. A program on a core has compute
cycles and stall time per instruction only; a step on an accelerator has the others.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hw_models.compiled import inline
from hw_models.jobs import Application, ForwardJob, Job, LoadJob, TrainingJob

if TYPE_CHECKING:
    from hw_models.board import Board
    from hw_models.board_physics import AcceleratorKind

Array = NDArray[np.float64]

# Columns of one kind of unit in a demand row; column 0 of the row is the work in the phase.
LAUNCH, IDLE, COMPUTE, MEMORY, STALL, L2D, BYTES, ACTIVITY = range(8)
KIND_COLUMNS = 8


@inline
def roof_s(compute_s: float, memory_s: float, q: float) -> float:
    """Time of a kernel bound by compute or memory: (c^q + m^q)^(1/q), q -> inf is the maximum."""
    if memory_s == 0.0:
        return compute_s
    return both_s(compute_s, memory_s, q)


@inline
def both_s(compute_s: float, memory_s: float, q: float) -> float:
    """`roof_s` where neither time is zero."""
    long_s = max(compute_s, memory_s)
    factor: float = (1.0 + (min(compute_s, memory_s) / long_s) ** q) ** (1.0 / q)
    return long_s * factor


@inline
def contention(corunners: float, per_corunner: float, traffic: float, per_traffic: float) -> float:
    """Factor on stall time: other busy cores of the cluster, others' share of the bandwidth."""
    return 1.0 + per_corunner * corunners + per_traffic * min(traffic, 1.0)


def kinds(board: "Board") -> tuple[str, ...]:
    """Kinds of units of a board: CPU cores first, then accelerators."""
    return (*board.performance.cores, *board.performance.accelerators)


def demand(board: "Board", job: Job) -> Array:
    """What a job asks for: (n_phases, 1 + 8 * n_kinds), columns as above per unit of work.

    Work counts instructions, samples or zero-order steps. A kind that cannot run the job has NaN
    compute cycles. ValueError when no kind can.
    """
    if isinstance(job, LoadJob):
        return _load(board, job)
    rows = _application(board, job) if isinstance(job, Application) else _network(board, job)
    if np.isnan(rows[:, 1 + COMPUTE :: KIND_COLUMNS]).all():
        raise ValueError(f"nothing on {board.name} can run {job_title(job)}.")
    return rows


def job_title(job: Job) -> str:
    """The name of what a job runs."""
    if isinstance(job, LoadJob):
        return "load"
    return job.profile.name if isinstance(job, Application) else job.network.name


def _load(board: "Board", job: LoadJob) -> Array:
    """Cycles for the busy share of a second and rest for the others; accelerators never rest."""
    rows = _blank(board, 1)
    rows[:, 0] = np.inf
    for k, kind in enumerate(kinds(board)):
        if kind in board.performance.cores or job.busy == 1.0:
            at = rows[0, 1 + k * KIND_COLUMNS :][:KIND_COLUMNS]
            at[:] = 0.0
            at[[COMPUTE, IDLE]] = job.busy * job.freq_hz, 1.0 - job.busy
            at[[BYTES, ACTIVITY]] = job.bytes_per_s, 1.0
    return rows


def _application(board: "Board", job: Application) -> Array:
    profile = job.profile
    rows = _blank(board, len(profile.phase_insns))
    insns = profile.phase_insns
    stretch = 1.0 if job.pass_insns is None else job.pass_insns / insns.sum()
    rows[:, 0] = insns * stretch if len(rows) > 1 else np.inf
    for k, core in enumerate(board.performance.cores.values()):
        phases = profile.by_kind.get(core.profile)
        if phases is not None:
            at = rows[:, 1 + k * KIND_COLUMNS :][:, :KIND_COLUMNS]
            at[:, [LAUNCH, IDLE, MEMORY]] = 0.0
            at[:, COMPUTE] = phases.cpi_cycles * core.cycles_scale.value
            at[:, STALL] = phases.stall_s * core.stall_scale.value
            at[:, L2D] = phases.l2d_per_insn
            at[:, BYTES] = phases.dram_bytes_per_insn
            at[:, ACTIVITY] = phases.activity
    return rows


def _network(board: "Board", job: TrainingJob | ForwardJob) -> Array:
    rows = _blank(board, 1)
    rows[:, 0] = np.inf
    flops, moved, kernels, per = _counts(job)
    first = len(board.performance.cores)
    for k, kind in enumerate(board.performance.accelerators.values()):
        work = max(flops, 1.0) / kernels
        eff = kind.efficiency.value * work / (work + kind.half_flops_per_kernel.value)
        if isinstance(job, ForwardJob) and job.network.tokens:
            eff = forward_efficiency(kind, job.batch * job.network.tokens)
        at = rows[0, 1 + (first + k) * KIND_COLUMNS :][:KIND_COLUMNS]
        at[LAUNCH] = kernels * kind.launch_cycles.value / per
        at[IDLE] = kind.overhead_s.value / per
        at[COMPUTE] = flops / (kind.flops_per_cycle.value * eff) / per
        at[MEMORY] = moved / kind.bytes_per_cycle.value / per
        at[[STALL, L2D]] = 0.0
        at[BYTES] = moved / per
        at[ACTIVITY] = 1.0
    return rows


def _counts(job: TrainingJob | ForwardJob) -> tuple[float, float, float, float]:
    """(flops, bytes, kernels, units of work) of one step."""
    n = job.network
    if isinstance(job, TrainingJob):
        moved = job.batch * n.train_bytes + n.step_bytes
        return job.batch * n.train_flops, moved, n.train_kernels, float(job.batch)
    once = n.parameter_bytes + job.batch * n.forward_bytes
    moved = job.passes * once + job.noise_bytes
    flops = job.passes * job.batch * n.forward_flops
    return flops, moved, job.passes * n.forward_kernels, 1.0


def forward_efficiency(kind: "AcceleratorKind", tokens: float) -> float:
    """Share of peak that a forward call of so many tokens reaches, linear in log(tokens)."""
    at = np.log(kind.forward_tokens.array)
    return float(np.interp(np.log(tokens), at, kind.forward_efficiency.array))


def _blank(board: "Board", phases: int) -> Array:
    return np.full((phases, 1 + KIND_COLUMNS * len(kinds(board))), np.nan)
