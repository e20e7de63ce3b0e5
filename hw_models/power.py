"""Electrical power of a board's parts: switching, leakage, memory traffic."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hw_models.compiled import inline, jit

if TYPE_CHECKING:
    from hw_models.board import Board


@inline
def switching_w(active_f: float, idle_f: float, activity: float, volt_v: float, hz: float) -> float:
    """CMOS switching power (C_active * activity + C_idle) * V^2 * f in watts."""
    return (active_f * activity + idle_f) * volt_v * volt_v * hz


@inline
def byte_w(byte_f: float, busy: float, traffic: float, volt_v: float) -> float:
    """Power of a unit for the bytes that the memory moves while it is busy, in watts."""
    return byte_f * traffic * busy * volt_v * volt_v


@inline
def kernels_f(kernel_f: float, stalled_f: float, share: float) -> float:
    """Capacitance of kernels that run one by one while they use a share of the bandwidth."""
    return kernel_f + (stalled_f - kernel_f) * min(share, 1.0)


@inline
def leakage_shape(
    temp_c: float, ref_c: float, c1: float, c2: float, c3: float, low_c: float, high_c: float
) -> float:
    """Leakage relative to the reference temperature: a cubic in T, constant outside its range."""
    d = min(max(temp_c, low_c), high_c) - ref_c
    return 1.0 + d * (c1 + d * (c2 + d * c3))


@jit
def part_powers(
    b: Any,
    level: Any,
    busy: Any,
    activity: Any,
    traffic: float,
    fan: int,
    online: Any,
    power_w: Any,
    gain_w: Any,
) -> None:
    """Fill power_w and gain_w (m,): switching power and leakage gain of every part.

    b is a board's record, level (domains,) operating points, busy (units,) utilisation, activity
    (m,) that of the units on entry and of shared parts too on return, traffic in bytes/s, fan a
    level, online (units,) 0 where a unit is switched off and draws nothing.
    """
    for d in range(b.domains):
        if b.shared_part[d] >= 0:
            activity[b.shared_part[d]] = _domain_busy(b, level, busy, traffic, d)
    for p in range(b.parts):
        d = b.part_domain[p]
        if d < 0:
            power_w[p] = b.constant_w[p]
            gain_w[p] = b.leak_w[p]
            continue
        volt_v = b.volt_v[d, level[d]]
        hz = b.freq_hz[d, level[d]]
        power_w[p] = switching_w(b.active_f[p], b.idle_f[p], activity[p], volt_v, hz)
        gain_w[p] = b.leak_w[p] * b.leak_factor[d, level[d]]
    for u in range(b.units):
        if online[u] == 0:
            power_w[u] = 0.0
            gain_w[u] = 0.0
        elif b.byte_f[u] > 0.0:
            volt_v = b.volt_v[b.unit_domain[u], level[b.unit_domain[u]]]
            power_w[u] += byte_w(b.byte_f[u], busy[u], traffic, volt_v)
    if b.memory_part >= 0:
        power_w[b.memory_part] += traffic * b.energy_per_byte_j
    if b.fan_part >= 0:
        power_w[b.fan_part] = b.fan_w[fan]


@jit
def _domain_busy(b: Any, level: Any, busy: Any, traffic: float, d: int) -> float:
    """Utilisation of the busiest unit of a domain; of the memory, share of its bandwidth."""
    if d == b.memory_domain:
        return min(1.0, traffic / (b.bytes_per_cycle * b.freq_hz[d, level[d]]))
    most = 0.0
    for u in range(b.units):
        if b.unit_domain[u] == d:
            most = max(most, busy[u])
    return most


@jit
def busy_powers(
    b: Any,
    level: Any,
    busy: Any,
    loop: Any,
    traffic: float,
    fan: int,
    online: Any,
    power_w: Any,
    gain_w: Any,
) -> None:
    """`part_powers` where all that is known of a unit's activity is how busy it is.

    loop (units,) is 1 for a unit that runs one loop, 0 for one that runs kernels one by one.
    """
    activity = np.zeros(b.parts)
    for u in range(b.units):
        activity[u] = busy[u]
    part_powers(b, level, busy, activity, traffic, fan, online, power_w, gain_w)
    for u in range(b.units):
        if loop[u] < 1.0 and online[u] != 0:
            d, memory = b.unit_domain[u], b.memory_domain
            usable = b.usable_bytes_per_cycle[u] * b.freq_hz[memory, level[memory]]
            active_f = kernels_f(b.kernel_f[u], b.stalled_f[u], traffic / usable)
            volt_v, hz = b.volt_v[d, level[d]], b.freq_hz[d, level[d]]
            alone_w = switching_w(active_f, b.idle_f[u], busy[u], volt_v, hz)
            power_w[u] = loop[u] * power_w[u] + (1.0 - loop[u]) * alone_w


@jit
def _on_record(
    board: Any, level: Any, busy: Any, loop: Any, traffic: float, fan: int, online: Any
) -> Any:
    """`busy_powers` of a record (1,), as rows (2, m): switching power, leakage gain."""
    found_w = np.zeros((2, board[0].parts))
    busy_powers(board[0], level, busy, loop, traffic, fan, online, found_w[0], found_w[1])
    return found_w


def powers_w(
    board: "Board",
    *,
    level: NDArray[np.int64],
    busy: NDArray[np.float64],
    loop: NDArray[np.float64] | None = None,
    traffic: float = 0.0,
    fan: int = 0,
    online: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Switching power and leakage gain of every part, (n_parts,) each, in board order.

    level (n_domains,) operating points, busy (n_units,) shares, loop (n_units,) 0 where a unit runs
    kernels one by one, traffic in bytes/s, fan a level, online (n_units,) 0 where a unit is off. A
    part's leakage is its gain times `leakage_shape`.
    """
    on = np.ones(len(busy), dtype=np.int64) if online is None else online
    one = np.ones(len(busy)) if loop is None else loop
    power_w, gain_w = _on_record(board.lower().record, level, busy, one, float(traffic), fan, on)
    return power_w, gain_w


def leakage_w(board: "Board", part: str, volt_v: float, temp_c: float) -> float:
    """Leakage of one part at a voltage and a temperature; the board file's [power.leakage]."""
    law = board.power.leakage
    c1, c2, c3 = law.coefficients.value
    shape = leakage_shape(temp_c, law.reference_c.value, c1, c2, c3, *law.valid_c)
    part_w = leakage_at_one_volt_w(board)[board.parts.index(part)]
    return float(part_w * volt_v**law.volt_exponent.value * shape)


def leakage_at_one_volt_w(board: "Board") -> NDArray[np.float64]:
    """Leakage of every part at 1 V and the reference temperature, (n_parts,) in board order."""
    power = board.power
    units = [power.units[u.group].leakage_w.value for u in board.unit_list]
    shared = [p.leakage_w.value for p in power.domains.values()]
    memory = [power.memory.leakage_w.value] if power.memory else []
    return np.pad(
        np.array([*units, *shared, *memory]), (0, len(board.parts) - len(units + shared + memory))
    )
