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

    zones: dict[str, Zone] = Field(min_length=1)
    rails: dict[str, Rail] = {}
    input_rail: str | None = None
    l2d_counter: bool = False
    memory_load: bool = False


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
