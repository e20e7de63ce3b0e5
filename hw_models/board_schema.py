"""The sections of a board file: what a board is made of, before any simulation."""

from typing import Literal, final

from pydantic import Field

from hw_models.quantity import Frozen, Grade, Scalar, Vector

Governor = Literal["performance", "powersave", "userspace", "ondemand", "schedutil", "qos-dvfs"]
Section = Literal["clocks", "power", "thermal", "performance", "sensors", "limits", "paths"]
SECTIONS: tuple[Section, ...] = (
    "clocks",
    "power",
    "thermal",
    "performance",
    "sensors",
    "limits",
    "paths",
)


@final
class ClockDomain(Frozen):
    """A set of units that share one clock and one voltage, with its operating points.

    `freqs_hz` ascends; `volts_v` has the same length; `transition_s` is the time from a request
    until the new clock runs, one number or one per target operating point.
    """

    freqs_hz: Vector
    volts_v: Vector
    transition_s: Vector
    governor: Governor = "schedutil"
    governors: tuple[Governor, ...] = (
        "performance",
        "powersave",
        "userspace",
        "ondemand",
        "schedutil",
        "qos-dvfs",
    )


@final
class UnitGroup(Frozen):
    """Units of one kind on one clock: four cores of a cluster, a GPU, an NPU.

    `nodes` gives the thermal node of each member. `host` is the unit whose clock issues the work
    of an accelerator; CPU cores have none.
    """

    kind: str
    domain: str
    members: tuple[str, ...] = Field(min_length=1)
    nodes: tuple[str, ...]
    host: str | None = None


@final
class Part(Frozen):
    """What one place draws: C_active * activity * V^2 * f + C_idle * V^2 * f + V^a * leak(T).

    For a unit group the numbers are per member. `leakage_w` is at 1 V and the reference
    temperature of [power.leakage].
    """

    node: str | None = None
    active_capacitance_f: Scalar
    idle_capacitance_f: Scalar
    leakage_w: Scalar


@final
class MemoryPart(Frozen):
    """What the memory draws: C_idle * V^2 * f + energy per byte moved + leakage."""

    domain: str
    node: str
    idle_capacitance_f: Scalar
    energy_j_per_byte: Scalar
    leakage_w: Scalar


@final
class Baseline(Frozen):
    """Constant power of what has no clock we know: regulators, carrier board, radio."""

    node: str
    power_w: Scalar


@final
class Leakage(Frozen):
    """Leakage of every part: leakage_w * V^volt_exponent * (1 + c1 d + c2 d^2 + c3 d^3).

    d = T - reference_c in kelvin; `coefficients` are (c1, c2, c3) in 1/K, 1/K^2, 1/K^3, valid
    inside `valid_c` (low, high).
    """

    reference_c: Scalar
    volt_exponent: Scalar
    coefficients: Vector
    valid_c: tuple[float, float]


@final
class Power(Frozen):
    """Where electrical power goes. Keys: unit groups, clock domains (shared logic), names."""

    units: dict[str, Part]
    domains: dict[str, Part] = {}
    memory: MemoryPart | None = None
    baseline: dict[str, Baseline]
    leakage: Leakage


@final
class Link(Frozen):
    """Heat flows between two nodes in proportion to their temperature difference."""

    between: tuple[str, str]
    conductance_w_per_k: Scalar


@final
class Cooling(Frozen):
    """Heat leaves a node to the ambient; one conductance per fan level, level 0 first."""

    node: str
    conductance_w_per_k: Vector


@final
class Thermal(Frozen):
    """Resistor-capacitor network: capacities in the order of `nodes`, links, ways to ambient."""

    nodes: tuple[str, ...] = Field(min_length=1)
    capacity_j_per_k: Vector
    ambient_c: Scalar
    links: tuple[Link, ...] = ()
    cooling: tuple[Cooling, ...] = Field(min_length=1)


@final
class CoreKind(Frozen):
    """How a kind of CPU core runs programs profiled on `profile`.

    cycles and stall time per instruction are those of the profile times the scales. A stalled
    core draws `stall_activity` of its busy power. Each other busy program in the domain lengthens
    stalls by `corunner_stall`; traffic of the others, as share of the bandwidth, by
    `bandwidth_stall` per unit share.
    """

    profile: str
    cycles_scale: Scalar
    stall_scale: Scalar
    stall_activity: Scalar
    corunner_stall: Scalar
    bandwidth_stall: Scalar


@final
class AcceleratorKind(Frozen):
    """Saturating p-norm roofline of a GPU or NPU.

    Step time = kernels * launch_cycles / f_host + ((flops / (flops_per_cycle * eff * f))^q +
    (bytes / (bytes_per_cycle * f_mem))^q)^(1/q) + overhead_s, with eff = efficiency *
    w / (w + half_flops_per_kernel), w = flops per kernel. Language-model forward passes take eff
    from `forward_efficiency` at `forward_tokens` tokens per call, linear in log tokens.
    """

    flops_per_cycle: Scalar
    efficiency: Scalar
    half_flops_per_kernel: Scalar
    bytes_per_cycle: Scalar
    launch_cycles: Scalar
    overhead_s: Scalar
    pnorm: Scalar
    stall_activity: Scalar
    forward_tokens: Vector
    forward_efficiency: Vector


@final
class Inference(Frozen):
    """A policy network on this board: seconds and joules for one batched call."""

    unit: str
    latency_s: Scalar
    energy_j: Scalar


@final
class Performance(Frozen):
    """How fast work runs, by kind of unit; memory size and bandwidth."""

    cores: dict[str, CoreKind] = {}
    accelerators: dict[str, AcceleratorKind] = {}
    ram_bytes: Scalar
    bandwidth_bytes_per_cycle: Scalar
    migration_s: Scalar
    inference: Inference | None = None


@final
class Zone(Frozen):
    """A temperature sensor: where it sits and how it rounds, how often, how noisily."""

    node: str
    resolution_k: Scalar
    period_s: Scalar
    noise_k: Scalar
    offset_k: Scalar


@final
class Rail(Frozen):
    """A power sensor: the parts it covers ("everything" for all), rounding, period, noise.

    The value is the mean over the last period. `noise` is a share of the value.
    """

    covers: tuple[str, ...] = Field(min_length=1)
    resolution_w: Scalar
    period_s: Scalar
    noise: Scalar


@final
class Sensors(Frozen):
    """What the board can say about itself; no rails means that power is not measured."""

    zones: dict[str, Zone]
    rails: dict[str, Rail] = {}
    input_rail: str | None = None
    l2d_counter: bool = False


@final
class Trip(Frozen):
    """At `temp_c` in `zone` something happens, until hysteresis_k below it.

    throttle: caps the listed domains one operating point lower each poll; fan: raises the fan to
    `fan_level`; shutdown: the board goes off.
    """

    zone: str
    kind: Literal["throttle", "fan", "shutdown"]
    temp_c: Scalar
    hysteresis_k: Scalar
    domains: tuple[str, ...] = ()
    fan_level: int = 0


@final
class Fan(Frozen):
    """A fan with discrete levels: the PWM value written for each and the power it draws."""

    pwm: tuple[int, ...] = Field(min_length=1)
    power_w: Vector
    node: str


@final
class Limits(Frozen):
    """The board's own protection: trips polled every `poll_s`, fan steps, control period."""

    poll_s: Scalar
    control_period_s: Scalar
    trips: tuple[Trip, ...] = ()
    fan: Fan | None = None


@final
class Mode(Frozen):
    """A power mode of the vendor (nvpmodel): clock ceilings, units that stay on, budget."""

    id: int | None = None
    source: str
    max_freq_hz: dict[str, float] = {}
    online: tuple[str, ...] | None = None
    budget_w: float | None = None
    default: bool = False
    reboot: bool = False


@final
class Path(Frozen):
    """A sysfs pattern (globs allowed) by which the hardware backend finds a file."""

    pattern: str
    source: str
    writable: bool = False


@final
class Aliases(Frozen):
    """Names that logs of this board use, mapped to the board's own."""

    zones: dict[str, str] = {}
    rails: dict[str, str] = {}
    domains: dict[str, str] = {}
    units: dict[str, str] = {}


Grades = dict[Section, Grade]
