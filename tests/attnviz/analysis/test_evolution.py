import numpy as np
import pytest
import xarray as xr

from attnviz.analysis import kernel_evolution, kernel_norm_evolution, loss_evolution
from tests.attnviz import probes


def test_the_kernel_of_rra_is_its_normalised_scores():
    found = kernel_evolution(probes.rra())
    assert found.values.dims == ("step", "head", "lag")
    assert found.values["lag"].values.tolist() == [2, 3, 4]
    assert found.values["step"].values.tolist() == probes.STEPS
    # scores 1, 2, 3 after ten iterations
    np.testing.assert_allclose(found.values.sel(step=10)[0], [1 / 6, 1 / 3, 1 / 2])
    np.testing.assert_allclose(found.values.sum("lag"), 1.0)
    assert found.uncertainty is None and found.symbol == "ŵ"


def test_the_norm_is_that_of_the_scores():
    found = kernel_norm_evolution(probes.rra())
    assert float(found.values.sel(step=10)) == pytest.approx(14**0.5, rel=1e-12)
    assert float(found.values.sel(step=0)) == pytest.approx(3**0.5, rel=1e-12)
    with pytest.raises(KeyError, match="probes of LARNN hold none of lag_score_norm in any layer"):
        kernel_norm_evolution(probes.larnn())


def test_means_have_their_spread_and_say_over_how_many():
    found = kernel_evolution(probes.larnn())
    np.testing.assert_array_equal(found.uncertainty, found.values / 10)
    assert found.uncertainty_of == "standard deviation over 3 sequences"
    by_age = kernel_evolution(probes.gru())
    assert by_age.values.dims == ("step", "age") and by_age.uncertainty is None
    assert by_age.name == "mean gate attention during training"


def test_the_loss_is_the_mean_over_sequences():
    made = probes.rra()
    found = loss_evolution(made)
    losses = made["loss"].values
    np.testing.assert_allclose(found.values, losses.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.uncertainty, losses.std(axis=1, ddof=1), rtol=1e-12)
    alone = xr.DataTree(made.to_dataset().isel(sequence=[1]))
    assert loss_evolution(alone).uncertainty is None


def test_what_is_not_there_is_refused():
    with pytest.raises(KeyError, match=r"no layer 'l7'; they have \['l0'\]"):
        kernel_evolution(probes.rra(), group="l7")
    made = probes.larnn()
    whole = made["l0/attention"].expand_dims(sequence=3, time=2)
    made["l0"] = made["l0"].to_dataset().assign(attention=whole)
    with pytest.raises(ValueError, match="kept attention whole, with the axes"):
        kernel_evolution(made)
