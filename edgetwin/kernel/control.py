"""Control loops that belong to the board: sensors, governors, trips, fan, clock changes."""

from typing import Any

import numpy as np

from edgetwin.kernel.heat import set_fan
from edgetwin.kernel.state import NEVER, QOS_SHARE
from hw_models.compiled import inline, jit
from hw_models.limits import fan_by_trips
from hw_models.lowering import GOVERNORS, SHUTDOWN, THROTTLE

PERFORMANCE, POWERSAVE, USERSPACE, ONDEMAND, SCHEDUTIL, QOS_DVFS = range(len(GOVERNORS))
# Linux kernel, Documentation/admin-guide/pm/cpufreq.rst: ondemand goes to the maximum above
# up_threshold (default 80 %); schedutil asks for 1.25 * max_freq * util.
UP_THRESHOLD = 0.80
SCHEDUTIL_MARGIN = 1.25


@jit
def request(s: Any, b: Any, d: int, level: int) -> None:
    """Ask a clock domain for an operating point; it runs after the transition time."""
    level = min(max(level, 0), s.ceiling[d], s.trip_cap[d])
    if s.refused[d] or level == s.target[d]:
        return
    s.target[d] = level
    s.steady = 0
    s.transitions += 1
    s.switch_ns[d] = s.t_ns + b.transition_ns[d, level]
    if level == s.level[d]:
        s.switch_ns[d] = NEVER
    elif b.transition_ns[d, level] == 0:
        switch(s, d)


@jit
def switch(s: Any, d: int) -> None:
    """The requested clock starts to run."""
    s.level[d] = s.target[d]
    s.switch_ns[d] = NEVER
    s.dirty = 1


@jit
def control(s: Any, b: Any) -> None:
    """One control period begins: trips and fan when polled, then every governor."""
    s.steady = 1 if s.calm >= 0 else 0
    is_first = s.calm == 0
    s.calm += 1
    if s.off:
        s.tick += 1
        return
    if s.tick % b.poll_ticks == 0:
        _trips(s, b)
    _demand(s, b)
    if is_first and _looks_back(s, b):
        s.steady = 0
    for d in range(b.domains):
        request(s, b, d, _wanted(s, b, d))
        if s.switch_ns[d] < NEVER:
            s.steady = 0
        s.skip[d] = 0
    if s.dirty:
        s.steady = 0
    s.tick += 1


@jit
def _looks_back(s: Any, b: Any) -> bool:
    """Does some governor go by the period that has passed, in which an input has changed?

    The utilisation of the memory is that of now, and what was and is idle has nothing to tell.
    """
    for d in range(b.domains):
        if s.skip[d]:
            return True
    for u in range(b.units):
        d = b.unit_domain[u]
        if s.governor[d] in (ONDEMAND, SCHEDUTIL) and s.domain_busy[d] + s.busy[u] > 0.0:
            return True
    return False


@jit
def _demand(s: Any, b: Any) -> None:
    """What governors look at: utilisation of the last period, clock that targets ask for."""
    period_s = b.period_ns * 1e-9
    for d in range(b.domains):
        s.domain_busy[d] = 0.0
        s.domain_need_hz[d] = 0.0
    for u in range(b.units):
        d = b.unit_domain[u]
        busy = (s.busy_s[u] - s.busy_mark_s[u]) / period_s
        s.domain_busy[d] = max(s.domain_busy[d], busy)
        s.busy_mark_s[u] = s.busy_s[u]
    d = b.memory_domain
    if d >= 0:
        s.domain_busy[d] = s.traffic / (b.bytes_per_cycle * b.freq_hz[d, s.level[d]])
    for j in range(s.slots):
        if s.job_unit[j] >= 0 and s.job_rate[j] > 0.0:
            d = b.unit_domain[s.job_unit[j]]
            need_hz = b.freq_hz[d, s.level[d]] * (s.job_target[j] / s.job_rate[j])
            s.domain_need_hz[d] = max(s.domain_need_hz[d], need_hz)


@jit
def _wanted(s: Any, b: Any, d: int) -> int:
    """The operating point that the domain's governor would like next."""
    top = b.levels[d] - 1
    g = s.governor[d]
    if g == PERFORMANCE:
        return top
    if g == POWERSAVE:
        return 0
    if g == USERSPACE:
        return s.fixed[d]
    if g == QOS_DVFS:
        return _qos(s, b, d)
    busy = s.domain_busy[d]
    hz = SCHEDUTIL_MARGIN * busy * b.freq_hz[d, s.level[d]]
    if g == ONDEMAND:
        low_hz = b.freq_hz[d, 0]
        hz = np.inf if busy > UP_THRESHOLD else low_hz + busy * (b.freq_hz[d, top] - low_hz)
    return lowest_at_least(b, d, hz)


@jit
def lowest_at_least(b: Any, d: int, hz: float) -> int:
    """The lowest operating point of a domain that runs at hz or faster, else the top."""
    level = 0
    while level < b.levels[d] - 1 and b.freq_hz[d, level] < hz * (1.0 - 1e-9):
        level += 1
    return level


@jit
def _qos(s: Any, b: Any, d: int) -> int:
    """The rule of arXiv 2206.05459: f >= f_now * target / rate, one level per period.

    The domain follows its most demanding application, rests at the lowest level when it has
    none, and holds still right after a migration.
    """
    if s.skip[d]:
        return s.target[d]
    goal = lowest_at_least(b, d, s.domain_need_hz[d])
    return one_step(s.target[d], goal)


@inline
def one_step(now: int, goal: int) -> int:
    """The operating point next to now on the way to goal."""
    return now + (goal > now) - (goal < now)


@jit
def _trips(s: Any, b: Any) -> None:
    """Throttle, fan and shutdown by what the sensors report; a forced trip never shuts down."""
    for i in range(b.trips):
        if b.trip_kind[i] == SHUTDOWN and s.zone_c[b.trip_zone[i]] >= b.trip_c[i]:
            s.off = 1
            s.dirty = 1
    for z in range(b.zones):
        s.seen_c[z] = np.inf if (s.trip_forced >> z) & 1 else s.zone_c[z]
    _throttle(s, b)
    wanted = fan_by_trips(b, s.seen_c, s.fan) if s.fan_manual < 0 else s.fan_manual
    if wanted != s.fan:
        set_fan(s, b, wanted)


@jit
def _throttle(s: Any, b: Any) -> None:
    """Lower the ceiling of a domain by one level while too hot, raise it when cool again."""
    s.throttled = 0
    for d in range(b.domains):
        step = 1
        for i in range(b.trips):
            if b.trip_kind[i] == THROTTLE and b.trip_domain[i, d]:
                c = s.seen_c[b.trip_zone[i]]
                if c >= b.trip_c[i]:
                    step = -1
                elif not c < b.trip_c[i] - b.trip_hyst_k[i]:
                    step = min(step, 0)
        before = s.trip_cap[d]
        s.trip_cap[d] = min(max(before + step, 0), b.levels[d] - 1)
        if s.trip_cap[d] != before:
            s.steady = 0
        if s.trip_cap[d] < b.levels[d] - 1:
            s.throttled = 1


@inline
def below_target(rate: float, target: float) -> bool:
    """An application that runs slower than 98 % of its target."""
    return rate < QOS_SHARE * target
