import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnviz.analysis import influence_profile, saturation_ratio
from tests.attnviz.influences import decaying, influence


def two_curves():
    return influence([decaying(0.5, 2.0), decaying(0.8, 6.0)], [9, 7], error=0.2)


def test_the_curve_is_the_mean_over_sequences_over_timesteps_that_reach_so_far():
    data = two_curves()
    data["influence"][0, 8] *= 3  # the last timestep of the first

    found = influence_profile(data, longest=5)

    lags = np.arange(6)
    first = 2 * 0.5**lags * (3 + 3) / 4  # timesteps 5, 6, 7 and 8
    assert_allclose(found["influence"], (first + 6 * 0.8**lags) / 2, rtol=1e-12)
    assert found.attrs["timesteps"] == 6 and found.attrs["sequences"] == 2
    assert found["lag"].values.tolist() == list(range(6))
    assert found.attrs["model"] == "toy" and found.attrs["level"] == 0.95


def test_shares_and_sums_count_all_lags_these_timesteps_reach():
    data = influence([decaying(0.5)], [9], at="last")

    found = influence_profile(data, longest=3, beyond=4)

    shares = 0.5 ** np.arange(9) / (0.5 ** np.arange(9)).sum()
    assert_allclose(found["share"], shares[:4])
    assert_allclose(found["mass_beyond"], shares[5:].sum())
    assert_allclose(found["mean_lag"], shares @ np.arange(9))
    assert found["median_lag"] == 0
    assert_allclose(found["half_life"], 1)


def test_shares_are_a_ratio_of_sums():
    data = influence([decaying(0.1, 100.0), decaying(1.0, 1.0)], [4, 4], at="last")

    found = influence_profile(data)

    total = 100 * (0.1 ** np.arange(4)).sum() + 4
    assert_allclose(found["share"], (100 * 0.1 ** np.arange(4) + 1) / total)


def test_the_longest_lag_of_its_own():
    curves = [decaying(0.5)] * 3

    assert influence_profile(influence(curves, [9, 5, 8]))["lag"].size == 4  # half of 7
    last = influence_profile(influence(curves, [9, 5, 8], at="last"))
    assert last["lag"].size == 8 and last.attrs["sequences"] == 2  # that of 5 is left out


def test_the_error_of_the_estimator_averages_over_timesteps_and_sequences():
    found = influence_profile(two_curves(), longest=5)

    lags = np.arange(6)
    first, second = 0.2 * 2 * 0.5**lags / 4**0.5, 0.2 * 6 * 0.8**lags / 2**0.5
    assert_allclose(found["influence_error"], np.sqrt(first**2 + second**2) / 2)
    assert "influence_error" not in influence_profile(influence([decaying(0.5)], [9]))


def test_intervals_are_those_of_sequences_drawn_anew():
    rng = np.random.default_rng(1)
    heights = rng.gamma(3.0, size=40)
    data = influence([decaying(0.7, height) for height in heights], [6] * 40)

    found = influence_profile(data, longest=3, level=0.9, resamples=20_000)

    error = heights.std() / 40**0.5
    low, high = found["influence_interval"].values[:, 0]
    assert_allclose([low, high], heights.mean() + error * np.array([-1.645, 1.645]), rtol=0.03)
    # All sequences have the same shares: no spread.
    assert_allclose(found["share_interval"], found["share"].values[None].repeat(2, 0))
    assert influence_profile(data, longest=3, seed=1).equals(
        influence_profile(data, longest=3, seed=1)
    )


def test_intervals_cover():
    rng = np.random.default_rng(2)
    rates = rng.uniform(0.3, 0.9, size=(200, 30))
    truth = 2 * np.diff(np.array([0.3, 0.9]) ** 2)[0] / 4 / 0.6  # E[rate]
    covered = []
    for row in rates:
        data = influence([decaying(rate) for rate in row], [4] * 30, at="last")
        low, high = influence_profile(data, resamples=500)["influence_interval"].values[:, 1]
        covered.append(low < truth < high)
    assert 0.89 < np.mean(covered) < 0.985


def test_a_single_sequence_has_no_interval():
    found = influence_profile(influence([decaying(0.5)], [9], error=0.1))

    for name in ("influence", "share", "mean_lag", "median_lag", "half_life", "mass_beyond"):
        assert found[name].notnull().all() and found[f"{name}_interval"].isnull().all()


def test_refusals():
    data = two_curves()
    for longest in (9, -1):
        with pytest.raises(
            ValueError, match=r"furthest reaches back to lag 8\. Choose longest bet"
        ):
            influence_profile(data, longest=longest)
    with pytest.raises(ValueError, match=r"level is 1\.0"):
        influence_profile(data, level=1.0)
    with pytest.raises(TypeError, match="influence_profile needs a dataset"):
        influence_profile(data.drop_vars("timestep"))


def test_the_saturation_ratio_is_a_ratio_of_averages():
    seen = influence([decaying(0.5, 8.0), decaying(0.5, 2.0)], [6, 6])
    told = influence([decaying(0.25, 1.0), decaying(0.25, 4.0)], [6, 6], kind="linear")

    found = saturation_ratio(seen, told, longest=3, resamples=4000)

    assert_allclose(found.values, 2 * 2.0 ** np.arange(4))
    # Of two sequences drawn anew: 8, 2 or 0.5 with 1/4, 1/2 and 1/4 of the chances.
    spread = np.sqrt(np.array([64, 4, 0.25]) @ [0.25, 0.5, 0.25] - 3.125**2)
    assert_allclose(found.uncertainty[0], spread, rtol=0.05)
    assert found.uncertainty_of == "standard error over 2 sequences"


def test_where_a_gradient_sees_nothing_there_is_no_ratio():
    seen = influence([decaying(0.5)], [6])
    told = influence([lambda lag: (lag == 0) * 2.0], [6], kind="linear")

    found = saturation_ratio(seen, told)

    assert_array_equal(found.values, [0.5, np.nan, np.nan])
    assert found.uncertainty.isnull().all()


@pytest.mark.parametrize(
    ("seen", "told", "message"),
    [
        ({"kind": "linear"}, {"kind": "linear"}, "'linear' in place of 'replacement'"),
        ({}, {}, "'replacement' in place of 'linear'"),
        ({}, {"kind": "linear", "of": "margin"}, "one is of the state and the other of the margin"),
    ],
)
def test_a_ratio_of_what_does_not_belong_together(seen, told, message):
    curve = [decaying(0.5)]
    with pytest.raises(ValueError, match=message):
        saturation_ratio(influence(curve, [6], **seen), influence(curve, [6], **told))


def test_a_ratio_of_other_timesteps():
    curve = [decaying(0.5)]
    with pytest.raises(ValueError, match="the two differ in timestep"):
        saturation_ratio(influence(curve, [6]), influence(curve, [6], at="last", kind="linear"))
