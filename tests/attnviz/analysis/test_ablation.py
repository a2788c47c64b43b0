import numpy as np
import pytest
import xarray as xr
from scipy.stats import spearmanr

from attnviz.analysis import ablation_effect, effect_against, pair_interaction

rng = np.random.default_rng(8)


def made(effect, axes, **more):
    lags = {"lag": np.arange(2, 2 + effect.shape[axes.index("lag")])} if "lag" in axes else {}
    ids = {"id": ("sequence", [str(n) for n in range(len(effect))])}
    return xr.Dataset({"margin_effect": (axes, effect), **more}, lags | ids, {"level": "lag"})


def test_a_mean_effect_by_hand():
    effects = made(np.array([[1.0, -2.0, 4.0], [3.0, np.nan, 0.0]]), ("sequence", "lag"))

    found = ablation_effect(effects)

    np.testing.assert_allclose(found.values, [2.0, -2.0, 2.0])
    assert found.values["lag"].values.tolist() == [2, 3, 4]
    assert found.label == "effect on the margin (logits)"
    np.testing.assert_allclose(found.uncertainty.sel(lag=2), [1.0, 3.0])
    assert found.uncertainty_of == "95 % bootstrap interval over 2 sequences"
    turned = ablation_effect(effects.isel(sequence=[1, 0])).values
    np.testing.assert_allclose(turned, found.values)


def test_a_lag_that_a_sequence_does_not_read_has_no_effect_to_speak_of():
    effect = np.array([[1.0, 0.0, 0.0, 0.0], [3.0, 0.0, 2.0, 0.0]])
    read = np.array([[0.5, 0.2, 0.0, 0.0], [0.4, 0.0, 0.0, 0.0]])[:, None]
    effects = made(
        effect, ("sequence", "lag"), contribution=(("sequence", "time", "lag"), read)
    )  # fmt: skip

    found = ablation_effect(effects)

    # Lag 3 was read once and did nothing; lag 4 changed something, so it was there. The other
    # sequence, too short for both, does not count.
    np.testing.assert_allclose(found.values, [2.0, 0.0, 2.0, np.nan])
    known = found.uncertainty.notnull().all("end")
    assert known.values.tolist() == [True, False, False, False]


def test_a_pair_by_hand():
    pairs = np.array([[[1.0, 7.0], [7.0, 2.0]]])
    effects = made(pairs, ("sequence", "lag", "other_lag"))

    found = pair_interaction(effects)

    np.testing.assert_allclose(found.values, [[np.nan, 4.0], [4.0, np.nan]])
    assert found.uncertainty is None
    with pytest.raises(KeyError, match="needs the effects of pairs"):
        pair_interaction(made(np.ones((2, 3)), ("sequence", "lag")))


def test_rank_correlation_is_spearmans_with_ties_and_gaps():
    size = np.round(np.abs(rng.normal(size=(3, 9, 4))), 1) + 0.1
    effect = np.round(rng.normal(size=(3, 9, 4)), 1)
    effect[1, 6:] = np.nan
    size[2, :2] = 0.0  # no lag was read there
    weights = (("sequence", "time", "lag"), size)
    effects = made(effect, ("sequence", "time", "lag"), contribution=weights)

    found = effect_against(effects)

    for row, (one, other) in enumerate(zip(size, np.abs(effect), strict=True)):
        there = np.isfinite(other) & (one > 0)
        expected = spearmanr(one[there], other[there]).statistic
        np.testing.assert_allclose(found.values[row], expected, rtol=1e-12)
    assert found.uncertainty_of.endswith("over 3 sequences of the mean")
    low, high = found.uncertainty.values[0]
    assert low < float(found.values.mean()) < high


def test_what_the_dataset_does_not_hold_is_refused():
    with pytest.raises(KeyError, match="holds no 'loss_effect'"):
        ablation_effect(made(np.ones((2, 3)), ("sequence", "lag")), measure="loss")
    with pytest.raises(KeyError, match="every timestep and lag"):
        effect_against(made(np.ones((2, 3)), ("sequence", "lag")))


def test_a_sequence_without_any_effect_is_left_out_and_not_counted():
    effect = np.array([[1.0, 2.0], [np.nan, np.nan], [3.0, np.nan]])
    with pytest.warns(UserWarning, match=r"1 of 3 sequences have no finite effect .*: 1\."):
        found = ablation_effect(made(effect, ("sequence", "lag")))
    np.testing.assert_allclose(found.values, [2.0, 2.0])
    assert found.uncertainty_of == "95 % bootstrap interval over 2 sequences"
    # Nor does what it read count: the only one that reached the second lag is gone.
    read = np.zeros((3, 1, 2))
    read[0, 0, 0] = read[1] = 1.0
    reached = made(
        np.array([[1.0, 0.0], [np.nan, np.nan], [3.0, 0.0]]), ("sequence", "lag"),
        contribution=(("sequence", "time", "lag"), read),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="1 of 3"):
        np.testing.assert_allclose(ablation_effect(reached).values, [2.0, np.nan])
