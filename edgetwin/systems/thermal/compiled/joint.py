"""The best placement of all jobs together: branch and bound over clusters, then over cores."""

from typing import Any

import numpy as np

from edgetwin.kernel.outlook import go_to_steady_state, least_clocks
from edgetwin.kernel.sensors import true_zone_c
from edgetwin.kernel.state import QOS_SHARE, SLOTS, STATE_DTYPE
from edgetwin.systems.thermal.compiled.judge import kept
from hw_models.compiled import free, jit

# A part of the jobs heats less than all of them, but for what contention takes off: see `_leads`.
_SLACK_K = 0.05


@free
def place_all(
    states: Any, records: Any, of_board: Any, tables: Any, cores: int, clusters: int, unit: Any,
    missed: Any, temp_c: Any, asked: Any,
) -> None:  # fmt: skip
    """Fill the best placement unit (n, SLOTS), how many targets it misses and the heat it ends in.

    Fewest missed targets come first, then the coolest SoC. Boards with more jobs than cores, and
    with fewer than one, keep their placement. asked (n,) counts the placements that were tried.
    """
    work = np.zeros(1, STATE_DTYPE)
    for i in range(len(states)):
        b = records[of_board[i]]
        table = tables[of_board[i]]
        work[0] = states[i]
        s = work[0]
        n = 0
        jobs = np.zeros(SLOTS, np.int64)
        for j in range(s.slots):
            s.job_row[j] = s.job_first[j]
            if 0 <= s.job_unit[j] < cores:
                jobs[n] = j
                n += 1
        unit[i] = states[i].job_unit
        missed[i] = outlook(s, b, table, clusters)
        temp_c[i] = true_zone_c(s, b, 0)
        asked[i] = 1
        if 0 < n <= cores:
            _by_target(s, jobs, n)
            found = (unit[i], missed[i : i + 1], temp_c[i : i + 1], asked[i : i + 1])
            _search(s, b, table, jobs[:n], cores, clusters, found)
            _shuffle(s, b, table, jobs[:n], cores, clusters, found)


@jit
def outlook(s: Any, b: Any, table: Any, clusters: int) -> int:
    """Settle clocks and heat; how many jobs miss their targets."""
    least_clocks(s, b, table, clusters)
    go_to_steady_state(s, b)
    slow = 0
    for j in range(s.slots):
        if s.job_unit[j] >= 0 and kept(s, j) < QOS_SHARE:
            slow += 1
    return slow


@jit
def _by_target(s: Any, jobs: Any, n: int) -> None:
    """Jobs in descending order of target: the demanding ones decide most."""
    for k in range(1, n):
        j = jobs[k]
        at = k
        while at > 0 and s.job_target[jobs[at - 1]] < s.job_target[j]:
            jobs[at] = jobs[at - 1]
            at -= 1
        jobs[at] = j


@jit
def _search(s: Any, b: Any, table: Any, jobs: Any, cores: int, clusters: int, found: Any) -> None:
    """Depth first over the cluster of each job; found: unit, missed, temp_c, asked.

    Within a cluster jobs take cores in order, which matters by hundredths of a kelvin.
    """
    n = len(jobs)
    choice = np.full(n + 1, -1, np.int64)
    for j in jobs:
        s.job_unit[j] = -1
    depth = 0
    while depth >= 0:
        if depth == n:
            depth -= 1
            continue
        s.job_unit[jobs[depth]] = -1
        choice[depth] += 1
        if choice[depth] == clusters:
            choice[depth] = -1
            depth -= 1
            continue
        core = _free_core(s, b, choice[depth], cores)
        if core < 0:
            continue
        s.job_unit[jobs[depth]] = core
        missed = outlook(s, b, table, clusters)
        found[3][0] += 1
        if _leads(missed, true_zone_c(s, b, 0), depth == n - 1, found):
            if depth == n - 1:
                _keep(s, missed, true_zone_c(s, b, 0), found)
            else:
                depth += 1


@jit
def _free_core(s: Any, b: Any, cluster: int, cores: int) -> int:
    """The first core of a cluster without a job, -1 if there is none."""
    for core in range(cores):
        if b.unit_domain[core] == cluster:
            taken = False
            for j in range(s.slots):
                if s.job_unit[j] == core:
                    taken = True
            if not taken:
                return core
    return -1


@jit
def _leads(missed: int, temp_c: float, is_whole: bool, found: Any) -> bool:
    """May this placement, or what it grows into, beat the best so far?"""
    if missed != found[1][0]:
        return missed < found[1][0]
    slack_k = 0.0 if is_whole else _SLACK_K
    return temp_c < found[2][0] + slack_k


@jit
def _keep(s: Any, missed: int, temp_c: float, found: Any) -> None:
    """This placement is the best so far."""
    found[0][:] = s.job_unit
    found[1][0] = missed
    found[2][0] = temp_c


@jit
def _shuffle(s: Any, b: Any, table: Any, jobs: Any, cores: int, clusters: int, found: Any) -> None:
    """Within clusters, move jobs to free cores and swap them while that cools the SoC."""
    is_better = True
    while is_better:
        is_better = False
        for j in jobs:
            for core in range(cores):
                s.job_unit[:] = found[0]
                home = s.job_unit[j]
                if core == home or b.unit_domain[core] != b.unit_domain[home]:
                    continue
                for k in jobs:
                    if s.job_unit[k] == core:
                        s.job_unit[k] = home
                s.job_unit[j] = core
                missed = outlook(s, b, table, clusters)
                found[3][0] += 1
                if missed <= found[1][0] and true_zone_c(s, b, 0) < found[2][0] - 1e-4:
                    _keep(s, missed, true_zone_c(s, b, 0), found)
                    is_better = True
