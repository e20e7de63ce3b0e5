"""Joules are neither lost nor made: the energy counter against three independent sums."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.foundation.job_sets import random_job_set, run_both, without_leakage
from benchmarks.foundation.plain_heat import PlainHeat
from benchmarks.foundation.workload import BOARD, drawn_j, eight_applications, simulator, temps_of
from edgetwin.kernel.heat import flush_heat
from edgetwin.simulator import Simulator
from edgetwin.studies import Figure, row
from hw_models import load_board

Array = NDArray[np.float64]
SAMPLE_S = 0.005


def measure(quick: bool) -> dict[str, Any]:
    """The counter against watts times seconds, against heat, and against an integrator."""
    n_off, n_heat, n_on = (30, 3, 4) if quick else (100, 6, 16)
    rng = np.random.default_rng(20)
    off = [counter_error_without_leakage(rng, 60.0) for _ in range(n_off)]
    heat = [heat_errors(seed, 60.0) for seed in range(n_heat)]
    on = [counter_error_with_leakage(rng, 60.0) for _ in range(n_on)]
    return row(
        {
            "leakage_off_counter": Figure(value=max(off), bar=1e-9),
            "leakage_on_heat": Figure(value=max(e for e, _ in heat), bar=1e-9),
            "leakage_on_heat_counter": Figure(value=max(e for _, e in heat), bar=1e-9),
            "leakage_on_counter": Figure(value=max(on), bar=1e-5),
        },
        n={"leakage_off_job_sets": n_off, "heat_balances": n_heat, "leakage_on_job_sets": n_on},
        method=(
            "relative errors. leakage_off_counter: watts times seconds of an event-by-event "
            "reference in plain Python. leakage_on_heat: energy in against stored heat plus "
            "Simpson's rule over sampled temperatures; leakage_on_heat_counter: the same against "
            "the kernel's own count of heat to the ambient, with coasting. leakage_on_counter: "
            "LSODA at rtol 1e-10 with energy as a state."
        ),
    )


def counter_error_without_leakage(rng: np.random.Generator, duration_s: float) -> float:
    """Relative difference of the counter and watts times seconds for one random job set."""
    board = without_leakage(BOARD)
    both = run_both(board, random_job_set(rng, board, duration_s))
    summed_j = sum(float(s.power_w.sum()) * s.dt_s for s in both.stretches)
    return abs(both.counted_j / summed_j - 1.0)


def counter_error_with_leakage(rng: np.random.Generator, duration_s: float) -> float:
    """Relative difference of the counter and an integrator with energy as a state."""
    board = load_board(BOARD)
    both = run_both(board, random_job_set(rng, board, duration_s))
    heat, temps_c, energy_j = PlainHeat(board), both.start_c, 0.0
    for s in both.stretches:
        temps_c, energy_j = heat.follow(temps_c, energy_j, s.power_w, s.gain_w, s.dt_s)
    return abs(both.counted_j / energy_j - 1.0)


def heat_errors(seed: int, duration_s: float) -> tuple[float, float]:
    """What is missing of the energy drawn, as a share of it: sampled heat, counted heat."""
    workload = eight_applications(seed, duration_s)
    heat = PlainHeat(workload.board)
    sampled, coasting = (simulator(workload, coast=coast) for coast in (False, True))
    start = temps_of(sampled)
    temps_c = np.array([start, *_samples(sampled, duration_s)])
    lost_j = _simpson(heat.to_ambient_w(temps_c), SAMPLE_S)
    left_j = drawn_j(sampled) - lost_j - heat.stored_j(temps_c[-1] - start)
    coasting.run_until(round(duration_s * 1e9))
    flush_heat(coasting.state[0], coasting.lowered.record[0])
    counted_j = float(coasting.state[0]["heat_out_j"])
    missing_j = drawn_j(coasting) - counted_j - heat.stored_j(temps_of(coasting) - start)
    return abs(left_j) / drawn_j(sampled), abs(missing_j) / drawn_j(coasting)


def _samples(sim: Simulator, duration_s: float) -> list[Array]:
    """Node temperatures every SAMPLE_S."""
    found = []
    for i in range(1, round(duration_s / SAMPLE_S) + 1):
        sim.run_until(round(i * SAMPLE_S * 1e9))
        found.append(temps_of(sim))
    return found


def _simpson(values: Array, step_s: float) -> float:
    """Simpson's rule over an even number of steps."""
    return float(step_s / 3.0 * (values[0] + values[-1] + 4.0 * values[1::2].sum()
                                 + 2.0 * values[2:-1:2].sum()))  # fmt: skip
