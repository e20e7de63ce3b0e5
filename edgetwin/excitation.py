"""An excitation plan becomes a scenario, and a scenario a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edgetwin.scenario import Scenario, parse_scenario
from hw_models.board import Board
from hw_models.toml_text import toml_text

if TYPE_CHECKING:
    from hw_models.fit import ExcitationPlan, Segment

# Changes come just after a reading: what it says of loads then held for the time before it.
AFTER_S: Final = 0.01


def scenario_of(plan: "ExcitationPlan", board: Board) -> Scenario:
    """What a plan asks for, as knobs at times and synthetic loads with lifetimes.

    Memory traffic is moved by the first busy unit of a segment; where none is busy, by the first
    unit, busy for a hundredth of the time. ValueError where the plan is of another board.
    """
    if plan.board != board.name:
        raise ValueError(f"the plan is for {plan.board}, not for {board.name}.")
    text = toml_text(_fields(plan, board))
    return parse_scenario(text, f"plan for {board.name}")


def write_scenario(scenario: Scenario, path: str | Path) -> None:
    """Keep a scenario as TOML that `load_scenario` reads back equal."""
    data = scenario.model_dump(by_alias=True, exclude_defaults=True)
    Path(path).write_text(toml_text(data), encoding="utf-8", newline="\n")


def _fields(plan: "ExcitationPlan", board: Board) -> dict[str, Any]:
    starts_s, t_s = [], 0.0
    for segment in plan.segments:
        starts_s.append(t_s + AFTER_S if t_s else 0.0)
        t_s += segment.duration_s
    timed = list(zip(starts_s, plan.segments, strict=True))
    knobs = [_knobs(at_s, segment) for at_s, segment in timed]
    return {
        "name": f"excite-{board.name}",
        "title": f"Excitation of {board.name}: {len(timed)} segments, below {plan.safe_c:g} degC",
        "duration_s": t_s,
        "ambient": [{"t_s": 0.0, "ambient_c": plan.ambient_c}],
        "knobs": knobs,
        "jobs": [load for at_s, segment in timed for load in _loads(at_s, segment, board)],
    }


def _knobs(at_s: float, segment: "Segment") -> dict[str, Any]:
    fan = {} if segment.fan is None else {"fan": segment.fan}
    return {"t_s": at_s, "freq_hz": dict(segment.freq_hz), **fan}


def _loads(at_s: float, segment: "Segment", board: Board) -> Iterator[dict[str, Any]]:
    bytes_per_s = _traffic_bytes_per_s(segment, board)
    busy = {name: share for name, share in segment.busy.items() if share > 0.0}
    if bytes_per_s and not busy:
        busy = {board.unit_list[0].name: 0.01}
    for i, (name, share) in enumerate(busy.items()):
        unit = board.unit(name)
        yield {
            "kind": "load",
            "unit": name,
            "busy": share,
            "freq_hz": segment.freq_hz[unit.domain],
            "memory_bytes_per_s": bytes_per_s / (share if unit.host else 1.0) if i == 0 else 0.0,
            "at_s": at_s,
            "lifetime_s": segment.duration_s,
        }


def _traffic_bytes_per_s(segment: "Segment", board: Board) -> float:
    """Bytes per second that the segment's share of the memory's bandwidth comes to."""
    if board.power.memory is None:
        return 0.0
    top = board.performance.bandwidth_bytes_per_cycle.value
    return segment.memory_busy * top * segment.freq_hz[board.power.memory.domain]
