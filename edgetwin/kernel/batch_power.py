"""Switching power and leakage gain of LANES boards: `part_powers` of hw_models over lanes."""

from typing import Any

from edgetwin.kernel.batch_work import (
    CLOCK_HZ,
    CLOCK_V,
    LEAK_SHARE,
)
from hw_models.compiled import merged
from hw_models.lane_functions import (
    floats,
    load,
    pick,
    put,
    where,
)
from hw_models.power import byte_w, switching_w


@merged
def powers_lanes(f: Any, n: Any, at: Any, b: Any, w: Any, mask: Any) -> None:
    """Switching power and leakage gain of every part, and what peaks add; see `part_powers`."""
    traffic = load(f, at.traffic)
    for d in range(b.domains):
        if b.shared_part[d] >= 0:
            most = floats(0.0, w)
            if d == b.memory_domain:
                most = min(traffic / (load(w, CLOCK_HZ + d) * b.bytes_per_cycle), 1.0)
            else:
                for u in range(b.units):
                    if b.unit_domain[u] == d:
                        most = max(most, load(f, at.busy + u))
            put(f, at.activity + b.shared_part[d], mask, most)
    on = load(n, at.off) == 0
    for p in range(b.parts):
        d = b.part_domain[p]
        power_w = floats(b.constant_w[p], w)
        gain_w = floats(b.leak_w[p], w)
        if d >= 0:
            volt_v = load(w, CLOCK_V + d)
            active = load(f, at.activity + p)
            power_w = switching_w(b.active_f[p], b.idle_f[p], active, volt_v, load(w, CLOCK_HZ + d))
            gain_w = b.leak_w[p] * load(w, LEAK_SHARE + d)
        drawn = on
        if p < b.units:
            drawn = on & (load(n, at.online + p) != 0)
            if b.byte_f[p] > 0.0:
                power_w += byte_w(b.byte_f[p], load(f, at.busy + p), traffic, load(w, CLOCK_V + d))
        if p == b.memory_part:
            power_w = power_w + traffic * b.energy_per_byte_j
        if p == b.fan_part:
            power_w = floats(pick(b.fan_w, load(n, at.fan)), w)
        put(f, at.power_w + p, mask, where(drawn, power_w, 0.0))
        put(f, at.gain_w + p, mask, where(drawn, gain_w, 0.0))
    put(f, at.peak_extra_w, mask, _peaks_w(f, n, at, b, w))


@merged
def _peaks_w(f: Any, n: Any, at: Any, b: Any, w: Any) -> Any:
    """What the peaks of accelerators draw above the mean."""
    extra_w = floats(0.0, w)
    for u in range(b.units):
        if b.unit_host[u] >= 0:
            d = b.unit_domain[u]
            more = load(f, at.peak_activity + u) - load(f, at.activity + u)
            more = where(load(n, at.online + u) != 0, max(more, 0.0), 0.0)
            extra_w += switching_w(
                b.active_f[u], 0.0, more, load(w, CLOCK_V + d), load(w, CLOCK_HZ + d)
            )
    return extra_w
