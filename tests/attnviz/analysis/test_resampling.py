import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnviz.analysis.resampling import interval_name, ratio_of_sums


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
