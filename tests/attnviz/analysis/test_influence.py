import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

from attnviz.analysis import (
    influence_half_life,
    influence_map,
    influence_mass_beyond,
    influence_mean_lag,
    influence_median_lag,
    influence_share,
)
from attnviz.analysis.influence import half_life, median_lag
from tests.attnviz.influences import decaying, influence


def by_hand(lag):
    return np.array([4.0, 0.0, 1.0, 3.0])[lag]


def test_every_number_of_a_sequence_of_four_timesteps_by_hand():
    data = influence([by_hand, lambda lag: 0.0 * lag], [4, 2], error=0.1)

    share = influence_share(data)
    assert_array_equal(
        share.values[0],
        [[1, np.nan, np.nan, np.nan], [1, 0, np.nan, np.nan],
         [0.8, 0, 0.2, np.nan], [0.5, 0, 0.125, 0.375]],
    )  # fmt: skip
    assert_allclose(influence_mean_lag(data).values[0], [0, 0, 0.4, 1.375])
    assert_allclose(influence_median_lag(data).values[0], [0, 0, 0, 0])
    assert_allclose(influence_mass_beyond(data, 1).values[0], [0, 0, 0.2, 0.5])
    assert_allclose(influence_mass_beyond(data, 2).values[0], [0, 0, 0, 0.375])
    # Nothing has influence, or there is no timestep.
    for found in (share, influence_mean_lag(data), influence_median_lag(data),
                  influence_mass_beyond(data, 0), influence_half_life(data)):  # fmt: skip
        assert found.values[1].isnull().all()


def test_errors_come_along():
    data = influence([by_hand], [4], error=0.25)

    raw, share = influence_map(data), influence_share(data)

    assert_array_equal(raw.values, data["influence"])
    assert raw.uncertainty.equals(data["standard_error"])
    assert share.uncertainty.equals(data["share_standard_error"])
    assert raw.uncertainty_of == "standard error over 8 replacements"
    assert raw.label == "influence V (squared standard deviations, summed over units)"
    exact = influence_map(influence([by_hand], [4], kind="linear"))
    assert exact.uncertainty is None and exact.symbol == "E²"


def test_the_median_is_where_half_is_reached():
    curves = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 0.0, 2.0], [0.1, 0.2, 0.2, 0.5]])

    assert_array_equal(median_lag(curves), [1, 3, 2])  # 0.1 + 0.2 + 0.2 is half, but for rounding
    assert_array_equal(median_lag(np.array([2.0, 3.0, np.nan])), 1)


@pytest.mark.parametrize("rate", [0.9, 0.5, 0.1])
def test_the_half_life_of_a_decay_is_that_of_its_rate(rate):
    data = influence([decaying(rate, 3.0)], [12])

    found = influence_half_life(data).values[0].values

    expected = np.log(2) / -np.log(rate)
    reached = np.arange(12) >= expected
    assert_allclose(found[reached], expected)
    assert np.isnan(found[~reached]).all()


def test_the_half_life_counts_from_the_peak():
    assert_allclose(half_life(np.array([1.0, 8.0, 4.0, 1.0])), 1.0)
    assert_allclose(half_life(np.array([8.0, 6.0, 3.0, 7.0])), 1 + np.log(1.5) / np.log(2))
    assert_allclose(half_life(np.array([2.0, 0.0, 0.0])), 0.0, atol=2e-3)  # gone at once
    assert np.isnan(half_life(np.array([[1.0, 2.0, 1.5], [0.0, 0.0, 0.0]]))).all()
    assert np.isnan(half_life(np.array([2.0, 1.5, np.nan])))


@pytest.mark.parametrize(
    "given", [xr.Dataset({"influence": ("lag", np.ones(3))}), xr.DataArray(np.ones(3)), None]
)
def test_something_else_is_refused(given, unchecked):
    with pytest.raises(TypeError, match=r"influence_share needs a dataset of attnviz\.repl"):
        influence_share(given)
