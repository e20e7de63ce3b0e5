"""A board as arrays: what compiled code reads, in one record of fixed layout."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from hw_models.heat import exponentials
from hw_models.performance import kinds
from hw_models.power import leakage_at_one_volt_w
from hw_models.thermal import Network, conversion_share, leakage_law

if TYPE_CHECKING:
    from hw_models.board import Board

Record = NDArray[Any]

# Capacities of the record: one layout for all boards, so that compiled code is shared.
NODES, PARTS, UNITS, DOMAINS, LEVELS, FANS = 24, 24, 14, 8, 40, 6
ZONES, RAILS, TRIPS, KINDS = 12, 12, 16, 6
# Numbers of control periods whose thermal step is kept ready: one, and jumps over quiet stretches.
STRIDES = (1, 4, 16, 64, 256)
# And parts of a period: how long a migration or a change of clocks takes, and what is left of it.
PARTIAL = 8
_STEPS = len(STRIDES) + PARTIAL
THROTTLE, FAN, SHUTDOWN = range(3)
GOVERNORS = ("performance", "powersave", "userspace", "ondemand", "schedutil", "qos-dvfs")

BOARD_DTYPE = np.dtype(
    [
        # sizes in use
        ("nodes", "i8"), ("parts", "i8"), ("units", "i8"), ("domains", "i8"), ("zones", "i8"),
        ("rails", "i8"), ("trips", "i8"), ("fans", "i8"), ("cores", "i8"),
        # clock domains
        ("levels", "i8", DOMAINS), ("freq_hz", "f8", (DOMAINS, LEVELS)),
        ("volt_v", "f8", (DOMAINS, LEVELS)), ("leak_factor", "f8", (DOMAINS, LEVELS)),
        ("transition_ns", "i8", (DOMAINS, LEVELS)), ("memory_domain", "i8"),
        # units
        ("unit_domain", "i8", UNITS), ("unit_kind", "i8", UNITS), ("unit_host", "i8", UNITS),
        # parts: domain -1 is constant power
        ("part_domain", "i8", PARTS), ("active_f", "f8", PARTS), ("idle_f", "f8", PARTS),
        ("constant_w", "f8", PARTS), ("leak_w", "f8", PARTS), ("law", "f8", 6),
        ("byte_f", "f8", UNITS), ("kernel_f", "f8", UNITS), ("stalled_f", "f8", UNITS),
        ("usable_bytes_per_cycle", "f8", UNITS),
        ("shared_part", "i8", DOMAINS), ("memory_part", "i8"), ("fan_part", "i8"),
        ("fan_w", "f8", FANS), ("energy_per_byte_j", "f8"), ("drawn_per_w", "f8"),
        # heat, by fan level
        ("tau_s", "f8", (FANS, NODES)),
        ("see", "f8", (FANS, NODES, PARTS)), ("heat", "f8", (FANS, PARTS, NODES)),
        ("see_zone", "f8", (FANS, ZONES, NODES)),
        ("ambient_push_per_k", "f8", (FANS, NODES)), ("to_modes", "f8", (FANS, NODES, NODES)),
        ("from_modes", "f8", (FANS, NODES, NODES)), 
        ("decay", "f8", (FANS, _STEPS, NODES)), ("phi1", "f8", (FANS, _STEPS, NODES)),
        ("phi2", "f8", (FANS, _STEPS, NODES)), ("partial_ns", "i8", PARTIAL),
        # performance by kind
        ("pnorm", "f8", KINDS), ("stall_activity", "f8", KINDS),
        ("corunner_stall", "f8", KINDS), ("bandwidth_stall", "f8", KINDS),
        ("bytes_per_cycle", "f8"), ("migration_ns", "i8"),
        # sensors and limits
        ("period_ns", "i8"), ("poll_ticks", "i8"),
        ("zone_step_k", "f8", ZONES), ("zone_noise_k", "f8", ZONES),
        ("zone_offset_k", "f8", ZONES), ("zone_ticks", "i8", ZONES),
        ("rail_covers", "f8", (RAILS, PARTS)), ("rail_step_w", "f8", RAILS),
        ("rail_noise", "f8", RAILS), ("rail_ticks", "i8", RAILS), ("input_rail", "i8"),
        ("trip_zone", "i8", TRIPS), ("trip_kind", "i8", TRIPS), ("trip_c", "f8", TRIPS),
        ("trip_hyst_k", "f8", TRIPS), ("trip_fan", "i8", TRIPS),
        ("trip_domain", "i8", (TRIPS, DOMAINS)),
    ]
)  # fmt: skip


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Lowered:
    """A board's record and the names behind its indices, each in board order."""

    record: Record
    domains: tuple[str, ...]
    units: tuple[str, ...]
    parts: tuple[str, ...]
    zones: tuple[str, ...]
    rails: tuple[str, ...]
    nodes: tuple[str, ...]
    kinds: tuple[str, ...]
    networks: tuple[Network, ...]


def lower(board: "Board") -> Lowered:
    """The board as one record (1,) of BOARD_DTYPE. ValueError when it exceeds a capacity."""
    names = Lowered(
        record=np.zeros(1, BOARD_DTYPE),
        domains=tuple(board.clocks),
        units=tuple(u.name for u in board.unit_list),
        parts=board.parts,
        zones=tuple(board.sensors.zones),
        rails=tuple(board.sensors.rails),
        nodes=board.thermal.nodes,
        kinds=kinds(board),
        networks=tuple(Network.of(board, level) for level in range(_fan_levels(board))),
    )
    _check_capacity(board, names)
    for fill in (_sizes, _clocks, _units, _parts, _sensors, _heat, _performance, _trips):
        fill(names.record[0], board, names)
    names.record.flags.writeable = False
    return names


def lower_again(like: Lowered, board: "Board", *, has_other_heat: bool) -> Lowered:
    """The board that differs from a lowered one in numbers of power, volts and sensors alone.

    With has_other_heat its thermal numbers (or the loss of its regulators) may differ as well.
    Names, sizes, limits and performance are taken over unseen: for fits, which lower a board
    hundreds of times.
    """
    networks = like.networks
    if has_other_heat:
        networks = tuple(Network.of(board, level) for level in range(len(like.networks)))
    again = replace(like, record=like.record.copy(), networks=networks)
    for fill in (_clocks, _parts, _sensors, *((_heat,) if has_other_heat else ())):
        fill(again.record[0], board, again)
    again.record.flags.writeable = False
    return again


def _fan_levels(board: "Board") -> int:
    return len(board.limits.fan.pwm) if board.limits.fan else 1


def _check_capacity(board: "Board", names: Lowered) -> None:
    levels = max(len(d.freqs_hz.value) for d in board.clocks.values())
    have = {
        "nodes": (len(names.nodes), NODES),
        "parts": (len(names.parts), PARTS),
        "units": (len(names.units), UNITS),
        "domains": (len(names.domains), DOMAINS),
        "operating points": (levels, LEVELS),
        "zones": (len(names.zones), ZONES),
        "rails": (len(names.rails), RAILS),
        "trips": (len(board.limits.trips), TRIPS),
        "kinds": (len(names.kinds), KINDS),
        "fan levels": (_fan_levels(board), FANS),
    }
    for what, (n, most) in have.items():
        if n > most:
            raise ValueError(f"{board.name} has {n} {what}; the simulator holds {most}.")


def _sizes(r: Any, board: "Board", names: Lowered) -> None:
    for key in ("nodes", "parts", "units", "domains", "zones", "rails"):
        r[key] = len(getattr(names, key))
    r["trips"] = len(board.limits.trips)
    r["fans"] = _fan_levels(board)
    r["cores"] = len(board.performance.cores)


def _clocks(r: Any, board: "Board", _: Lowered) -> None:
    exponent = board.power.leakage.volt_exponent.value
    for d, clock in enumerate(board.clocks.values()):
        n = len(clock.freqs_hz.value)
        r["levels"][d] = n
        r["freq_hz"][d, :n] = clock.freqs_hz.array
        r["volt_v"][d, :n] = clock.volts_v.array
        r["leak_factor"][d, :n] = clock.volts_v.array**exponent
        r["transition_ns"][d, :n] = np.rint(clock.transition_s.array * 1e9)
    memory = board.power.memory
    r["memory_domain"] = list(board.clocks).index(memory.domain) if memory else -1


def _units(r: Any, board: "Board", names: Lowered) -> None:
    for u, unit in enumerate(board.unit_list):
        r["unit_domain"][u] = names.domains.index(unit.domain)
        r["unit_kind"][u] = names.kinds.index(unit.kind)
        r["unit_host"][u] = names.units.index(unit.host) if unit.host else -1


def _parts(r: Any, board: "Board", names: Lowered) -> None:
    power = board.power
    r["law"] = leakage_law(board)
    r["leak_w"][: len(names.parts)] = leakage_at_one_volt_w(board)
    r["part_domain"][:] = -1
    r["shared_part"][:] = -1
    for u, unit in enumerate(board.unit_list):
        _part(r, u, names.domains.index(unit.domain), power.units[unit.group])
        part, usable = power.units[unit.group], board.performance.accelerators.get(unit.kind)
        for key in ("byte", "kernel", "stalled"):
            stated = getattr(part, f"{key}_capacitance_f")
            r[f"{key}_f"][u] = stated.value if stated else 0.0
        r["usable_bytes_per_cycle"][u] = usable.bytes_per_cycle.value if usable else 0.0
    for name, part in power.domains.items():
        d, p = names.domains.index(name), names.parts.index(f"{name}-shared")
        r["shared_part"][d] = p
        _part(r, p, d, part)
    r["memory_part"] = r["fan_part"] = -1
    if power.memory:
        p = r["memory_part"] = names.parts.index("memory")
        r["part_domain"][p] = names.domains.index(power.memory.domain)
        r["idle_f"][p] = power.memory.idle_capacitance_f.value
        r["energy_per_byte_j"] = power.memory.energy_j_per_byte.value
    for name, base in power.baseline.items():
        r["constant_w"][names.parts.index(name)] = base.power_w.value
    r["drawn_per_w"] = 1.0 + conversion_share(board)
    if board.limits.fan:
        r["fan_part"] = names.parts.index("fan")
        r["fan_w"][: r["fans"]] = board.limits.fan.power_w.array


def _part(r: Any, p: int, domain: int, part: Any) -> None:
    r["part_domain"][p] = domain
    r["active_f"][p] = part.active_capacitance_f.value
    r["idle_f"][p] = part.idle_capacitance_f.value


def _heat(r: Any, board: "Board", names: Lowered) -> None:
    n, m = len(names.nodes), len(names.parts)
    at = [names.nodes.index(z.node) for z in board.sensors.zones.values()]
    period_s = board.limits.control_period_s.value
    partial_ns = _partial_ns(board, round(period_s * 1e9))
    r["partial_ns"][: len(partial_ns)] = partial_ns
    steps_s = [*(ticks * period_s for ticks in STRIDES), *(ns * 1e-9 for ns in partial_ns)]
    for level, net in enumerate(names.networks):
        r["tau_s"][level] = 1.0  # beyond n, too: it is divided by
        r["tau_s"][level, :n] = 1.0 / net.rate_hz
        r["see"][level, :n, :m] = net.see
        r["heat"][level, :m, :n] = net.heat
        r["see_zone"][level, : len(at), :n] = net.from_modes[at]
        r["ambient_push_per_k"][level, :n] = net.ambient_push_per_k
        r["to_modes"][level, :n, :n] = net.to_modes
        r["from_modes"][level, :n, :n] = net.from_modes
        for k, step_s in enumerate(steps_s):
            filled = (r[key][level, k] for key in ("decay", "phi1", "phi2"))
            exponentials(r["tau_s"][level], step_s, *filled)


def _partial_ns(board: "Board", period_ns: int) -> list[int]:
    """Lengths within a period that come again and again, shortest events first."""
    transition_s = [s for clock in board.clocks.values() for s in clock.transition_s.value]
    events_s = {board.performance.migration_s.value, *transition_s}
    events_ns = sorted(ns for s in events_s if 0 < (ns := round(s * 1e9)) < period_ns)
    both = [length for ns in events_ns for length in (ns, period_ns - ns)]
    return list(dict.fromkeys(both))[:PARTIAL]


def _performance(r: Any, board: "Board", _: Lowered) -> None:
    perf = board.performance
    for k, core in enumerate(perf.cores.values()):
        r["pnorm"][k] = 1.0
        r["stall_activity"][k] = core.stall_activity.value
        r["corunner_stall"][k] = core.corunner_stall.value
        r["bandwidth_stall"][k] = core.bandwidth_stall.value
    for k, kind in enumerate(perf.accelerators.values(), start=len(perf.cores)):
        r["pnorm"][k] = kind.pnorm.value
        r["stall_activity"][k] = kind.stall_activity.value
    r["bytes_per_cycle"] = perf.bandwidth_bytes_per_cycle.value
    r["migration_ns"] = round(perf.migration_s.value * 1e9)


def _sensors(r: Any, board: "Board", names: Lowered) -> None:
    period_s = board.limits.control_period_s.value
    r["period_ns"] = round(period_s * 1e9)
    r["poll_ticks"] = max(1, round(board.limits.poll_s.value / period_s))
    for i, zone in enumerate(board.sensors.zones.values()):
        r["zone_step_k"][i] = zone.resolution_k.value
        r["zone_noise_k"][i] = zone.noise_k.value
        r["zone_offset_k"][i] = zone.offset_k.value
        r["zone_ticks"][i] = max(1, round(zone.period_s.value / period_s))
    for i, rail in enumerate(board.sensors.rails.values()):
        every = "everything" in rail.covers
        covers = [float(part in rail.covers) for part in names.parts]
        r["rail_covers"][i, : len(covers)] = r["drawn_per_w"] if every else covers
        r["rail_step_w"][i] = rail.resolution_w.value
        r["rail_noise"][i] = rail.noise.value
        r["rail_ticks"][i] = max(1, round(rail.period_s.value / period_s))
    r["input_rail"] = names.rails.index(board.sensors.input_rail) if names.rails else -1


def _trips(r: Any, board: "Board", names: Lowered) -> None:
    code = {"throttle": THROTTLE, "fan": FAN, "shutdown": SHUTDOWN}
    for i, trip in enumerate(board.limits.trips):
        r["trip_zone"][i] = names.zones.index(trip.zone)
        r["trip_kind"][i] = code[trip.kind]
        r["trip_c"][i] = trip.temp_c.value
        r["trip_hyst_k"][i] = trip.hysteresis_k.value
        r["trip_fan"][i] = trip.fan_level
        r["trip_domain"][i, : len(names.domains)] = [d in trip.domains for d in names.domains]
