import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

from attnviz.analysis.resampling import (
    interval_name,
    interval_of,
    of_sequences,
    ratio_of_sums,
    weigh_shares,
)
from attnviz.analysis.statistic import Statistic


def test_a_ratio_of_sums_is_no_mean_of_ratios():
    ratio, ends = ratio_of_sums(np.array([[1.0, 4.0], [9.0, 2.0]]), np.array([[1.0, 2.0], [3, 2]]))

    assert_allclose(ratio, [10 / 4, 6 / 4])
    # Two sequences: a draw holds one of them twice, or both.
    assert_allclose(ends, [[1.0, 3.0], [1.0, 2.0]])
    assert interval_name(2) == "95 % bootstrap interval over 2 sequences"


def test_sequences_that_are_not_there_count_in_neither_sum():
    numerator = np.array([[1.0, 5.0], [3.0, np.nan], [4.0, 1.0]])

    ratio, ends = ratio_of_sums(numerator, np.array([[2.0, 5.0], [2.0, 7.0], [np.nan, 1.0]]))

    assert_allclose(ratio, [1.0, 1.0])
    assert_allclose(ends[1], [1.0, 1.0])


def test_one_sequence_has_no_interval():
    ratio, ends = ratio_of_sums(np.array([[1.0, np.nan]]), np.array([[2.0, 1.0]]))

    assert_array_equal(ratio, [0.5, np.nan])
    assert ends is None
    few = np.array([[1.0, 1.0], [2.0, np.nan]])
    assert np.isnan(ratio_of_sums(few, np.ones((2, 2)))[1][1]).all()


def test_the_interval_covers_about_as_often_as_it_says():
    random, covered = np.random.default_rng(3), 0
    for _ in range(400):
        q = random.gamma(4, size=40)
        p = 0.7 * q + random.normal(size=40)
        low, high = ratio_of_sums(p[:, None], q[:, None])[1][0]
        covered += low < 0.7 < high

    assert 0.90 < covered / 400 < 0.98


@pytest.mark.parametrize("shape", [(), (3,), (3, 2)])
def test_axes(shape):
    ratio, ends = ratio_of_sums(np.ones((4, *shape)), np.full((4, *shape), 2.0))

    assert ratio.shape == shape
    assert ends.shape == (*shape, 2)
    assert_allclose(ends, 0.5)


def test_shares_are_weighed_by_squared_norms_that_may_underflow():
    vectors = np.random.default_rng(5).normal(size=(4, 3, 2, 6))  # sequence, distance, part, unit
    vectors[1, 2:] = np.nan  # a sequence that is too short
    total = vectors.sum(axis=2)
    squares = (total**2).sum(axis=-1)
    products = (vectors * total[:, :, None]).sum(axis=-1)
    sizes = np.array([1.0, 1e-170, 1e-300])

    ratio, ends = weigh_shares(products / squares[..., None], np.sqrt(squares) * sizes)

    expected = np.nansum(products, axis=0) / np.nansum(squares, axis=0)[..., None]
    assert_allclose(ratio, expected, rtol=1e-12)
    assert_allclose(ratio.sum(axis=-1), 1.0, rtol=1e-12)
    assert ends.shape == (3, 2, 2)
    nothing = weigh_shares(np.full((2, 3, 2), np.nan), np.zeros((2, 3)))[0]
    assert np.isnan(nothing).all()


def test_a_statistic_keeps_what_it_is_and_loses_the_sequences():
    values = xr.DataArray(
        np.random.default_rng(6).normal(size=(5, 3)),
        {"lag": [2, 4, 6], "id": ("sequence", list("abcde"))},
        ("sequence", "lag"),
    )
    found = ratio_of_sums(values.values, np.ones((5, 3)))

    statistic = of_sequences(Statistic("effect", values, "logits", (-9.0, 9.0), "Δ"), found)

    assert (statistic.name, statistic.unit, statistic.symbol) == ("effect", "logits", "Δ")
    assert statistic.bounds == (-9.0, 9.0)
    assert statistic.values.dims == ("lag",) and "id" not in statistic.values.coords
    assert_allclose(statistic.values, values.mean("sequence"))
    assert statistic.uncertainty.dims == ("lag", "end")
    assert_array_equal(statistic.uncertainty.sel(lag=4, end="high"), found[1][1, 1])
    assert statistic.uncertainty_of == "95 % bootstrap interval over 5 sequences"
    alone = ratio_of_sums(values.values[:1], np.ones((1, 3)))
    one = of_sequences(Statistic("effect", values[:1], ""), alone)
    assert one.uncertainty is None and one.uncertainty_of == ""


def test_an_interval_of_a_number():
    interval = interval_of(xr.DataArray(3.0), np.array([2.0, 5.0]))

    assert float(interval.sel(end="low")) == 2 and float(interval.sel(end="high")) == 5
    assert interval_of(xr.DataArray(3.0), None) is None
