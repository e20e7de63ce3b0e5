"""A scenario: which work meets a board, in which surroundings, under which cap, with which faults.

A file says what may happen; `realise` draws what does happen, the same for the same seed.
"""

import tomllib
from collections.abc import Iterator
from importlib import resources
from itertools import combinations
from math import isfinite
from pathlib import Path
from typing import Any, Literal, final

from pydantic import Field, ValidationError, model_validator

from edgetwin.scenario_plan import (
    Arrival,
    Change,
    InitialTemps,
    Plan,
    arrivals_of,
    full_speed_ips,
    place,
)
from edgetwin.scenario_schema import ApplicationEntry, Arrivals, Fault, JobEntry, KnobStep
from edgetwin.scenario_values import AmbientSteps, CapSteps, Initial, Positive
from hw_models.board import Board, Knobs, first_problem
from hw_models.naming import unknown
from hw_models.quantity import Frozen

__all__ = [
    "Arrival",
    "Change",
    "Fault",
    "Plan",
    "Scenario",
    "full_speed_ips",
    "load_scenario",
    "parse_scenario",
    "scenario_names",
]


@final
class Scenario(Frozen):
    """What happens to a board, before any drawing.

    The run ends at duration_s, or with until = "done" as soon as every job is finished.
    ambient and cap are steps in time; before the first the board's own ambient and no cap hold.
    knobs are turned at their times, for whoever runs without a policy (an excitation run).
    initial gives temperatures by node or zone in degC, or "steady" (idle), or "ambient".
    """

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    title: str = Field(min_length=3)
    duration_s: Positive
    until: Literal["duration", "done"] = "duration"
    seed: int = Field(default=0, ge=0)
    ambient: AmbientSteps = ()
    cooling: Literal["board", "fan", "no-fan"] = "board"
    mode: str | None = None
    cap: CapSteps = ()
    initial: Initial = "steady"
    jobs: tuple[JobEntry, ...] = ()
    arrivals: Arrivals | None = None
    faults: tuple[Fault, ...] = ()
    knobs: tuple[KnobStep, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Scenario":
        for problem in (*_never_done(self), *_overlaps(self.faults)):
            raise ValueError(problem)
        return self

    def with_(self, **changes: Any) -> "Scenario":
        """This scenario with some fields changed, validated again.

        ambient and cap also take a number or (t_s, value) pairs. KeyError for an unknown option,
        ValueError for a value that does not fit.
        """
        fields = type(self).model_fields
        for option in changes:
            if option not in fields:
                raise KeyError(unknown("scenario option", option, list(fields)))
        return _validated({f: getattr(self, f) for f in fields} | changes, f"scenario {self.name}")

    def realise(self, board: Board, *, seed: int | None = None) -> Plan:
        """Draw one run on this board, the same bit for bit for the same two seeds.

        Times, programs, targets, instructions and lifetimes have a random stream each: changing
        one keeps the others. KeyError for a name that does not exist, ValueError for what this
        board cannot do, each naming the place.
        """
        with place(f"scenario {self.name} on {board.name}"):
            arrivals = arrivals_of(self.jobs, self.arrivals, board, (self.seed, seed or 0))
            _check_mode(self.mode, board, arrivals)
            return Plan(
                arrivals=arrivals,
                changes=_changes(self, board),
                ambient_c=next(
                    (s.ambient_c for s in self.ambient if s.t_s == 0.0),
                    board.thermal.ambient_c.value,
                ),
                cap_w=next((s.cap_w for s in self.cap if s.t_s == 0.0), None),
                fan=_fan_level(self.cooling, board),
                mode=self.mode,
                initial=_initial(self.initial, board),
            )


def scenario_names() -> tuple[str, ...]:
    """Names of the scenarios shipped with the package."""
    found = (resources.files("edgetwin") / "scenarios").iterdir()
    return tuple(sorted(p.name.removesuffix(".toml") for p in found if p.name.endswith(".toml")))


def load_scenario(scenario: str | Path | Scenario) -> Scenario:
    """A shipped scenario by name, or a scenario file by path.

    KeyError for an unknown name, FileNotFoundError for a missing file, ValueError for a file that
    is not a valid scenario (first problem, with its place in the file).
    """
    if isinstance(scenario, Scenario):
        return scenario
    text = str(scenario)
    if not text.endswith(".toml"):
        if text not in scenario_names():
            raise KeyError(unknown("scenario", text, list(scenario_names())))
        file = resources.files("edgetwin") / "scenarios" / f"{text}.toml"
        return parse_scenario(file.read_text(encoding="utf-8"), f"scenario {text}")
    if not Path(text).is_file():
        raise FileNotFoundError(f"no scenario file at {text}; give a .toml file or a name.")
    try:
        return parse_scenario(Path(text).read_text(encoding="utf-8"), text)
    except UnicodeDecodeError:
        raise ValueError(f"{text} is not UTF-8 text; a scenario file is TOML.") from None


def parse_scenario(text: str, origin: str) -> Scenario:
    """A Scenario from TOML text; ValueError in one line that names the place otherwise."""
    try:
        return _validated(tomllib.loads(text), origin)
    except tomllib.TOMLDecodeError as e:
        raise ValueError(f"{origin} is not TOML: {e}.") from None


def _validated(data: dict[str, Any], origin: str) -> Scenario:
    fields = list(Scenario.model_fields)
    for key in data:
        if key not in fields:
            raise ValueError(f"{origin} is not a valid scenario: {unknown('key', key, fields)}")
    try:
        return Scenario.model_validate(data)
    except ValidationError as e:
        given = e.errors(include_url=False)[0]["input"]
        shown = f", got {given!r}" if isinstance(given, int | float | str) else ""
        raise ValueError(f"{origin} is not a valid scenario: {first_problem(e)}{shown}.") from None


def _never_done(scenario: Scenario) -> Iterator[str]:
    """Why a scenario that runs until its jobs are done would have no such end."""
    if scenario.until != "done":
        return
    entries = (*scenario.jobs, *filter(None, [scenario.arrivals]))
    if not entries:
        yield "until is 'done' but there is no job; give jobs or arrivals, or until = 'duration'"
    for entry in entries:
        if isinstance(entry, ApplicationEntry | Arrivals) and (
            entry.instructions == "endless" and entry.lifetime_s is None
        ):
            yield "until is 'done' but an endless program has no lifetime_s; it would never be done"


def _overlaps(faults: tuple[Fault, ...]) -> Iterator[str]:
    """Faults of one kind on one target must not overlap, or the first to end would end both."""
    for a, b in combinations(faults, 2):
        is_same = (a.kind, a.target) == (b.kind, b.target)
        if is_same and a.at_s < b.end_s and b.at_s < a.end_s:
            yield f"faults: {a.kind} of {a.target} at {a.at_s:g} s and {b.at_s:g} s overlap"


def _check_mode(mode: str | None, board: Board, arrivals: tuple[Arrival, ...]) -> None:
    online = board.mode(mode).online if mode is not None else None
    for arrival in arrivals:
        if online is not None and arrival.unit is not None and arrival.unit not in online:
            raise ValueError(f"{arrival.id} asks for {arrival.unit}, which is off in mode {mode}")


def _changes(scenario: Scenario, board: Board) -> tuple[Change, ...]:
    """Everything after 0 s (faults from 0 s on), in order of time; at one instant as below."""
    ambient = (
        Change(t_s=s.t_s, what="ambient", value=s.ambient_c) for s in scenario.ambient if s.t_s > 0
    )
    cap = (Change(t_s=s.t_s, what="cap", value=s.cap_w) for s in scenario.cap if s.t_s > 0)
    for i, fault in enumerate(scenario.faults):
        _check_fault(fault, board, f"faults.{i}")
    heal = (Change(t_s=f.end_s, what="heal", fault=f) for f in scenario.faults if isfinite(f.end_s))
    faults = (Change(t_s=f.at_s, what="fault", fault=f) for f in scenario.faults)
    knobs = (_turn(step, board, f"knobs.{i}") for i, step in enumerate(scenario.knobs))
    return tuple(sorted((*ambient, *cap, *heal, *faults, *knobs), key=lambda change: change.t_s))


def _turn(step: KnobStep, board: Board, at: str) -> Change:
    with place(at):
        for domain, hz in step.freq_hz.items():
            board.opp(domain, hz)
        levels = len(board.limits.fan.pwm) if board.limits.fan else 0
        if step.fan is not None and step.fan >= levels:
            raise ValueError(f"fan level {step.fan}; {board.name} has {levels} levels from 0")
    return Change(t_s=step.t_s, what="knobs", knobs=Knobs(freq_hz=step.freq_hz, fan=step.fan))


def _check_fault(fault: Fault, board: Board, at: str) -> None:
    if fault.kind == "clock-refused":
        what, names = "clock domain", list(board.clocks)
    elif fault.kind == "trip":
        tripping = {trip.zone for trip in board.limits.trips}
        what, names = "zone with a trip", [z for z in board.sensors.zones if z in tripping]
    else:
        what, names = "zone or rail", [*board.sensors.zones, *board.sensors.rails]
    if fault.target not in names:
        raise KeyError(f"{at}: {unknown(f'{what} of {board.name}', fault.target, names)}")


def _fan_level(cooling: Literal["board", "fan", "no-fan"], board: Board) -> int | None:
    fan = board.limits.fan
    if cooling == "fan":
        if fan is None:
            raise ValueError(f"cooling is 'fan', but {board.name} has none; use 'board'")
        return len(fan.pwm) - 1
    return 0 if cooling == "no-fan" and fan is not None else None


def _initial(initial: InitialTemps, board: Board) -> InitialTemps:
    """Temperatures by node: a name is a node's, or else a zone's and means the node below it."""
    if isinstance(initial, str):
        return initial
    nodes = {name: zone.node for name, zone in board.sensors.zones.items()}
    nodes |= {name: name for name in board.thermal.nodes}
    found: dict[str, float] = {}
    for name, temp_c in initial.items():
        if name not in nodes:
            raise KeyError(unknown(f"node or zone of {board.name}", name, list(nodes)))
        if found.setdefault(nodes[name], temp_c) != temp_c:
            raise ValueError(f"initial gives node {nodes[name]} two temperatures")
    return found
