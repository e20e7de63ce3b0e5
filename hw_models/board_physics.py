"""The sections of a board file that say where power goes, how heat flows and how fast work runs."""

from typing import final

from pydantic import Field

from hw_models.quantity import Frozen, Scalar, Vector


@final
class Part(Frozen):
    """What one place draws: C_active * activity * V^2 * f + C_idle * V^2 * f + V^a * leak(T).

    For a unit group the numbers are per member. `leakage_w` is at 1 V and the reference
    temperature of [power.leakage]. `byte_capacitance_f`, of a unit group, adds what memory traffic
    costs inside the unit: C_byte * traffic * busy * V^2, traffic in bytes/s. That is a unit that
    runs one loop. A log may also show kernels that run one by one (`hw_models.log_work`); they
    draw V^2 f busy ((1 - s) C_kernel + s C_stalled), s the share of the bandwidth the unit can use.
    """

    node: str | None = None
    active_capacitance_f: Scalar
    idle_capacitance_f: Scalar
    leakage_w: Scalar
    byte_capacitance_f: Scalar | None = None
    kernel_capacitance_f: Scalar | None = None
    stalled_capacitance_f: Scalar | None = None


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
class Conversion(Frozen):
    """What the board's regulators lose: `share` of the power of all parts, as heat at `node`.

    A rail that covers "everything" (the input) includes it, other rails do not.
    """

    share: Scalar
    node: str


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
    conversion: Conversion | None = None
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
