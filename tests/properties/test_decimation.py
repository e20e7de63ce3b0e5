"""A decimated series shows what the full one would: extremes, ends, gaps, order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetwin.report.series import decimate, summarise

unhurried = settings(deadline=None)


@st.composite
def series(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """A walk with uneven steps in time, spikes, and gaps from none to nearly everywhere."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 8000))
    t_s = np.cumsum(rng.choice([0.0, 0.05, 1.0], size=n)) + draw(st.floats(-10, 1e6))
    values = rng.normal(size=n).cumsum() + 1e3 * (rng.random(n) < draw(st.floats(0, 0.01)))
    for start in rng.integers(0, n, size=draw(st.sampled_from([0, 1, 5, 400, 1500]))):
        values[start : start + rng.integers(1, 40)] = rng.choice([np.nan, np.inf, -np.inf])
    return t_s, values


@unhurried
@given(series(), st.sampled_from([8, 9, 50, 1999, 2000]))
def test_never_more_points_than_asked_for(data, max_points):
    t_s, values = decimate(*data, max_points)
    assert len(t_s) == len(values) <= max_points


@unhurried
@given(series())
def test_first_and_last_sample_stay(data):
    (t_s, values), (kept_s, kept) = data, decimate(*data)
    assert (kept_s[0], kept_s[-1]) == (t_s[0], t_s[-1])
    ends = np.where(np.isfinite(values), values, np.nan)[[0, -1]]
    assert np.array_equal(kept[[0, -1]], ends, equal_nan=True)


@unhurried
@given(series())
def test_time_order_is_kept_and_every_point_is_a_sample(data):
    kept_s, kept = decimate(*data)
    assert np.all(np.diff(kept_s) >= 0)
    samples = set(zip(data[0].tolist(), data[1].tolist(), strict=True))
    drawn = np.isfinite(kept)
    assert set(zip(kept_s[drawn].tolist(), kept[drawn].tolist(), strict=True)) <= samples


@unhurried
@given(series())
def test_global_extremes_stay(data):
    finite = data[1][np.isfinite(data[1])]
    kept = decimate(*data)[1]
    if len(finite):
        assert np.nanmin(kept) == finite.min()
        assert np.nanmax(kept) == finite.max()
    else:
        assert np.isnan(kept).all()


@unhurried
@given(series(), st.integers(0, 10**6))
def test_extremes_of_any_long_stretch_stay_nearby(data, where):
    """Any window wider than two buckets shows its own extremes, or greater ones of a neighbour."""
    t_s, values = np.arange(len(data[1])), data[1]
    width = 2 * -(-len(values) // 499)
    start = where % len(values)
    window = values[start : start + width]
    kept_s, kept = decimate(t_s.astype(float), values)
    near = kept[(kept_s >= start - width) & (kept_s <= start + 2 * width)]
    finite = window[np.isfinite(window)]
    if len(finite):
        assert np.nanmin(near) <= finite.min()
        assert np.nanmax(near) >= finite.max()


@unhurried
@given(series(), st.sampled_from([8, 50, 2000]))
def test_no_line_is_drawn_across_a_gap(data, max_points):
    n = len(data[1])
    index, kept = decimate(np.arange(n, dtype=float), data[1], max_points)
    bad = np.concatenate(([0], np.cumsum(~np.isfinite(data[1]))))
    drawn = np.isfinite(kept[:-1]) & np.isfinite(kept[1:])
    left, right = index[:-1][drawn].astype(int), index[1:][drawn].astype(int)
    assert np.array_equal(bad[left], bad[right])


@unhurried
@given(st.integers(1, 2000), st.integers(0, 100))
def test_short_series_are_drawn_whole(n, seed):
    t_s, values = np.arange(n) * 0.1, np.random.default_rng(seed).normal(size=n)
    kept_s, kept = decimate(t_s, values)
    assert np.array_equal(kept_s, t_s)
    assert np.array_equal(kept, values)


def test_one_spike_in_a_million_samples_is_seen():
    values = np.zeros(1_000_000)
    values[765_432] = 97.0
    kept_s, kept = decimate(np.arange(1e6) * 0.05, values)
    assert kept[kept_s == 765_432 * 0.05] == [97.0]


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="max_points is 7; give at least 8"):
        decimate(np.zeros(3), np.zeros(3), 7)


def test_mean_is_over_time_and_not_over_samples():
    t_s, values = np.array([0.0, 9.0, 9.5, 10.0]), np.array([10.0, 10.0, 30.0, 10.0])
    assert summarise(t_s, values).mean == pytest.approx((90 + 10 + 10) / 10)
    assert summarise(t_s, values, step=True).mean == pytest.approx((90 + 5 + 15) / 10)


def test_gaps_count_for_nothing():
    t_s = np.array([0.0, 1.0, 2.0, 50.0, 51.0])
    told = summarise(t_s, np.array([1.0, 1.0, np.nan, 3.0, 3.0]))
    assert (told.n, told.low, told.mean, told.high) == (4, 1.0, 2.0, 3.0)


@pytest.mark.parametrize("values", [[], [np.nan, np.inf]])
def test_nothing_measured_has_no_figures(values):
    told = summarise(np.arange(len(values), dtype=float), np.array(values))
    assert (told.n, told.low, told.mean, told.high) == (0, None, None, None)


def test_infinite_samples_are_gaps_in_the_figures_too():
    told = summarise(np.arange(4.0), np.array([1.0, np.inf, -np.inf, 2.0]))
    assert (told.n, told.low, told.mean, told.high) == (2, 1.0, 1.5, 2.0)


def test_series_of_gaps_alone_is_drawn_as_gaps():
    kept_s, kept = decimate(np.arange(5000.0), np.full(5000, np.nan))
    assert (kept_s[0], kept_s[-1]) == (0.0, 4999.0)
    assert np.isnan(kept).all()


def test_one_instant_has_the_mean_of_its_samples():
    assert summarise(np.array([3.0, 3.0]), np.array([1.0, 2.0])).mean == 1.5
