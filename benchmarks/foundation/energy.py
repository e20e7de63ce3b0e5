"""Joules are neither lost nor made: the energy counter against three independent sums."""

import tomllib
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from benchmarks.foundation.figures import Figure, row
from benchmarks.foundation.plain_heat import PlainHeat
from benchmarks.foundation.plain_work import task_of
from benchmarks.foundation.timeline import Course, Stretch, Turn, whole_ns_s
from benchmarks.foundation.workload import eight_applications, simulator
from edgetwin.kernel.heat import flush_heat
from edgetwin.progress import Progress
from edgetwin.simulator import Simulator
from hw_models import (
    Application,
    Board,
    Job,
    Knobs,
    TrainingJob,
    application_names,
    load_application,
    load_board,
    load_network,
)
from hw_models.board import parse_board

Array = NDArray[np.float64]
BOARD = "hikey970"
SAMPLE_S = 0.005


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class JobSet:
    """Jobs placed at t = 0 and what somebody does to them and to the clocks until duration_s."""

    jobs: tuple[tuple[str, Job, int], ...]
    turns: tuple[Turn, ...]
    duration_s: float


def measure(quick: bool, progress: Progress) -> dict[str, Any]:
    """The counter against watts times seconds, against heat, and against an integrator."""
    n_off, n_heat, n_on = (20, 2, 2) if quick else (100, 6, 10)
    rng = np.random.default_rng(20)
    off = [counter_error_without_leakage(rng, 60.0, progress) for _ in range(n_off)]
    heat = [heat_errors(seed, 60.0, progress) for seed in range(n_heat)]
    on = [counter_error_with_leakage(rng, 20.0, progress) for _ in range(n_on)]
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


def counter_error_without_leakage(
    rng: np.random.Generator, duration_s: float, progress: Progress
) -> float:
    """Relative difference of the counter and watts times seconds for one random job set."""
    board = without_leakage(BOARD)
    counted_j, _, stretches = run_both(board, random_job_set(rng, board, duration_s))
    summed_j = sum(float(s.power_w.sum()) * s.dt_s for s in stretches)
    progress.advance()
    return abs(counted_j / summed_j - 1.0)


def counter_error_with_leakage(
    rng: np.random.Generator, duration_s: float, progress: Progress
) -> float:
    """Relative difference of the counter and an integrator with energy as a state."""
    board = load_board(BOARD)
    counted_j, temps_c, stretches = run_both(board, random_job_set(rng, board, duration_s))
    heat, energy_j = PlainHeat(board), 0.0
    for s in stretches:
        temps_c, energy_j = heat.follow(temps_c, energy_j, s.power_w, s.gain_w, s.dt_s)
    progress.advance()
    return abs(counted_j / energy_j - 1.0)


def heat_errors(seed: int, duration_s: float, progress: Progress) -> tuple[float, float]:
    """What is missing of the energy drawn, as a share of it: sampled heat, counted heat."""
    board = load_board(BOARD)
    heat, plan = PlainHeat(board), eight_applications(seed, duration_s)
    sampled, coasting = (simulator(board, plan, coast=coast) for coast in (False, True))
    temps_c = np.array([start := temps_of(sampled), *_samples(sampled, duration_s)])
    lost_j = _simpson(heat.to_ambient_w(temps_c), SAMPLE_S)
    drawn_j = drawn_of(sampled) - lost_j - heat.stored_j(temps_c[-1] - start)
    coasting.run_until(round(duration_s * 1e9))
    flush_heat(coasting.state[0], coasting.lowered.record[0])
    counted_j = float(coasting.state[0]["heat_out_j"])
    missing_j = drawn_of(coasting) - counted_j - heat.stored_j(temps_of(coasting) - start)
    progress.advance()
    return abs(drawn_j) / drawn_of(sampled), abs(missing_j) / drawn_of(coasting)


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


def temps_of(sim: Simulator) -> Array:
    """True node temperatures, (n_nodes,)."""
    return np.array(list(sim.node_temps_c().values()))


def drawn_of(sim: Simulator) -> float:
    """The energy counter in joules."""
    return float(sim.kpis()["energy_j"] or 0.0)


def without_leakage(name: str) -> Board:
    """A shipped board whose parts leak nothing."""
    file = resources.files("hw_models") / "boards" / name / "board.toml"
    text = file.read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return Board.model_validate(_no_leakage(data))


def _no_leakage(data: Any) -> Any:
    """The same tree with every leakage_w at zero."""
    if not isinstance(data, dict):
        return data
    zero = {"value": 0.0, "std": 0.0}
    return {
        key: value | zero if key == "leakage_w" else _no_leakage(value)
        for key, value in data.items()
    }


def random_job_set(rng: np.random.Generator, board: Board, duration_s: float) -> JobSet:
    """Programs on cores, a training job on the GPU, clocks and places that change at random."""
    units = [unit.name for unit in board.unit_list]
    cores = [u for u, name in enumerate(units) if name.startswith("cpu")]
    jobs: list[tuple[str, Job, int]] = [
        (f"program-{i}", _program(rng, duration_s), int(rng.choice(cores)))
        for i in range(rng.integers(1, 9))
    ]
    if rng.random() < 0.7:
        samples = float(rng.uniform(50, 2000))
        network = load_network(str(rng.choice(["resnet18", "mobilenet_v2"])))
        training = TrainingJob(network=network, batch=8, samples_to_target={8: samples})
        jobs.append(("training", training, units.index("gpu")))
    turns = [_turn(rng, board, jobs, cores, at_s) for at_s in _times_s(rng, duration_s)]
    return JobSet(jobs=tuple(jobs), turns=tuple(turns), duration_s=duration_s)
