"""How fast one board runs: against polling processes, and with quiet stretches jumped over."""

from collections.abc import Callable
from statistics import median
from typing import Any, final

import numpy as np

from benchmarks.foundation.job_sets import levels_of
from benchmarks.foundation.naive import NaiveBoard
from benchmarks.foundation.workload import (
    BOARD,
    Workload,
    begin,
    drawn_j,
    eight_applications,
    simulator,
    temps_of,
)
from benchmarks.frame.side_by_side import Contest, median_ratio, side_by_side, timed_s
from edgetwin.simulator import Simulator
from edgetwin.studies import Figure, row
from hw_models import load_board

REPEATS = 5
COASTING_ROUNDS = 21  # a round takes a tenth of a second, and single ones differ by a third
WARM_UP_S, HOUR_S = 20.0, 3600.0


@final
class AgainstPolling:
    """The twin and the polling model on the same workloads, a new one in every round."""

    def __init__(self, duration_s: float, *, stretched: bool = True) -> None:
        self.duration_s = duration_s
        self.stretched = stretched
        self.sims = [Simulator(load_board(BOARD)) for _ in range(REPEATS)]
        self.differences: list[tuple[float, float, float, float]] = []

    def workload(self, number: int) -> Workload:
        """Eight applications, moved every half second, come and go; a short one to warm up."""
        duration_s = WARM_UP_S if number < 0 else self.duration_s
        return eight_applications(number + 1, duration_s, stretched=self.stretched)

    def run_twin(self, number: int) -> float:
        """Wall seconds of the twin per simulated second, the mean of some runs."""
        workload = self.workload(number)
        sims = [begin(sim, workload) for sim in self.sims]
        end = round(workload.duration_s * 1e9)
        return timed_s(lambda: _run_all(sims, end)) / REPEATS / workload.duration_s

    def run_naive(self, number: int) -> float:
        """Wall seconds of the polling model per simulated second; its work is checked."""
        workload = self.workload(number)
        sim = simulator(workload)
        naive = NaiveBoard(workload, temps_of(sim), levels_of(sim))
        taken_s = timed_s(naive.run)
        sim.run_until(round(workload.duration_s * 1e9))
        if number >= 0:
            self.differences.append(differences(sim, naive))
        return taken_s / workload.duration_s

    def run(self, rounds: int) -> Contest:
        """Both side by side."""
        return side_by_side({"naive": self.run_naive, "twin": self.run_twin}, rounds)


def _run_all(sims: list[Simulator], end: int) -> None:
    for sim in sims:
        sim.run_until(end)


def differences(sim: Simulator, naive: NaiveBoard) -> tuple[float, float, float, float]:
    """Completions and arrivals apart (counts), moves and joules apart (shares)."""
    moves = float(sim.kpis()["migrations"] or 0.0)
    return (
        abs(len(sim.finished) - naive.completed),
        abs(len(sim.results()) - naive.arrived),
        abs(naive.migrations / moves - 1.0),
        abs(naive.energy_j / drawn_j(sim) - 1.0),
    )


def measure_polling(quick: bool) -> dict[str, Any]:
    """Simulated time per wall time of the twin over that of the polling model."""
    rounds, duration_s = (3, 200.0) if quick else (7, 600.0)
    contest = AgainstPolling(duration_s)
    found = contest.run(rounds)
    done, came, moved, joules = np.array(contest.differences).max(axis=0)
    faster = median_ratio(found, "naive", "twin")
    short = AgainstPolling(duration_s, stretched=False).run(2 if quick else 5)
    return row(
        {
            "times_faster": Figure(value=faster, bar=250.0, goal=300.0, at_least=True),
            "completions_apart": Figure(value=float(done), bar=2.0),
            "arrivals_apart": Figure(value=float(came), bar=2.0),
            "moves_apart_share": Figure(value=float(moved), bar=0.02),
            "energy_apart_share": Figure(value=float(joules), bar=0.01),
        },
        n={"rounds": rounds, "simulated_s_per_round": duration_s},
        times_faster_phases_as_measured=median_ratio(short, "naive", "twin"),
        times_real_time=1.0 / median(found["twin"]),
        naive_times_real_time=1.0 / median(found["naive"]),
        method=(
            "the same arrivals and moves; the polling model sees completions up to 50 ms late, "
            "changes clocks at once and steps heat by forward Euler, hence the tolerances"
        ),
    )


def measure_coasting(quick: bool) -> dict[str, Any]:
    """An hour of arrivals, with quiet stretches jumped over and stepped through."""
    instants = 40 if quick else 200
    quiet = _stepping_over_coasting(COASTING_ROUNDS)
    short = _stepping_over_coasting(COASTING_ROUNDS, stretched=False)
    errors_k, differing = [], 0
    for seed in range(1, 1 + (2 if quick else 5)):
        workload = _hour(seed)
        errors_k.append(largest_error_k(workload, instants, seed))
        differing += differing_jobs(workload)
    return row(
        {
            "times_faster": Figure(value=quiet[0], bar=4.0, at_least=True),
            "max_temp_difference_k": Figure(value=max(errors_k), bar=1e-3),
            "differing_completions": Figure(value=float(differing), bar=0.0),
        },
        n={
            "rounds": COASTING_ROUNDS,
            "hours_compared": len(errors_k),
            "instants_per_hour": instants,
        },
        times_faster_phases_as_measured=short[0],
        times_real_time=quiet[1],
        method=(
            "every instant reached by a fresh run; jobs differ if their end or their time below "
            "target differs by more than 1 us, or their violation"
        ),
    )


def _hour(seed: int, *, stretched: bool = True) -> Workload:
    return eight_applications(seed, HOUR_S, moved=False, stretched=stretched)


def _stepping_over_coasting(rounds: int, *, stretched: bool = True) -> tuple[float, float]:
    """(how many times faster coasting is, times real time of coasting)."""

    def contestant(coast: bool) -> Callable[[int], float]:
        sim = Simulator(load_board(BOARD), coast=coast)

        def run(number: int) -> float:
            begin(sim, _hour(number + 1, stretched=stretched))
            return timed_s(lambda: sim.run_until(round(HOUR_S * 1e9)))

        return run

    found = side_by_side({"stepped": contestant(False), "coasted": contestant(True)}, rounds)
    return median_ratio(found, "stepped", "coasted"), HOUR_S / median(found["coasted"])


def largest_error_k(workload: Workload, instants: int, seed: int) -> float:
    """Largest difference of any node at random control periods of the workload.

    Every instant is reached by a fresh run, for a stop on the way would end a jump.
    """
    rng, worst_k = np.random.default_rng(seed), 0.0
    ticks = np.sort(rng.integers(1, round(workload.duration_s / 0.05), instants))
    stepped = simulator(workload, coast=False)
    for tick in ticks:
        end = int(tick) * 50_000_000
        coasted = simulator(workload, coast=True)
        stepped.run_until(end)
        coasted.run_until(end)
        worst_k = max(worst_k, float(np.abs(temps_of(stepped) - temps_of(coasted)).max()))
    return worst_k


def differing_jobs(workload: Workload) -> int:
    """How many jobs end or violate otherwise when quiet stretches are jumped over."""
    a, b = (simulator(workload, coast=coast) for coast in (False, True))
    for sim in (a, b):
        sim.run_until(round(workload.duration_s * 1e9))
    count = abs(len(a.results()) - len(b.results()))
    for one, other in zip(a.results(), b.results(), strict=False):
        ends_s = [-1.0 if job.end_s is None else job.end_s for job in (one, other)]
        alike = one.id == other.id and abs(ends_s[0] - ends_s[1]) <= 1e-6
        alike = alike and abs(one.below_s - other.below_s) <= 1e-6
        count += not (alike and one.violated == other.violated)
    return count
