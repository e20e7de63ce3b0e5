"""Error figures against numbers worked out by hand."""

import numpy as np
import pytest

from hw_models.accuracy import block_means, signal_errors

NAN = np.nan


def test_figures_of_four_readings_are_those_worked_out_by_hand() -> None:
    measured = np.array([1.0, 2.0, 4.0, 5.0])
    predicted = np.array([2.0, 2.0, 3.0, 8.0])
    errors = signal_errors(measured, predicted, has_shares=True)
    assert errors.n == 4
    assert errors.bias == pytest.approx(0.75)
    assert errors.mae == pytest.approx(1.25)
    assert errors.rmse == pytest.approx(np.sqrt(11 / 4))
    assert errors.p95 == pytest.approx(2.7)  # 1 + 0.85 * (3 - 1): linear between order statistics
    assert errors.mape == pytest.approx((1 / 1 + 0 + 1 / 4 + 3 / 5) / 4)
    assert errors.nmbe == pytest.approx(0.75 / 3)
    assert errors.cvrmse == pytest.approx(np.sqrt(11 / 4) / 3)


def test_temperatures_have_no_shares() -> None:
    errors = signal_errors(np.array([40.0, 41.0]), np.array([41.0, 41.0]), has_shares=False)
    assert (errors.mape, errors.nmbe, errors.cvrmse) == (None, None, None)
    assert errors.bias == pytest.approx(0.5)


def test_a_rail_that_reads_zero_has_no_mape() -> None:
    errors = signal_errors(np.array([0.0, 1.0]), np.array([0.5, 1.0]), has_shares=True)
    assert errors.mape is None
    assert errors.nmbe == pytest.approx(0.5)


def test_a_rail_that_only_reads_zero_has_no_shares_at_all() -> None:
    errors = signal_errors(np.zeros(3), np.ones(3), has_shares=True)
    assert (errors.mape, errors.nmbe, errors.cvrmse) == (None, None, None)


def test_missing_readings_are_left_out() -> None:
    errors = signal_errors(np.array([NAN, 2.0]), np.array([9.0, 3.0]), has_shares=True)
    assert (errors.n, errors.bias) == (1, 1.0)
    with pytest.raises(ValueError, match="every reading is missing"):
        signal_errors(np.array([NAN]), np.array([1.0]), has_shares=True)


def test_block_means_take_the_readings_of_each_stretch_of_time() -> None:
    t_s = np.array([5.0, 15.0, 24.0, 25.0, 70.0])
    first, second = block_means(t_s, [np.array([1.0, 3.0, 5.0, 7.0, 9.0]), np.arange(5.0)], 20.0)
    assert first.tolist() == [3.0, 7.0, 9.0]
    assert second.tolist() == [1.0, 3.0, 4.0]


def test_block_means_skip_readings_that_one_series_lacks() -> None:
    t_s = np.array([0.0, 1.0, 2.0])
    first, second = block_means(t_s, [np.array([1.0, NAN, 3.0]), np.array([10.0, 20.0, 40.0])])
    assert (first.tolist(), second.tolist()) == ([2.0], [25.0])
