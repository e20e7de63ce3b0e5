"""What jobs ask of units, once more in plain Python from profiles and the board's fields."""

from dataclasses import dataclass
from math import inf, log
from typing import NamedTuple, final

from hw_models.board import Board
from hw_models.board_physics import AcceleratorKind
from hw_models.jobs import Application, ForwardJob, TrainingJob


class Phase(NamedTuple):
    """What a unit of work asks for on one kind of unit; `work` is the length of the phase."""

    work: float
    compute_cycles: float
    memory_cycles: float = 0.0
    launch_cycles: float = 0.0
    idle_s: float = 0.0
    stall_s: float = 0.0
    moved_bytes: float = 0.0
    activity: float = 1.0


@final
@dataclass(slots=True, kw_only=True)
class Task:
    """A job on a unit: its phases by kind of unit, work left in all and in the present phase."""

    name: str
    unit: int
    phases: dict[str, list[Phase]]
    left: float
    target_ips: float = 0.0
    phase: int = 0
    phase_left: float = inf
    held_until_s: float = 0.0

    def next_phase(self) -> None:
        """The next phase begins; after the last the first follows."""
        lengths = next(iter(self.phases.values()))
        self.phase = (self.phase + 1) % len(lengths)
        self.phase_left = lengths[self.phase].work


def task_of(
    board: Board, job: Application | TrainingJob | ForwardJob, unit: int, name: str
) -> Task:
    """A job that starts on a unit now."""
    if isinstance(job, Application):
        phases, left, target_ips = _program(board, job), job.instructions, job.target_ips or 0.0
    else:
        phases, left, target_ips = _network(board, job), _units_of_work(job), 0.0
    first = next(iter(phases.values()))[0].work
    return Task(
        name=name, unit=unit, phases=phases, left=left, target_ips=target_ips, phase_left=first
    )


def _program(board: Board, job: Application) -> dict[str, list[Phase]]:
    """Phases of a program by kind of core; a single phase never ends."""
    stretch = 1.0 if job.pass_insns is None else job.pass_insns / sum(job.profile.phase_insns)
    lengths = [insns * stretch for insns in job.profile.phase_insns]
    lengths = lengths if len(lengths) > 1 else [inf]
    found = {}
    for kind, core in board.performance.cores.items():
        p = job.profile.by_kind[core.profile]
        found[kind] = [
            Phase(
                work=float(lengths[i]),
                compute_cycles=float(p.cpi_cycles[i]) * core.cycles_scale.value,
                stall_s=float(p.stall_s[i]) * core.stall_scale.value,
                moved_bytes=float(p.dram_bytes_per_insn[i]),
                activity=float(p.activity[i]),
            )
            for i in range(len(lengths))
        ]
    return found


def _units_of_work(job: TrainingJob | ForwardJob) -> float:
    return job.samples_to_target[job.batch] if isinstance(job, TrainingJob) else job.steps


def _network(board: Board, job: TrainingJob | ForwardJob) -> dict[str, list[Phase]]:
    """The one phase of a training job (per sample) or zero-order job (per step)."""
    return {
        kind: [_step(accelerator, job)]
        for kind, accelerator in board.performance.accelerators.items()
    }


def _step(kind: AcceleratorKind, job: TrainingJob | ForwardJob) -> Phase:
    n = job.network
    if isinstance(job, TrainingJob):
        flops, kernels, samples = job.batch * n.train_flops, n.train_kernels, job.batch
        moved_bytes = job.batch * n.train_bytes + n.step_bytes
    else:
        flops, kernels = job.passes * job.batch * n.forward_flops, job.passes * n.forward_kernels
        moved_bytes = job.passes * (n.parameter_bytes + job.batch * n.forward_bytes)
        moved_bytes, samples = moved_bytes + job.noise_bytes, 1
    return Phase(
        work=inf,
        compute_cycles=flops / kind.flops_per_cycle.value / _efficiency(kind, job, flops / kernels)
        / samples,
        memory_cycles=moved_bytes / kind.bytes_per_cycle.value / samples,
        launch_cycles=kernels * kind.launch_cycles.value / samples,
        idle_s=kind.overhead_s.value / samples,
        moved_bytes=moved_bytes / samples,
    )  # fmt: skip


def _efficiency(kind: AcceleratorKind, job: TrainingJob | ForwardJob, per_kernel: float) -> float:
    """Share of peak: saturating in FLOPs per kernel, or tabled over tokens per forward call."""
    if isinstance(job, TrainingJob) or not job.network.tokens:
        return kind.efficiency.value * per_kernel / (per_kernel + kind.half_flops_per_kernel.value)
    tokens, shares = kind.forward_tokens.value, kind.forward_efficiency.value
    count = job.batch * job.network.tokens
    for low, high, a, b in zip(tokens, tokens[1:], shares, shares[1:], strict=False):
        if low <= count <= high:
            return a + (b - a) * log(count / low) / log(high / low)
    return shares[0] if count < tokens[0] else shares[-1]
