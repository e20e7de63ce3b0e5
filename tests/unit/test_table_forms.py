"""The compiled forms behind the fits of tables: their slopes, limits and monotonicity."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hw_models.fit.grid_model import NAMES, ln_grid, ln_grid_slopes
from hw_models.fit.heated import ln_heated_w
from hw_models.fit.learned import _loss, learn, refit
from hw_models.fit.roofline import ln_roofline
from hw_models.performance import roof_s
from hw_models.power import leakage_shape

Array = NDArray[np.float64]

LAW = np.array([50.0, 0.02, 2e-4, 1.8e-6, 20.0, 115.0])
TYPICAL = np.log(
    [10.0, 8.0, 16.0, 2.5, 0.1, 0.1, 0.1, 40.0, 220.0, 20.0, 1.7, 0.25, 1.0, 0.15, 5.0]
)
SCALE = np.array([512.0, 250.0])
logs = st.floats(-0.7, 0.7)
parameters = st.lists(logs, min_size=15, max_size=15).map(lambda z: TYPICAL + np.array(z))
seconds = st.floats(1e-4, 10.0)


def differences(ln: Callable[[Array], Array], at: Array) -> Array:
    """Slopes (n, p) of a function of (p,) by central differences."""
    steps = 1e-5 * np.eye(len(at))
    return np.stack([(ln(at + h) - ln(at - h)) / 2e-5 for h in steps], axis=1)


@given(seconds, seconds, st.floats(1.1, 8.0), seconds)
def test_slopes_of_the_roofline_are_its_differences(c: float, m: float, q: float, o: float) -> None:
    def ln(z: Array) -> Array:
        p = np.exp(z)
        return np.asarray(ln_roofline(p[:1], p[1:2], p[2], p[3:])[0])

    at = np.log([c, m, q, o])
    found, slopes = ln_roofline(np.array([c]), np.array([m]), q, np.array([o]))
    assert found[0] == pytest.approx(np.log(roof_s(c, m, q) + o), rel=1e-12, abs=1e-12)
    assert slopes == pytest.approx(differences(ln, at), abs=1e-6)


@given(st.floats(0.05, 5.0), st.floats(0.01, 0.2), st.floats(0.5, 6.0))
def test_a_heated_cluster_draws_what_its_own_temperature_asks(
    switched_w: float, leaked_w: float, rise: float
) -> None:
    def ln(z: Array) -> Array:
        p = np.exp(z)
        return np.asarray(ln_heated_w(p[None, :2], p[None, 2:4], np.array([40.0]), p[4:], LAW)[0])

    at = np.log([switched_w, 0.3 * switched_w, leaked_w, 0.5 * leaked_w, rise])
    p = np.exp(at)
    found, slopes = ln_heated_w(p[None, :2], p[None, 2:4], np.array([40.0]), p[4:], LAW)
    power_w = float(np.exp(found[0]))
    hot_c = 40.0 + rise * power_w
    shape = leakage_shape(hot_c, *LAW)
    assert power_w == pytest.approx(p[:2].sum() + p[2:4].sum() * shape, rel=1e-9)
    if hot_c < 114.0:
        assert slopes == pytest.approx(differences(ln, at), rel=1e-4, abs=1e-6)


def test_leakage_that_outruns_cooling_is_no_prediction() -> None:
    steep = np.array([50.0, 0.05, 1e-3, 0.0, 20.0, 1e4])
    found, _ = ln_heated_w(
        np.array([[5.0, 1.0]]), np.array([[2.0, 1.0]]), np.array([40.0]), np.array([20.0]), steep
    )
    assert np.isinf(found[0]) or np.isnan(found[0])


@given(parameters, st.floats(4.0, 512.0))
@settings(max_examples=50)
def test_a_looser_limit_is_never_slower_and_never_draws_less(ln: Array, batch: float) -> None:
    limits = np.linspace(60.0, 400.0, 30)
    time, power = ln_grid(ln, np.full(30, batch), limits, True, SCALE)
    assert np.all(np.diff(time) <= 1e-9)
    assert np.all(np.diff(power) >= -1e-9)


@given(parameters, st.floats(4.0, 512.0))
@settings(max_examples=50)
def test_a_limit_out_of_reach_is_the_highest_clock(ln: Array, batch: float) -> None:
    b = np.array([batch])
    free = ln_grid(ln, b, np.array([1e12]), True, SCALE)
    top = ln_grid(ln, b, SCALE[1:], False, SCALE)
    assert free == pytest.approx(top, abs=1e-3)


@given(parameters)
@settings(max_examples=20)
def test_power_keeps_to_the_limit_above_the_lowest_clock(ln: Array) -> None:
    ln = ln.copy()
    ln[NAMES.index("lowest_clock")] = np.log(1e-3)
    ratio, static_w = (np.exp(ln[NAMES.index(n)]) for n in ("limit_ratio", "static_w"))
    allowed_w = np.linspace(1.3, 5.0, 8) * static_w
    _, power = ln_grid(ln, np.full(8, 128.0), allowed_w / ratio, True, SCALE)
    assert np.all(np.exp(power) <= allowed_w * 1.001)


@given(parameters, st.booleans())
def test_slopes_of_the_grid_are_its_differences(ln: Array, is_limit: bool) -> None:
    batch, setting = np.array([8.0, 64.0, 512.0]), np.array([120.0, 180.0, 240.0])
    _, slopes = ln_grid_slopes(ln, batch, setting, is_limit, SCALE)

    def flat(z: Array) -> Array:
        return np.asarray(ln_grid(z, batch, setting, is_limit, SCALE).ravel())

    assert slopes == pytest.approx(differences(flat, ln), abs=1e-6)


def test_the_gradient_of_the_learned_network_is_its_difference() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 2)), rng.normal(size=7)
    sizes = (2, 3, 2, 1)
    flat = rng.normal(size=2 * 3 + 3 + 3 * 2 + 2 + 2 + 1)
    by_difference = differences(lambda z: np.array([_loss(z, x, y, sizes)[0]]), flat)[0]
    assert _loss(flat, x, y, sizes)[1] == pytest.approx(by_difference, abs=1e-8)


def test_a_learned_shape_is_carried_to_a_slower_workload_by_one_point() -> None:
    x = np.stack(np.meshgrid(np.linspace(0, 2, 8), np.linspace(0, 1, 6)), axis=-1).reshape(-1, 2)
    ln = -x[:, 0] + np.log1p(np.exp(2 * x[:, 1] - 1))
    learned = learn(x, ln, seed=0)
    carried = refit(learned, x[20:21], ln[20:21] + 1.2, x)
    assert np.abs(carried - ln - 1.2).max() < 0.05
