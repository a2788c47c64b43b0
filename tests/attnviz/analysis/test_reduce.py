import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from attnviz.analysis import Statistic, attention_map, bin_means, choose_head, head_mean
from tests.attnviz import traces


def line(values):
    return Statistic("x", xr.DataArray(np.asarray(values, float), dims=("time",)), "")


def test_bins_by_hand_and_without_nan():
    binned = bin_means(line([1, 2, 3, np.nan, 5, np.nan, np.nan, 8]), 3).values

    assert_allclose(binned.values, [2, 5, 8])
    assert binned["first_timestep"].values.tolist() == [0, 3, 6]


def test_a_bin_of_nothing_is_nan_and_a_bin_of_one_is_the_value():
    values = [1.0, np.nan, 3.0]

    assert_allclose(bin_means(line(values), 1).values.values, values)


def test_bins_need_a_size():
    with pytest.raises(ValueError, match="size is 0"):
        bin_means(line([1, 2]), 0)


def test_other_axes_keep_their_place():
    binned = bin_means(attention_map(traces.larnn()), 10).values

    assert binned.dims == ("sequence", "time", "head", "lag")
    assert binned.shape == (2, 5, 3, 7)


def test_heads():
    statistic = attention_map(traces.larnn())

    assert choose_head(statistic, 2).values.values.shape == (2, 41, 1, 7)
    assert_allclose(choose_head(statistic, 2).values.values[:, :, 0], statistic.values[:, :, 2])
    assert_allclose(head_mean(statistic).values.values[:, :, 0], statistic.values.values.mean(2))
    with pytest.raises(IndexError, match="3 heads, numbered 0 to 2; there is no head 3"):
        choose_head(statistic, 3)
