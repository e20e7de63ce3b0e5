"""Events per second of the simpy loop with a kernel between events, beside polling processes."""

from statistics import median
from typing import Any

from benchmarks.foundation.job_sets import levels_of
from benchmarks.foundation.naive import NaiveBoard
from benchmarks.foundation.speed import AgainstPolling
from benchmarks.foundation.workload import simulator, temps_of
from benchmarks.frame.side_by_side import median_ratio
from edgetwin.studies import Figure, row


def measure(quick: bool) -> dict[str, Any]:
    """A HiKey 970 with 8 applications: what a simulated second takes, and what happens in it."""
    rounds, duration_s = (3, 100.0) if quick else (5, 300.0)
    contest = AgainstPolling(duration_s)
    found = contest.run(rounds)
    workload = contest.workload(0)
    sim = simulator(workload)
    naive = NaiveBoard(workload, temps_of(sim), levels_of(sim))
    naive.run()
    sim.run_until(round(duration_s * 1e9))
    events = len(workload.moves) + len(sim.results()) + len(sim.finished)
    twin_s, naive_s = median(found["twin"]), median(found["naive"])
    apart = max(completions for completions, *_ in contest.differences)
    return row(
        {
            "times_faster": Figure(
                value=median_ratio(found, "naive", "twin"), bar=250.0, at_least=True
            ),
            "completions_apart": Figure(value=float(apart), bar=2.0),
        },
        n={"rounds": rounds, "simulated_s": duration_s},
        twin_events_per_s=events / duration_s / twin_s,
        naive_events_per_s=naive.wakeups / duration_s / naive_s,
        twin_events_per_simulated_s=events / duration_s,
        naive_events_per_simulated_s=naive.wakeups / duration_s,
        control_periods_per_s=1.0 / 0.05 / twin_s,
        method="arrivals, moves and completions are events of the twin; the rest is in the kernel",
    )
