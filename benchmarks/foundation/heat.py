"""The thermal step against a tight integrator, and what its linear part must obey exactly."""

from operator import getitem
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.foundation.plain import PlainBoard
from benchmarks.foundation.plain_heat import ATOL, RTOL, PlainHeat
from edgetwin.studies import Figure, row
from hw_models import Board, board_names, load_board
from hw_models.heat import exponentials, heat_inputs, heat_step, wide
from hw_models.thermal import Network, leakage_law

Array = NDArray[np.float64]
BOARD, FAN_LEVEL = "hikey970", 1
PERIOD_S = 0.05
FOREVER_S = 1e6


def measure_step(quick: bool) -> dict[str, Any]:
    """ETD2RK steps of a control period against LSODA, with every power new in every period."""
    n_periods = 2400 if quick else 12000
    twin_c, reference_c = both_courses(load_board(BOARD), n_periods)
    error_k = twin_c - reference_c
    return row(
        {
            "max_error_k": Figure(value=float(np.abs(error_k).max()), bar=0.05),
            "rms_error_k": Figure(value=float(np.sqrt(np.mean(error_k**2))), bar=0.005),
        },
        n={"periods": n_periods, "nodes": error_k.shape[1]},
        method=f"scipy solve_ivp LSODA, rtol {RTOL:g}, atol {ATOL:g} K, started anew every period",
        span_c=[float(reference_c.min()), float(reference_c.max())],
    )


def both_courses(board: Board, n_periods: int) -> tuple[Array, Array]:
    """Temperatures at the end of every period, (n_periods, n_nodes): ours and the reference's."""
    rng, plain = np.random.default_rng(1), PlainBoard(board)
    inputs = [random_inputs(rng, plain) for _ in range(n_periods)]
    twin_c = _steps(board, inputs)
    heat, temps_c, found = PlainHeat(board, FAN_LEVEL), _start_c(board), []
    for power_w, gain_w in inputs:
        temps_c, _ = heat.follow(temps_c, 0.0, power_w, gain_w, PERIOD_S)
        found.append(temps_c)
    return twin_c, np.array(found)


def random_inputs(rng: np.random.Generator, plain: PlainBoard) -> tuple[Array, Array]:
    """Power and leakage gain by part, (n_parts,): random clocks, activities and traffic."""
    p, levels = plain.parts, [int(rng.integers(len(freqs_hz))) for freqs_hz in plain.freqs_hz]
    per_farad = np.array([*map(getitem, plain.v2_hz, levels), 0.0])[p.domain]
    factors = np.array([*map(getitem, plain.leak_factors, levels), 1.0])[p.domain]
    traffic_bytes_per_s = rng.random() * plain.bus_bytes_per_s(levels) if plain.memory >= 0 else 0.0
    power_w = p.constant_w + p.energy_j_per_byte * traffic_bytes_per_s
    power_w += (p.active_f * rng.random(len(p.domain)) + p.idle_f) * per_farad
    return power_w, p.leak_w * factors


def _start_c(board: Board) -> Array:
    """Every node well above the ambient, so that the course rises and falls."""
    return np.full(len(board.thermal.nodes), board.thermal.ambient_c.value + 20.0)


def _steps(board: Board, inputs: list[tuple[Array, Array]]) -> Array:
    """The course as the kernel goes: new inputs, then one step of a period."""
    net, law = Network.of(board, FAN_LEVEL), leakage_law(board)
    n, m = len(net.rate_hz), len(net.part_node)
    see, heat, tau_s = wide(net.see), wide(net.heat), wide(1.0 / net.rate_hz, 1.0)
    decay, phi1, phi2, push = np.zeros((4, len(tau_s)))
    leak_w, energy_j, scratch = np.zeros((3, see.shape[1]))
    exponentials(tau_s, PERIOD_S, decay, phi1, phi2)
    outside_push = wide(net.ambient_push_per_k * board.thermal.ambient_c.value)
    modes, found = wide(net.to_modes @ _start_c(board)), []
    for power_w, gain_w in (map(wide, pair) for pair in inputs):
        heat_inputs(
            n, m, modes, power_w, gain_w, law, outside_push, see, heat, leak_w, push, scratch
        )
        heat_step(
            n, m, PERIOD_S, modes, push, leak_w, power_w, gain_w, law, see, heat, decay, phi1, phi2,
            energy_j, scratch,
        )  # fmt: skip
        found.append(net.from_modes @ modes[:n])
    return np.array(found)


def measure_linear(quick: bool) -> dict[str, Any]:
    """Without leakage two steps are one, and the longest step is the steady state."""
    rng, draws = np.random.default_rng(2), 20 if quick else 200
    boards = [load_board(name) for name in board_names()]
    cases = [linear_errors_k(rng, board) for board in boards for _ in range(draws)]
    split_k, steady_k = np.array(cases).max(axis=0)
    return row(
        {
            "split_step_k": Figure(value=float(split_k), bar=1e-9),
            "steady_state_k": Figure(value=float(steady_k), bar=1e-9),
        },
        n={"boards": len(boards), "draws_per_board": draws},
        method=f"steps of 0.1 ms to 1000 s cut in two; steady state and a step of {FOREVER_S:g} s",
    )


def linear_errors_k(rng: np.random.Generator, board: Board) -> tuple[float, float]:
    """Largest difference over nodes of step(a+b) and two steps, of steady and the long step."""
    net = Network.of(board, int(rng.integers(len(board.limits.fan.pwm))) if board.limits.fan else 0)
    ambient_c = float(rng.uniform(0.0, 45.0))
    power_w, _ = random_inputs(rng, PlainBoard(board))
    temps_c = rng.uniform(ambient_c, 90.0, len(net.rate_hz))
    a_s, b_s = 10.0 ** rng.uniform(-4.0, 3.0, 2)
    half_c = net.linear_step(temps_c, power_w, a_s, ambient_c)
    twice_c = net.linear_step(half_c, power_w, b_s, ambient_c)
    once_c = net.linear_step(temps_c, power_w, a_s + b_s, ambient_c)
    long_c = net.linear_step(temps_c, power_w, FOREVER_S, ambient_c)
    steady_c = net.steady(power_w, ambient_c)
    return float(np.abs(twice_c - once_c).max()), float(np.abs(long_c - steady_c).max())
