"""The sections of a scenario file: what may happen to a board, before any drawing."""

from math import inf
from typing import Annotated, Literal, final

from pydantic import Field, model_validator

from edgetwin.scenario_values import (
    Draw,
    Instructions,
    InstructionsDraw,
    Positive,
    Programs,
    Samples,
    Share,
    ShareDraw,
    Time,
)
from hw_models.quantity import Frozen


@final
class Fault(Frozen):
    """Something breaks at at_s and is whole again duration_s later, or never.

    target: a zone or rail whose reading sticks at its last value or drops out, a clock domain
    that refuses every request, or a zone whose trips act as if they were exceeded.
    """

    kind: Literal["sensor-stuck", "sensor-dropped", "clock-refused", "trip"]
    target: str
    at_s: Time
    duration_s: Positive | None = None

    @property
    def end_s(self) -> float:
        """When it is whole again; infinite if never."""
        return inf if self.duration_s is None else self.at_s + self.duration_s


@final
class ApplicationEntry(Frozen):
    """A program that arrives at at_s, with a target as a rate or as a share of its peak rate.

    An endless program, or one with a lifetime, leaves lifetime_s after it arrived. Its phases are
    as long as measured, or stretched to pass_instructions in one pass.
    """

    kind: Literal["application"]
    program: str
    dataset: str | None = None
    instructions: Instructions
    pass_instructions: Positive | None = None
    lifetime_s: Positive | None = None
    target_ips: Positive | None = None
    target_share: Share | None = None
    at_s: Time = 0.0
    unit: str | None = None
    id: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_target(self) -> "ApplicationEntry":
        if self.target_ips is not None and self.target_share is not None:
            raise ValueError("give target_ips or target_share, not both")
        return self


@final
class TrainingEntry(Frozen):
    """A network trained to its target, which takes samples_to_target at each batch size.

    samples_to_target is a table by batch size, or one number for every size in `batches`.
    """

    kind: Literal["training"]
    network: str
    batch: int = Field(ge=1)
    batches: tuple[int, ...] | None = Field(default=None, min_length=1)
    samples_to_target: Samples
    optimizer_bytes_per_parameter: float = Field(default=8.0, ge=0)
    at_s: Time = 0.0
    unit: str | None = None
    id: str | None = Field(default=None, min_length=1)

    @property
    def samples_by_batch(self) -> dict[int, float]:
        """Samples until the target for every batch size that may be chosen."""
        if isinstance(self.samples_to_target, dict):
            return self.samples_to_target
        return dict.fromkeys(self.batches or (self.batch,), self.samples_to_target)

    @model_validator(mode="after")
    def _batches_known(self) -> "TrainingEntry":
        table = self.samples_by_batch
        if min(table) < 1:
            raise ValueError(f"batch {min(table)} is below 1")
        if self.batches is not None and set(self.batches) != set(table):
            raise ValueError("batches differ from those of samples_to_target; give one of the two")
        if self.batch not in table:
            raise ValueError(f"batch {self.batch} is not among {', '.join(map(str, table))}")
        return self


@final
class ForwardEntry(Frozen):
    """`steps` zero-order steps, each of `passes` forward calls on `batch` samples."""

    kind: Literal["forward"]
    network: str
    batch: int = Field(ge=1)
    passes: Positive
    steps: Positive
    noise_bytes: float = Field(default=0.0, ge=0)
    at_s: Time = 0.0
    unit: str | None = None
    id: str | None = Field(default=None, min_length=1)


@final
class LoadEntry(Frozen):
    """A synthetic load keeps a unit busy for a share of the time, for lifetime_s from at_s on.

    The share holds at freq_hz (the unit's highest clock if not given). An accelerator works in
    pulses of 3.7 s, since it cannot rest in between. memory_bytes_per_s is moved while it works.
    """

    kind: Literal["load"]
    unit: str
    busy: float = Field(default=1.0, gt=0, le=1)
    freq_hz: Positive | None = None
    memory_bytes_per_s: float = Field(default=0.0, ge=0)
    at_s: Time = 0.0
    lifetime_s: Positive
    id: str | None = Field(default=None, min_length=1)


JobEntry = Annotated[
    ApplicationEntry | TrainingEntry | ForwardEntry | LoadEntry, Field(discriminator="kind")
]


@final
class KnobStep(Frozen):
    """At t_s knobs are turned: clocks in Hz by domain, and a fan level (-1: the board's own)."""

    t_s: Time
    freq_hz: dict[str, Positive] = {}
    fan: int | None = Field(default=None, ge=-1)


@final
class Arrivals(Frozen):
    """Programs that arrive at random: exponential gaps, the first at first_at_s.

    Ends after `count` programs or duration_s after the first, whichever comes first. Programs are
    drawn evenly, with replacement; between low and high, instructions are even in their logarithm.
    Phases are as long as measured, or stretched to pass_instructions in one pass.
    """

    process: Literal["poisson"]
    rate_hz: Positive
    count: int | None = Field(default=None, ge=1, le=1_000_000)
    duration_s: Positive | None = None
    first_at_s: Time = 0.0
    programs: Programs = "all"
    instructions: InstructionsDraw
    pass_instructions: Positive | None = None
    lifetime_s: Draw | None = None
    target_share: ShareDraw | None = None

    @model_validator(mode="after")
    def _ends(self) -> "Arrivals":
        if self.count is None and self.duration_s is None:
            raise ValueError("give count or duration_s, or the arrivals never end")
        if self.count is None and self.rate_hz * (self.duration_s or 0.0) > 1_000_000:
            raise ValueError("rate_hz times duration_s is above 1 000 000 arrivals")
        return self
