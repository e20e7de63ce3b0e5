"""What no board file may get wrong: references that lead nowhere, tables that do not fit."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel

from hw_models.board_schema import SECTIONS
from hw_models.quantity import Quantity

if TYPE_CHECKING:
    from hw_models.board import Board


SIGNED = {"ambient_c", "temp_c", "reference_c", "offset_k", "coefficients", "volt_exponent"}
POSITIVE = {
    *("freqs_hz", "volts_v", "capacity_j_per_k", "control_period_s", "poll_s", "ram_bytes"),
    *("bandwidth_bytes_per_cycle", "flops_per_cycle", "bytes_per_cycle", "cycles_scale"),
    *("efficiency", "forward_efficiency", "forward_tokens", "pnorm"),
}


def check_board(board: "Board") -> None:
    """Raise ValueError naming the first inconsistency of a board file."""
    for check in (
        *(_sources, _grades, _signs, _clocks, _units, _power, _thermal, _performance),
        *(_sensors, _limits, _modes, _aliases),
    ):
        for problem in check(board):
            raise ValueError(problem)


def quantities(model: BaseModel, at: str = "") -> Iterator[tuple[str, Quantity]]:  # type: ignore[type-arg]
    """Every number of a section with its place in the file."""
    for key in type(model).model_fields:
        yield from _walk(getattr(model, key), f"{at}.{key}" if at else key)


def _walk(value: object, at: str) -> Iterator[tuple[str, Quantity]]:  # type: ignore[type-arg]
    if isinstance(value, Quantity):
        yield at, value
    elif isinstance(value, BaseModel):
        yield from quantities(value, at)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, f"{at}.{key}")
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from _walk(item, f"{at}[{i}]")


def _sources(board: "Board") -> Iterator[str]:
    for at, q in quantities(board):
        if q.source not in board.sources:
            yield f"{at} names source {q.source!r}, which is not in [sources]"
    modes = {f"modes.{name}": mode.source for name, mode in board.modes.items()}
    paths = {f"paths.{name}": path.source for name, path in board.paths.items()}
    for at, source in (modes | paths).items():
        if source not in board.sources:
            yield f"{at} names source {source!r}, which is not in [sources]"


def _grades(board: "Board") -> Iterator[str]:
    for section in SECTIONS:
        if section not in board.grades:
            yield f"grades lacks {section!r}; state one of A+, A, B, C, D for each section"
            continue
        yield from _grade_supported(board, section)


def _grade_supported(board: "Board", section: str) -> Iterator[str]:
    grade = board.grades[section]  # type: ignore[index]
    used = {q.source for _, q in _walk(getattr(board, section), section)}
    if section == "paths":
        used = {p.source for p in board.paths.values()}
    kinds = {board.sources[s].kind for s in used}
    held_out = any(board.sources[s].holdout for s in used)
    needs = {"A+": held_out, "A": held_out, "B": bool(kinds & {"fit", "measurement"})}
    if not needs.get(grade, grade == "D" or bool(kinds - {"assumed"})):
        yield f"{section} claims grade {grade}, which its sources {sorted(used)} do not bear"


def _signs(board: "Board") -> Iterator[str]:
    for at, q in quantities(board):
        key = at.rsplit(".", 1)[-1]
        if key in POSITIVE and np.any(q.array <= 0):
            yield f"{at} is {q.value}; it must be positive"
        elif key not in SIGNED and np.any(q.array < 0):
            yield f"{at} is {q.value}; it cannot be negative"


def _clocks(board: "Board") -> Iterator[str]:
    for name, d in board.clocks.items():
        n = len(d.freqs_hz.value)
        if n == 0 or np.any(np.diff(d.freqs_hz.array) <= 0):
            yield f"clocks.{name}.freqs_hz must ascend and hold at least one frequency"
        if len(d.volts_v.value) != n:
            yield f"clocks.{name}.volts_v needs {n} voltages, one per frequency"
        if len(d.transition_s.value) != n:
            yield f"clocks.{name}.transition_s needs {n} times, one per target frequency"
        if d.governor not in d.governors:
            yield f"clocks.{name}.governor {d.governor!r} is not among its governors"


def _units(board: "Board") -> Iterator[str]:
    members = [m for g in board.units.values() for m in g.members]
    for name, g in board.units.items():
        if len(g.nodes) != len(g.members):
            yield f"units.{name} has {len(g.members)} members and {len(g.nodes)} nodes"
    if len(set(board.parts)) != len(board.parts):
        yield f"names of units, shared parts and baselines must differ: {board.parts}"
    known = {*board.performance.cores, *board.performance.accelerators}
    for name, g in board.units.items():
        if g.domain not in board.clocks:
            yield f"units.{name}.domain {g.domain!r} is not a clock domain"
        yield from _missing(f"units.{name}.nodes", g.nodes, board.thermal.nodes)
        if g.kind not in known:
            yield f"units.{name}.kind {g.kind!r} has no entry in performance"
        if g.host is not None and g.host not in members:
            yield f"units.{name}.host {g.host!r} is not a unit"
        if g.kind in board.performance.accelerators and g.host is None:
            yield f"units.{name} is an accelerator and needs a host unit"


def _power(board: "Board") -> Iterator[str]:
    nodes = board.thermal.nodes
    yield from _same_keys("power.units", board.power.units, board.units)
    yield from _missing("power.domains", board.power.domains, board.clocks)
    for name, part in board.power.domains.items():
        yield from _missing(f"power.domains.{name}.node", (part.node or "",), nodes)
    for name, base in board.power.baseline.items():
        yield from _missing(f"power.baseline.{name}.node", (base.node,), nodes)
    if board.power.conversion:
        yield from _missing("power.conversion.node", (board.power.conversion.node,), nodes)
    memory = board.power.memory
    if memory:
        yield from _missing("power.memory.node", (memory.node,), nodes)
        yield from _missing("power.memory.domain", (memory.domain,), board.clocks)
    for name, group in board.units.items():
        part = board.power.units[name]
        both = part.kernel_capacitance_f, part.stalled_capacitance_f
        can = memory is not None and group.kind in board.performance.accelerators
        if any(both) and not (all(both) and can):
            yield (
                f"power.units.{name}: kernel_capacitance_f and stalled_capacitance_f go together, "
                "on an accelerator of a board with power.memory"
            )
    if len(board.power.leakage.coefficients.value) != 3:
        yield "power.leakage.coefficients needs three numbers: per K, per K^2, per K^3"


def _thermal(board: "Board") -> Iterator[str]:
    t = board.thermal
    if len(set(t.nodes)) != len(t.nodes):
        yield f"thermal.nodes must differ: {', '.join(t.nodes)}"
    if len(t.capacity_j_per_k.value) != len(t.nodes):
        yield f"thermal.capacity_j_per_k needs {len(t.nodes)} numbers, one per node"
    for link in t.links:
        yield from _missing("thermal.links.between", link.between, t.nodes)
        if link.conductance_w_per_k.value <= 0:
            yield f"thermal link {link.between} needs a positive conductance"
    levels = len(board.limits.fan.pwm) if board.limits.fan else 1
    for c in t.cooling:
        yield from _missing("thermal.cooling.node", (c.node,), t.nodes)
        if len(c.conductance_w_per_k.value) != levels:
            yield f"thermal.cooling of {c.node} needs {levels} conductances, one per fan level"
    if not _reaches_ambient(board):
        yield "thermal: some node has no way to the ambient"


def _reaches_ambient(board: "Board") -> bool:
    t = board.thermal
    reached = {c.node for c in t.cooling if min(c.conductance_w_per_k.value) > 0}
    for _ in t.nodes:
        for link in t.links:
            if reached & set(link.between):
                reached |= set(link.between)
    return reached == set(t.nodes)


def _performance(board: "Board") -> Iterator[str]:
    perf = board.performance
    for name, kind in perf.accelerators.items():
        tokens, efficiency = kind.forward_tokens, kind.forward_efficiency
        if len(tokens.value) != len(efficiency.value) or np.any(np.diff(tokens.array) <= 0):
            yield (
                f"performance.accelerators.{name}.forward_tokens must ascend and have "
                "as many entries as forward_efficiency"
            )
    if perf.inference:
        names = [u.name for u in board.unit_list]
        yield from _missing("performance.inference.unit", (perf.inference.unit,), names)


def _sensors(board: "Board") -> Iterator[str]:
    for name, z in board.sensors.zones.items():
        yield from _missing(f"sensors.zones.{name}.node", (z.node,), board.thermal.nodes)
    for name, r in board.sensors.rails.items():
        yield from _missing(f"sensors.rails.{name}.covers", r.covers, (*board.parts, "everything"))
    rail = board.sensors.input_rail
    if board.sensors.rails and rail not in board.sensors.rails:
        yield f"sensors.input_rail {rail!r} is not one of the rails"


def _limits(board: "Board") -> Iterator[str]:
    for trip in board.limits.trips:
        yield from _missing("limits.trips.zone", (trip.zone,), board.sensors.zones)
        yield from _missing("limits.trips.domains", trip.domains, board.clocks)
        if trip.kind == "fan" and not (
            board.limits.fan and 0 < trip.fan_level < len(board.limits.fan.pwm)
        ):
            yield f"limits: fan trip at {trip.temp_c.value} needs a fan with level {trip.fan_level}"
    fan = board.limits.fan
    if fan and len(fan.power_w.value) != len(fan.pwm):
        yield "limits.fan.power_w needs one number per pwm level"


def _modes(board: "Board") -> Iterator[str]:
    names = [u.name for u in board.unit_list]
    for name, mode in board.modes.items():
        yield from _missing(f"modes.{name}.max_freq_hz", mode.max_freq_hz, board.clocks)
        yield from _missing(f"modes.{name}.online", mode.online or (), names)


def _aliases(board: "Board") -> Iterator[str]:
    a, sensors = board.aliases, board.sensors
    names = [u.name for u in board.unit_list]
    yield from _missing("aliases.zones", a.zones.values(), sensors.zones)
    yield from _missing("aliases.rails", a.rails.values(), sensors.rails)
    yield from _missing("aliases.domains", a.domains.values(), board.clocks)
    yield from _missing("aliases.units", a.units.values(), names)


def _missing(at: str, names: object, known: object) -> Iterator[str]:
    for name in names:  # type: ignore[attr-defined]
        if name not in known:  # type: ignore[operator]
            yield f"{at} names {name!r}, which is not one of {', '.join(map(str, known))}"  # type: ignore[call-overload]


def _same_keys(at: str, a: object, b: object) -> Iterator[str]:
    if set(a) != set(b):  # type: ignore[call-overload]
        yield f"{at} must have exactly the keys {', '.join(b)}"  # type: ignore[arg-type]
