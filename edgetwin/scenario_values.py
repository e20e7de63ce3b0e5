"""The forms a number may take in a scenario file: fixed, drawn, or a course in time."""

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any, Literal, final

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from hw_models.quantity import Frozen

MAX_SHARE = 1.5
Time = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Celsius = Annotated[float, Field(ge=-273.15)]
Share = Annotated[float, Field(gt=0, le=MAX_SHARE)]


@final
class Choices(Frozen):
    """One of these numbers, each equally likely."""

    choices: tuple[Positive, ...] = Field(min_length=1)


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError(f"{span[0]:g} is above {span[1]:g}; give [low, high]")
    return span


def _shares(given: Choices) -> Choices:
    if max(given.choices) > MAX_SHARE:
        raise ValueError(f"share {max(given.choices):g} is above {MAX_SHARE}")
    return given


def form(value: Any) -> str | None:
    """Which form a value of a file has; None for a form that no field takes."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list | tuple):
        return "list"
    if isinstance(value, dict | Choices):
        return "table"
    return "word" if isinstance(value, str) else None


def one_of(expected: str) -> Discriminator:
    """Chooses a member of a union by its form, so that an error speaks of that member alone."""
    return Discriminator(
        form, custom_error_type="form", custom_error_message=f"Input should be {expected}"
    )


_Fixed = Annotated[Positive, Tag("number")]
_Range = Annotated[tuple[Positive, Positive], AfterValidator(_ordered), Tag("list")]
_Choices = Annotated[Choices, Tag("table")]
_Endless = Annotated[Literal["endless"], Tag("word")]
_DRAWN = "a number, [low, high] or {choices = []}"

Instructions = Annotated[_Fixed | _Endless, one_of("a number or 'endless'")]
InstructionsDraw = Annotated[
    _Fixed | _Range | _Choices | _Endless, one_of(f"{_DRAWN} or 'endless'")
]
Draw = Annotated[_Fixed | _Range | _Choices, one_of(_DRAWN)]
ShareDraw = Annotated[
    Annotated[Share, Tag("number")]
    | Annotated[tuple[Share, Share], AfterValidator(_ordered), Tag("list")]
    | Annotated[Choices, AfterValidator(_shares), Tag("table")],
    one_of(_DRAWN),
]
Samples = Annotated[
    _Fixed | Annotated[dict[int, Positive], Field(min_length=1), Tag("table")],
    one_of("a number or a table by batch size"),
]
Programs = Annotated[
    Annotated[Literal["polybench", "parsec", "all"], Tag("word")]
    | Annotated[tuple[str, ...], Field(min_length=1), Tag("list")],
    one_of("'polybench', 'parsec', 'all' or a list of programs"),
]
Initial = Annotated[
    Annotated[Literal["steady", "ambient"], Tag("word")]
    | Annotated[dict[str, Celsius], Tag("table")],
    one_of("'steady', 'ambient' or a table of temperatures"),
]


@final
class AmbientStep(Frozen):
    """From t_s on, the air around the board has this temperature."""

    t_s: Time
    ambient_c: Celsius


@final
class CapStep(Frozen):
    """From t_s on, the board must stay below cap_w; without cap_w the cap is lifted."""

    t_s: Time
    cap_w: Positive | None = None


def _as_steps(key: str) -> Callable[[Any], Any]:
    """Accept a number (a step at 0 s), None (no step) and pairs (t_s, value) for step tables."""

    def step(item: Any) -> Any:
        is_pair = isinstance(item, list | tuple) and len(item) == 2
        return {"t_s": item[0], key: item[1]} if is_pair else item

    def steps(value: Any) -> Any:
        if form(value) == "number":
            return (step((0.0, value)),)
        if form(value) == "list":
            return tuple(map(step, value))
        return () if value is None else value

    return steps


def _ascending(steps: Any) -> Any:
    times_s = [step.t_s for step in steps]
    if any(after <= before for before, after in pairwise(times_s)):
        raise ValueError(f"t_s runs {', '.join(f'{t:g}' for t in times_s)}; times must ascend")
    return steps


AmbientSteps = Annotated[
    tuple[AmbientStep, ...],
    AfterValidator(_ascending),
    BeforeValidator(
        _as_steps("ambient_c"), json_schema_input_type=Celsius | tuple[AmbientStep, ...]
    ),
]
CapSteps = Annotated[
    tuple[CapStep, ...],
    AfterValidator(_ascending),
    BeforeValidator(_as_steps("cap_w"), json_schema_input_type=Positive | tuple[CapStep, ...]),
]
