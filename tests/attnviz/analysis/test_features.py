import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from attnviz.analysis import feature_attention, feature_mass, feature_summary, top_features
from tests.attnviz import traces

# Two sequences of two and one timesteps; two input features, three hidden ones.
WEIGHTS = np.array(
    [
        [[0.1, 0.4, 0.2, 0.2, 0.1], [0.3, 0.2, 0.1, 0.1, 0.3]],
        [[0.0, 0.6, 0.2, 0.2, 0.0], [np.nan] * 5],
    ]
)


def tiny():
    group = xr.Dataset(
        {"feature_attention": (("sequence", "time", "feature"), WEIGHTS)},
        coords={"feature_kind": ("feature", ["input"] * 2 + ["hidden"] * 3)},
    )
    lengths = xr.Dataset({"length": ("sequence", np.array([2, 1], np.int32))})
    return traces.build(lengths, group, cell="RAU")


def test_multiples_of_uniform_by_hand():
    statistic = feature_attention(tiny())

    assert (statistic.symbol, statistic.bounds) == ("n·U", (0.0, 5.0))
    assert_allclose(statistic.values.values, 5 * WEIGHTS)


def test_mass_by_kind_by_hand():
    values = feature_mass(tiny()).values

    assert values["kind"].values.tolist() == ["input", "hidden"]
    assert_allclose(values["uniform"].values, [0.4, 0.6])
    expected = [[[0.5, 0.5], [0.5, 0.5]], [[0.6, 0.4], [np.nan, np.nan]]]
    assert_allclose(values.values, expected)


def test_top_features_count_each_sequence_once():
    statistic = top_features(tiny(), count=2)

    # Feature 1: the mean of 0.3 and 0.6, times 5; feature 3: of 0.15 and 0.2.
    assert statistic.values["feature"].values.tolist() == [1, 2]
    assert statistic.values["feature_kind"].values.tolist() == ["input", "hidden"]
    assert_allclose(statistic.values.values, [2.25, 0.875])
    assert_allclose(statistic.uncertainty.values, [1.5 / np.sqrt(2), 0.25 / np.sqrt(2)])


def test_summary_keeps_the_top_of_each_kind_and_the_mean_of_the_rest():
    values = feature_summary(tiny(), top=1).values

    assert values["feature"].values.tolist() == ["1", "other 1", "0", "other 2"]
    assert values["feature_kind"].values.tolist() == ["input", "input", "hidden", "hidden"]
    assert_allclose(values.values[0, 1], [1.0, 1.5, 0.5, 1.0])


def test_features_may_be_permuted():
    trace = traces.rau()
    order = np.random.default_rng(1).permutation(24)
    part = trace.tree["l0"].to_dataset().isel(feature=order)
    permuted = traces.build(trace.tree.to_dataset(), part, cell="RAU")

    expected = top_features(trace, count=4).values.values
    assert_allclose(top_features(permuted, count=4).values.values, expected, rtol=1e-12)
    expected = feature_mass(trace).values.sel(kind="input").values
    assert_allclose(feature_mass(permuted).values.sel(kind="input").values, expected, rtol=1e-12)


def test_no_feature_attention_is_refused():
    with pytest.raises(KeyError, match="feature_attention"):
        feature_mass(traces.larnn())
