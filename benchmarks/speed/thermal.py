"""The exact thermal step against what one would otherwise use, at equal accuracy."""

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from benchmarks.foundation.heat import random_inputs
from benchmarks.foundation.plain import PlainBoard
from benchmarks.foundation.plain_heat import PlainHeat
from benchmarks.frame.side_by_side import median_ratio, side_by_side, timed_s
from benchmarks.speed.courses import Inputs, exact, exact_linear, explicit
from benchmarks.speed.floorplan import N_BLOCKS, network
from edgetwin.studies import Figure, row
from hw_models import Board, load_board
from hw_models.thermal import Network, leakage_law

Array = NDArray[np.float64]
Course = Callable[[], Array]
BOARD, FAN_LEVEL = "hikey970", 1
LARGEST_ERROR_K = 0.03
MOST_SUBSTEPS = 400
COURSES = 5


def board_inputs(board: Board, n_periods: int, seed: int = 1) -> Inputs:
    """Random clocks, activities and traffic in every period, from 20 K above the ambient."""
    rng, plain = np.random.default_rng(seed), PlainBoard(board)
    pairs = [random_inputs(rng, plain) for _ in range(n_periods)]
    ambient_c = board.thermal.ambient_c.value
    return Inputs(
        network=Network.of(board, FAN_LEVEL),
        powers_w=np.array([power_w for power_w, _ in pairs]),
        gains_w=np.array([gain_w for _, gain_w in pairs]),
        law=leakage_law(board),
        ambient_c=ambient_c,
        start_c=np.full(len(board.thermal.nodes), ambient_c + 20.0),
    )


def reference_c(board: Board, inputs: Inputs) -> Array:
    """Temperatures at the end of every period by LSODA at rtol 1e-10, (n_periods, n_nodes)."""
    heat, temps_c, found = PlainHeat(board, FAN_LEVEL), inputs.start_c, []
    for power_w, gain_w in zip(inputs.powers_w, inputs.gains_w, strict=True):
        temps_c, _ = heat.follow(temps_c, 0.0, power_w, gain_w, inputs.period_s)
        found.append(temps_c)
    return np.array(found)


def fewest_substeps(
    inputs: Inputs, truth_c: Array, allowed_k: float, *, is_rk4: bool
) -> tuple[int, float]:
    """The fewest steps a period that keep the largest error allowed, and that error in K."""
    for substeps in range(1, MOST_SUBSTEPS):
        course_c = explicit(inputs, substeps, is_rk4=is_rk4, is_dense=True)
        error_k = float(np.abs(course_c - truth_c).max())
        if error_k <= allowed_k:
            return substeps, error_k
    raise RuntimeError(f"{MOST_SUBSTEPS} steps a period are too few for {allowed_k} K.")


def measure(quick: bool) -> dict[str, Any]:
    """Time per period of the exact step, and how much longer every alternative takes."""
    rounds, n_periods = (5, 600) if quick else (9, 2400)
    leaking = with_leakage(rounds, n_periods)
    linear = without_leakage(rounds, n_periods)
    slower = leaking["times_longer"] | linear["times_longer"]
    bars = {
        "rk4": 10.0, "euler": 10.0, "lsim": 6.0, "forced_response": 9.0, "solve_ivp": 1000.0,
    }  # fmt: skip
    missing = [name for name in bars if name not in slower]
    figures = {
        f"{name}_times_longer": Figure(value=slower[name], bar=bar, at_least=True)
        for name, bar in bars.items()
        if name in slower
    }
    figures["exact_max_error_k"] = Figure(
        value=leaking["max_error_k"]["exact"], bar=LARGEST_ERROR_K
    )
    figures["linear_max_difference_k"] = Figure(value=linear["max_difference_k"]["lsim"], bar=1e-6)
    return row(
        figures,
        n={"rounds": rounds, "periods": n_periods},
        times_longer_at_our_accuracy={
            name: leaking["times_longer"][f"{name}_equal"] for name in ("rk4", "euler")
        },
        leaking=leaking,
        linear=linear,
        not_installed=missing,
        method=(
            f"{BOARD}, 21 nodes, every power new in every period of 50 ms; RK4 and Euler compiled "
            "alike with the fewest steps that keep 0.03 K, by full matrix or by its entries, "
            "whichever is faster; 68 nodes: benchmarks/speed/floorplan.py, solve_ivp is LSODA"
        ),
    )


def with_leakage(rounds: int, n_periods: int) -> dict[str, Any]:
    """21 nodes with leakage: ours, RK4 and forward Euler on one trace."""
    board = load_board(BOARD)
    inputs = board_inputs(board, n_periods)
    truth_c = reference_c(board, inputs)
    ways: dict[str, Course] = {"exact": partial(exact, inputs)}
    errors_k = {"exact": float(np.abs(exact(inputs) - truth_c).max())}
    substeps = {}
    for name in ("rk4", "euler"):
        is_rk4 = name == "rk4"
        for key, allowed_k in ((name, LARGEST_ERROR_K), (f"{name}_equal", errors_k["exact"])):
            substeps[key], errors_k[key] = fewest_substeps(
                inputs, truth_c, allowed_k, is_rk4=is_rk4
            )
            for form in ("matrix", "entries"):
                ways[f"{key}_{form}"] = partial(
                    explicit, inputs, substeps[key], is_rk4=is_rk4, is_dense=form == "matrix"
                )
    contest = _contest(ways, truth_c, rounds, 2 * LARGEST_ERROR_K)
    ratio = {name: median_ratio(contest, name, "exact") for name in ways}
    fastest = {key: min(ratio[f"{key}_matrix"], ratio[f"{key}_entries"]) for key in substeps}
    return {
        "times_longer": fastest,
        "times_longer_by_form": ratio,
        "max_error_k": errors_k,
        "substeps": substeps,
        "period_s": {name: median(t) / n_periods for name, t in contest.items()},
        "span_c": [float(truth_c.min()), float(truth_c.max())],
    }


def without_leakage(rounds: int, n_periods: int) -> dict[str, Any]:
    """68 nodes, linear: ours and the installable solvers on one trace."""
    net, few = network(), 100
    inputs = Inputs(
        network=net,
        powers_w=np.random.default_rng(2).uniform(0.0, 1.0, (n_periods, N_BLOCKS)),
        gains_w=np.zeros((n_periods, N_BLOCKS)),
        law=np.zeros(6),
        ambient_c=25.0,
        start_c=np.full(len(net.rate_hz), 25.0),
    )
    truth_c = exact_linear(inputs)
    ways: dict[str, Course] = {"exact": partial(exact_linear, inputs)}
    ways |= state_space_ways(inputs)
    contest = _contest(ways, truth_c, rounds, 1e-6)
    short = _contest({"solve_ivp": partial(by_solve_ivp, inputs, few)}, truth_c[:few], 3, 0.03)
    slower = {name: median_ratio(contest, name, "exact") for name in ways if name != "exact"}
    each_s = {name: median(t) / n_periods for name, t in contest.items()}
    each_s["solve_ivp"] = median(short["solve_ivp"]) / few
    slower["solve_ivp"] = each_s["solve_ivp"] / each_s["exact"]
    differ_k = {name: float(np.abs(way() - truth_c).max()) for name, way in ways.items()}
    differ_k["solve_ivp"] = float(np.abs(by_solve_ivp(inputs, few) - truth_c[:few]).max())
    return {
        "times_longer": slower,
        "max_difference_k": differ_k,
        "period_s": each_s,
        "fastest_time_constant_s": float(1.0 / net.rate_hz.max()),
        "slowest_time_constant_s": float(1.0 / net.rate_hz.min()),
    }


def state_space_ways(inputs: Inputs) -> dict[str, Course]:
    """lsim and dlsim of scipy and, where it is installed, forced_response of control.

    lsim takes the continuous system and holds its inputs; the others get it discretised exactly.
    """
    a, b = state_space(inputs)
    n = len(a)
    c, d = np.eye(n), np.zeros((n, b.shape[1]))
    u = np.column_stack([inputs.powers_w, np.full(len(inputs.powers_w), inputs.ambient_c)])
    u = np.vstack([u, u[-1]])  # the last input only marks the end
    t_s = np.arange(len(u)) * inputs.period_s
    grown = expm(inputs.period_s * np.block([[a, b], [np.zeros((b.shape[1], n + b.shape[1]))]]))
    ad, bd, x0 = grown[:n, :n], grown[:n, n:], inputs.start_c
    ways: dict[str, Course] = {
        "lsim": lambda: signal.lsim((a, b, c, d), u, t_s, X0=x0, interp=False)[1][1:],
        "dlsim": lambda: signal.dlsim((ad, bd, c, d, inputs.period_s), u, t_s, x0=x0)[1][1:],
    }
    try:
        import control
    except ImportError:
        return ways
    system = control.ss(ad, bd, c, d, inputs.period_s)
    ways["forced_response"] = lambda: np.asarray(
        control.forced_response(system, t_s, u.T, x0).outputs
    ).T[1:]
    return ways


def state_space(inputs: Inputs) -> tuple[Array, Array]:
    """dT/dt = A T + B u, (n, n) and (n, n_parts + 1): u is power by part and the ambient."""
    net = inputs.network
    per_j = 1.0 / net.capacity_j_per_k[:, None]
    place = np.eye(len(net.capacity_j_per_k))[:, net.part_node]
    return -net.conductance_w_per_k * per_j, np.hstack(
        [place, net.to_ambient_w_per_k[:, None]]
    ) * per_j


def by_solve_ivp(inputs: Inputs, n_periods: int) -> Array:
    """LSODA with its Jacobian, started anew whenever the inputs change."""
    a, b = state_space(inputs)
    jacobian = partial(_constant, a)
    temps_c, found = inputs.start_c, []
    for power_w in inputs.powers_w[:n_periods]:
        push = b @ np.append(power_w, inputs.ambient_c)
        slope = partial(_slope, a, push)
        done = solve_ivp(
            slope, (0.0, inputs.period_s), temps_c, "LSODA", rtol=1e-4, atol=1e-4, jac=jacobian
        )
        temps_c = done.y[:, -1]
        found.append(temps_c)
    return np.array(found)


def _slope(a: Array, push: Array, _: float, temps_c: Array) -> Array:
    return np.asarray(a @ temps_c + push)


def _constant(a: Array, _time_s: float, _temps_c: Array) -> Array:
    return a


def _contest(
    ways: dict[str, Course], truth_c: Array, rounds: int, allowed_k: float
) -> dict[str, list[float]]:
    """Every way side by side; RuntimeError for one that did not do the work."""
    for name, way in ways.items():
        error_k = float(np.abs(way() - truth_c).max())
        if not error_k <= allowed_k:
            raise RuntimeError(f"{name} is {error_k:g} K off, not within {allowed_k:g} K.")
    return side_by_side({name: partial(_timed_s, way) for name, way in ways.items()}, rounds)


def _timed_s(way: Course, number: int) -> float:
    """Time of one course. Several in a row, so that it does not count that the first is cold."""
    return timed_s(lambda: [way() for _ in range(COURSES)]) / COURSES
