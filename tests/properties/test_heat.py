"""Heat flows as the network says: exactly without leakage, to millikelvins with it."""

from collections.abc import Callable
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pytest
from by_hand import leakage_of, network, node_of, warmed
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from tiny_board import application, tiny_board

from edgetwin.simulator import Simulator
from hw_models.board import Board, Knobs, load_board
from hw_models.heat import exponentials, wide
from hw_models.power import leakage_at_one_volt_w, leakage_w
from hw_models.thermal import Network, leakage_law

Array = NDArray[np.float64]
AMBIENT_C = 25.0
seeds = st.integers(0, 2**32 - 1)
durations_s = st.floats(-9.0, 4.0).map(lambda x: 10.0**x)


def random_network(rng: np.random.Generator) -> Network:
    """Up to nine nodes, time constants from 10 ms to an hour."""
    n, m = int(rng.integers(1, 10)), int(rng.integers(1, 6))
    g = np.zeros((n, n))
    for i in range(1, n):
        for k in {int(rng.integers(i)), int(rng.integers(i))}:
            value = 10.0 ** rng.uniform(-1.5, 0.5)
            g[[i, k], [i, k]] += value
            g[[i, k], [k, i]] -= value
    out = 10.0 ** rng.uniform(-2, 0, n)
    capacity = 10.0 ** rng.uniform(-2, 1.5, n)
    return Network.from_matrices(g + np.diag(out), capacity, out, rng.integers(0, n, m))


def drawn(seed: int) -> tuple[Network, Array, Array]:
    """A network, temperatures and powers."""
    rng = np.random.default_rng(seed)
    net = random_network(rng)
    temps_c = rng.uniform(0.0, 100.0, len(net.rate_hz))
    return net, temps_c, rng.uniform(0.0, 2.0, len(net.part_node))


@given(seeds, durations_s, durations_s)
def test_one_long_step_is_two_short_ones(seed: int, a_s: float, b_s: float) -> None:
    net, temps_c, power_w = drawn(seed)
    once = net.linear_step(temps_c, power_w, a_s + b_s, AMBIENT_C)
    half = net.linear_step(temps_c, power_w, a_s, AMBIENT_C)
    twice = net.linear_step(half, power_w, b_s, AMBIENT_C)
    assert np.max(np.abs(once - twice)) <= 1e-9


@given(seeds)
def test_the_steady_state_is_where_a_long_step_ends(seed: int) -> None:
    net, temps_c, power_w = drawn(seed)
    steady_c = net.steady(power_w, AMBIENT_C)
    end_c = net.linear_step(temps_c, power_w, 100.0 / net.rate_hz[0], AMBIENT_C)
    assert np.max(np.abs(end_c - steady_c)) <= 1e-9


@given(seeds)
def test_heat_is_in_balance_in_the_steady_state(seed: int) -> None:
    net, _, power_w = drawn(seed)
    steady_c = net.steady(power_w, AMBIENT_C)
    leaves_w = float(np.sum(net.to_ambient_w_per_k * (steady_c - AMBIENT_C)))
    assert leaves_w == pytest.approx(float(np.sum(power_w)), abs=1e-9)


@given(seeds, durations_s)
def test_more_power_never_cools_any_node(seed: int, dt_s: float) -> None:
    net, temps_c, power_w = drawn(seed)
    more_w = power_w + np.random.default_rng(seed + 1).uniform(0.0, 3.0, len(power_w))
    less = net.linear_step(temps_c, power_w, dt_s, AMBIENT_C)
    more = net.linear_step(temps_c, more_w, dt_s, AMBIENT_C)
    assert np.all(more >= less - 1e-10)
    gain_w, law = np.full(len(power_w), 0.02), np.array([25.0, 0.01, 0.0, 0.0, 0.0, 120.0])
    less, _ = net.step(temps_c, power_w, min(dt_s, 0.1), AMBIENT_C, gain_w, law)
    more, _ = net.step(temps_c, more_w, min(dt_s, 0.1), AMBIENT_C, gain_w, law)
    assert np.all(more >= less - 1e-10)


@given(seeds, durations_s, st.floats(-40.0, 40.0))
def test_a_warmer_room_makes_every_node_warmer_by_as_much(
    seed: int, dt_s: float, shift_k: float
) -> None:
    net, temps_c, power_w = drawn(seed)
    here = net.linear_step(temps_c, power_w, dt_s, AMBIENT_C)
    there = net.linear_step(temps_c + shift_k, power_w, dt_s, AMBIENT_C + shift_k)
    assert np.max(np.abs(there - here - shift_k)) <= 1e-9


@given(seeds, durations_s)
def test_a_board_at_rest_stays_at_ambient(seed: int, dt_s: float) -> None:
    net, temps_c, power_w = drawn(seed)
    rest = np.full_like(temps_c, AMBIENT_C)
    after = net.linear_step(rest, 0.0 * power_w, dt_s, AMBIENT_C)
    assert np.max(np.abs(after - AMBIENT_C)) <= 1e-9


@pytest.mark.parametrize("fan", [0, 1, 2])
@pytest.mark.parametrize("dt_s", [1e-3, 0.05, 3.0, 500.0])
def test_a_step_is_the_matrix_exponential(dt_s: float, fan: int) -> None:
    board = tiny_board()
    rng = np.random.default_rng(7)
    temps_c, power_w = rng.uniform(20.0, 90.0, 5), rng.uniform(0.0, 2.0, len(board.parts))
    heat = np.zeros(5)
    for part, watts in zip(board.parts, power_w, strict=True):
        heat[node_of(board, part)] += watts
    expected_c = warmed(board, temps_c, heat, dt_s, ambient_c=31.0, fan=fan)
    found_c = Network.of(board, fan).linear_step(temps_c, power_w, dt_s, 31.0)
    assert found_c == pytest.approx(expected_c, abs=1e-9)


@given(st.floats(-14.0, 2.0))
def test_step_factors_keep_their_digits_at_any_length(exponent: float) -> None:
    """Against 60-digit arithmetic: short steps must not lose the difference of near equals."""
    rate_hz, dt_s = 3.7, 10.0**exponent
    taus = wide(np.array([1.0 / rate_hz]), 1.0)
    decay, phi1, phi2 = np.zeros((3, len(taus)))
    exponentials(taus, dt_s, decay, phi1, phi2)
    with localcontext() as context:
        context.prec = 60
        rate, dt = Decimal(rate_hz), Decimal(dt_s)
        gone = 1 - (-rate * dt).exp()
        exact = (1 - gone, gone / rate, (dt - gone / rate) / (rate * dt))
    assert decay[0] == pytest.approx(float(exact[0]), abs=2e-16)
    assert phi1[0] == pytest.approx(float(exact[1]), rel=1e-14, abs=0.0)
    assert phi2[0] == pytest.approx(float(exact[2]), rel=1e-12, abs=0.0)


def test_a_network_must_be_symmetric_and_open_to_the_ambient() -> None:
    ones, node = np.ones(2), np.array([0])
    with pytest.raises(ValueError, match="not symmetric"):
        Network.from_matrices(np.array([[1.0, 0.0], [-1.0, 1.0]]), ones, ones, node)
    with pytest.raises(ValueError, match="no way to the ambient"):
        Network.from_matrices(np.array([[1.0, -1.0], [-1.0, 1.0]]), ones, 0 * ones, node)


def test_leakage_is_a_cubic_that_is_held_outside_its_range() -> None:
    board = tiny_board()
    for temp_c in (-20.0, 0.0, 25.0, 60.0, 149.0, 200.0):
        expected_w = leakage_of(board, "big0", 0.9, temp_c)
        assert leakage_w(board, "big0", 0.9, temp_c) == pytest.approx(expected_w, rel=1e-14)
    assert leakage_w(board, "rest", 0.9, 60.0) == 0.0


def test_the_steady_state_with_leakage_balances_what_the_law_says() -> None:
    board = tiny_board()
    gain_w = leakage_at_one_volt_w(board)
    power_w = np.linspace(0.0, 1.0, len(board.parts))
    steady_c = Network.of(board).steady(power_w, AMBIENT_C, gain_w, leakage_law(board))
    leaks_w = sum(
        leakage_of(board, part, 1.0, steady_c[node_of(board, part)]) for part in board.parts
    )
    leaves_w = float(np.sum(network(board)[2] * (steady_c - AMBIENT_C)))
    assert leaks_w > 0.3
    assert leaves_w == pytest.approx(float(np.sum(power_w)) + leaks_w, rel=1e-9)


def test_thermal_runaway_is_said_in_one_line() -> None:
    board = tiny_board({"power.leakage.valid_c": (0.0, 1e9)})
    gain_w = 5.0 * leakage_at_one_volt_w(board)
    with pytest.raises(ValueError, match="no steady state") as error:
        Network.of(board).steady(np.ones(len(gain_w)), AMBIENT_C, gain_w, leakage_law(board))
    assert "\n" not in str(error.value)


def test_a_steady_state_close_to_runaway_is_found() -> None:
    """One node, 0.95 of the way to runaway: T - Ta = (P + L (1 + c (T - Ta))) / G."""
    net = Network.from_matrices(np.ones((1, 1)), np.ones(1), np.ones(1), np.array([0]))
    law = np.array([25.0, 0.95, 0.0, 0.0, -273.0, 1000.0])
    found_c = net.steady(np.array([1.0]), 25.0, np.array([1.0]), law)
    assert found_c[0] == pytest.approx(25.0 + 2.0 / (1.0 - 0.95), rel=1e-9)


def slope(board: Board) -> Callable[[float, Array, Array, Array], Array]:
    """dT/dt with leakage from the text of the board file; arguments t, T, power and gain."""
    g, capacity, out = network(board)
    at = np.array([node_of(board, part) for part in board.parts])
    spread = np.zeros((len(capacity), len(at)))
    spread[at, np.arange(len(at))] = 1.0
    law = board.power.leakage
    c1, c2, c3 = law.coefficients.value
    low_c, high_c = law.valid_c

    def rates(_: float, temps_c: Array, power_w: Array, gain_w: Array) -> Array:
        d = np.minimum(np.maximum(temps_c[at], low_c), high_c) - law.reference_c.value
        heat = spread @ (power_w + gain_w * (1.0 + d * (c1 + d * (c2 + d * c3))))
        return np.asarray((heat + out * AMBIENT_C - g @ temps_c) / capacity)

    return rates


def test_a_21_node_board_with_leakage_agrees_with_solve_ivp() -> None:
    """20 s in which every power and every voltage changes every 50 ms."""
    board, rng = load_board("hikey970"), np.random.default_rng(5)
    net, law = Network.of(board), leakage_law(board)
    gain_w = leakage_at_one_volt_w(board)
    rates, m = slope(board), len(board.parts)
    assert len(net.rate_hz) == 21
    ours = exact = np.full(21, 55.0)
    errors_k: list[Array] = []
    power_w = rng.uniform(0.0, 1.0, m)
    for _ in range(400):
        power_w = np.clip(power_w + rng.normal(0.0, 0.5, m), 0.0, 2.0) * (gain_w >= 0)
        now_w = gain_w * rng.uniform(0.68, 1.05, m) ** 3
        ours, _ = net.step(ours, power_w, 0.05, AMBIENT_C, now_w, law)
        solved: Any = solve_ivp(
            rates, (0.0, 0.05), exact, "LSODA", [0.05], args=(power_w, now_w),
            rtol=1e-10, atol=1e-10,
        )  # fmt: skip
        exact = solved.y[:, -1]
        errors_k.append(ours - exact)
    assert np.max(exact) > 65.0
    assert np.max(np.abs(errors_k)) <= 0.05
    assert np.sqrt(np.mean(np.square(errors_k))) <= 0.005


def test_turning_the_fan_moves_no_heat_at_once() -> None:
    sim = Simulator(tiny_board())
    sim.submit(application(), "big0")
    sim.advance(7.31)
    before_c = sim.node_temps_c()
    sim.apply(Knobs(fan=2))
    assert sim.node_temps_c() == pytest.approx(before_c, abs=1e-10)
    sim.advance(20.0)
    assert sim.node_temps_c()["base"] < before_c["base"]


@settings(max_examples=20)
@given(seeds, st.lists(st.floats(1e-6, 0.4), min_size=1, max_size=8))
def test_the_kernel_steps_like_the_network(seed: int, pieces_s: list[float]) -> None:
    """The event loop, at any step lengths, ends where one exact step under its power ends."""
    board = tiny_board(leakage=False)
    sim = Simulator(board)
    rng = np.random.default_rng(seed)
    for unit in rng.permutation(["little0", "little1", "big0", "big1"])[:2]:
        sim.submit(application(), str(unit))
    sim.advance(0.0)
    start_c = np.array(list(sim.node_temps_c().values()))
    power_w = sim.state["power_w"][0][: len(board.parts)].copy()
    for piece_s in pieces_s:
        sim.advance(piece_s)
    heat = np.zeros(5)
    for part, watts in zip(board.parts, power_w, strict=True):
        heat[node_of(board, part)] += watts
    expected_c = warmed(board, start_c, heat, sim.now_s, ambient_c=25.0)
    assert list(sim.node_temps_c().values()) == pytest.approx(list(expected_c), abs=1e-9)
