"""Work that runs on a board: programs with a quality of service, training, forward passes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CorePhases:
    """How the phases of a program run on one kind of core. All arrays (n_phases,).

    Time per instruction at clock f is cpi_cycles / f + stall_s.
    """

    cpi_cycles: Array
    stall_s: Array
    l2d_per_insn: Array
    dram_bytes_per_insn: Array
    activity: Array


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationProfile:
    """A program as a cycle of phases, measured on one or more kinds of core.

    `phase_insns` (n_phases,) instructions in each phase; after the last the first follows.
    """

    name: str
    suite: str
    dataset: str
    source: str
    phase_insns: Array
    by_kind: Mapping[str, CorePhases]
    footprint_bytes: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkProfile:
    """Operations, bytes and kernel launches of a neural network, counted from its module.

    Forward figures are per sample, kernel counts per call whatever the batch. A training step
    does train_flops per sample, moves train_bytes per sample and step_bytes per step (weights,
    gradients, optimiser state) in train_kernels launches, and keeps saved_bytes per sample
    between forward and backward. tokens is 0 unless a sample is a sequence.
    """

    name: str
    source: str
    parameter_count: float
    parameter_bytes: float
    forward_flops: float
    forward_bytes: float
    forward_kernels: float
    train_flops: float
    train_bytes: float
    train_kernels: float
    step_bytes: float
    saved_bytes: float
    tokens: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A single-threaded program that must retire `instructions`, at `target_ips` if given.

    instructions may be infinite: the program then runs until it is stopped. The phases follow
    one another as often as it takes; pass_insns stretches them in proportion, so that one pass
    counts so many instructions, as on a larger input. None leaves them as measured.
    """

    profile: ApplicationProfile
    instructions: float
    target_ips: float | None = None
    pass_insns: float | None = None

    def __post_init__(self) -> None:
        _positive("instructions", self.instructions)
        if self.pass_insns is not None:
            _positive("pass_insns", self.pass_insns)
        if self.target_ips is not None:
            _positive("target_ips", self.target_ips)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """Training until the accuracy is reached, which takes samples_to_target[batch] samples.

    samples_to_target maps every batch size that may be chosen to the samples it needs; equal
    numbers mean that the batch does not matter for convergence. Progress carries over when the
    batch changes. optimizer_bytes_per_parameter: 4 SGD with momentum, 8 Adam.
    """

    network: NetworkProfile
    batch: int
    samples_to_target: Mapping[int, float]
    optimizer_bytes_per_parameter: float = 8.0

    def __post_init__(self) -> None:
        for b, samples in self.samples_to_target.items():
            _positive("batch", b)
            _positive(f"samples_to_target[{b}]", samples)
        if self.batch not in self.samples_to_target:
            known = ", ".join(map(str, self.samples_to_target))
            raise ValueError(f"batch {self.batch} has no samples_to_target; known: {known}.")

    def memory_bytes(self, batch: int) -> float:
        """Bytes a step needs: weights, gradients, optimiser state and what backward needs."""
        n = self.network
        per_parameter = 2 * n.parameter_bytes / n.parameter_count
        weights = n.parameter_count * (per_parameter + self.optimizer_bytes_per_parameter)
        return weights + batch * n.saved_bytes


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardJob:
    """`steps` zero-order steps: each `passes` forward calls on `batch` samples.

    noise_bytes is what a step moves to generate noise and add it to the weights, held_bytes what
    it keeps beside the weights; None is all that one forward call writes and reads.
    """

    network: NetworkProfile
    batch: int
    passes: float
    steps: float
    noise_bytes: float = 0.0
    held_bytes: float | None = None

    def __post_init__(self) -> None:
        for name in ("batch", "passes", "steps"):
            _positive(name, getattr(self, name))

    def memory_bytes(self) -> float:
        """Bytes a step needs: the weights and the activations of one forward call."""
        n = self.network
        held_bytes = self.batch * n.forward_bytes if self.held_bytes is None else self.held_bytes
        return n.parameter_bytes + held_bytes


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LoadJob:
    """A synthetic load: it keeps its unit busy for a share of the time, until it is stopped.

    busy in (0, 1] holds while the unit runs at freq_hz; at other clocks the work per second stays
    within what the unit can do. bytes_per_s is the memory traffic while it does. Its unit of work
    is a second at freq_hz. An accelerator can only be busy all the time (busy 1).
    """

    busy: float
    freq_hz: float
    bytes_per_s: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.busy <= 1.0:
            raise ValueError(f"busy is {self.busy}; give a share above 0 and up to 1.")
        _positive("freq_hz", self.freq_hz)


Job = Application | TrainingJob | ForwardJob | LoadJob
JobKind = Literal["application", "training", "forward", "load"]


def job_kind(job: Job) -> JobKind:
    """What a job's work counts: instructions, samples, zero-order steps or seconds of load."""
    if isinstance(job, Application):
        return "application"
    if isinstance(job, LoadJob):
        return "load"
    return "training" if isinstance(job, TrainingJob) else "forward"


def _positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} is {value}; it must be positive.")
