"""What jobs, placement and surroundings lead to if nothing changes any more, without stepping.

For oracles, which ask it thousands of times a second: the clocks that the rule of the governor
"qos-dvfs" comes to rest at, the steady state under them, and the heat some time from now. All
functions change the record they are given: give a copy.
"""

from typing import Any

import numpy as np

from edgetwin.kernel.control import lowest_at_least
from edgetwin.kernel.inputs import heat_inflow, part_inputs, work_rates
from edgetwin.kernel.passing import heat
from hw_models.compiled import jit
from hw_models.lowering import STRIDES

# Modal temperatures that move by less than this in an iteration have settled.
_SETTLED = 1e-7
_MOST = 200


@jit
def least_clocks(s: Any, b: Any, table: Any, domains: int) -> float:
    """Put the first `domains` clocks at the lowest points at which every job meets its target.

    Returns the least ratio of rate to target among the jobs (inf if none has a target), below 1
    where even the highest points are too slow for some. Rates only fall short by more than
    f_now / f where a clock rises from f_now to f, so that no point above the lowest is reached.
    """
    for d in range(domains):
        s.level[d] = 0
    for j in range(s.slots):
        s.job_hold_ns[j] = 0
    while True:
        work_rates(s, b, table)
        worst = _needs(s, b, domains)
        is_settled = True
        for d in range(domains):
            goal = lowest_at_least(b, d, s.domain_need_hz[d])
            if goal > s.level[d]:
                s.level[d] = goal
                is_settled = False
        if is_settled:
            return worst


@jit
def _needs(s: Any, b: Any, domains: int) -> float:
    """The clock that the jobs of each domain ask for; the least ratio of rate to target."""
    worst = np.inf
    for d in range(domains):
        s.domain_need_hz[d] = 0.0
    for j in range(s.slots):
        if s.job_unit[j] < 0 or s.job_target[j] <= 0.0:
            continue
        d = b.unit_domain[s.job_unit[j]]
        ratio = s.job_rate[j] / s.job_target[j]
        worst = min(worst, ratio)
        if d < domains and ratio > 0.0:
            need_hz = b.freq_hz[d, s.level[d]] / ratio
            s.domain_need_hz[d] = max(s.domain_need_hz[d], need_hz)
    return worst


@jit
def go_to_steady_state(s: Any, b: Any) -> None:
    """Put the heat where the rates of `least_clocks` lead in the long run, leakage included.

    Fixed point of modes = push(modes) / rate, the steady state of the very step that the kernel
    takes; heat modes beyond the reach of leakage's range do not run away, as the law is constant
    there.
    """
    part_inputs(s, b)
    for _ in range(_MOST):
        heat_inflow(s, b)
        change = 0.0
        for i in range(b.nodes):
            new = s.push[i] * b.tau_s[s.fan, i]
            change = max(change, abs(new - s.modes[i]))
            s.modes[i] = new
        if change < _SETTLED:
            return


@jit
def go_ahead(s: Any, b: Any, longest: int) -> None:
    """Let heat flow under the rates of `least_clocks` for a while: see `ahead_s`.

    Steps grow from one control period to 256, `longest` of which come last.
    """
    part_inputs(s, b)
    heat_inflow(s, b)
    period_s = b.period_ns * 1e-9
    last = len(STRIDES) - 1
    for k in range(last + 1):
        steps = longest if k == last else STRIDES[k + 1] // STRIDES[k]
        for _ in range(steps):
            heat(s, b, STRIDES[k] * period_s, k)


def ahead_s(period_s: float, longest: int) -> float:
    """How far `go_ahead` looks, in seconds."""
    return period_s * (sum(STRIDES[1:]) + longest * STRIDES[-1])
