import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import t as student
from torch import nn
from torch.autograd.functional import jacobian

import cells
from attnviz import Sequences, linear_influence, replacement_influence
from tests.attnviz.influence.subjects import FEATURES, MODELS, Linear, by_lag, plain, scale_of


def inputs(sequences=2, time=5):
    return torch.randn(sequences, time, FEATURES)


def covariance_of(reference):
    return torch.cov(reference.flatten(0, 1).T, correction=0)


def scaled_jacobian(function, x, reference):
    """S⁻¹ ∂h_t/∂x_s, (time, unit, source, feature)."""
    scale = scale_of(function, reference)
    return jacobian(lambda x: function(x[None])[0] / scale, x)


@pytest.mark.parametrize("name", MODELS)
def test_it_is_the_norm_of_the_jacobian(name):
    model, x, reference = MODELS[name](), inputs(2), inputs(3, 4)

    found = linear_influence(model, x, reference=reference, rows=7)

    model.eval()
    function = plain(name, model)
    for row in range(2):
        jacobians = scaled_jacobian(function, x[row], reference)
        squared = torch.einsum("tusf,fg,tusg->st", jacobians, covariance_of(reference), jacobians)
        assert_allclose(
            found["influence"].values[row], by_lag(squared.numpy()), rtol=1e-8, atol=1e-16
        )
    assert found.attrs["estimator"] == "exact" and found.attrs["kind"] == "linear"
    assert "standard_error" not in found and "share_standard_error" not in found


def test_the_coordinates_of_the_inputs_do_not_matter():
    model, x, reference = nn.LSTM(FEATURES, 4, batch_first=True), inputs(), inputs(3, 4)
    turn = torch.randn(FEATURES, FEATURES) + 2 * torch.eye(FEATURES)

    found = linear_influence(lambda x: model(x)[0], x, reference=reference)
    turned = linear_influence(
        lambda x: model(x @ turn)[0], x @ turn.inverse(), reference=reference @ turn.inverse()
    )

    assert_allclose(turned["influence"], found["influence"], rtol=1e-7, atol=1e-14)


def test_inputs_that_never_move_in_a_direction_count_for_nothing():
    model, x, reference = nn.LSTM(FEATURES, 4), inputs(), inputs(3, 4)
    reference[..., 1:] = 0.3  # a singular covariance

    found = linear_influence(model, x, reference=reference)

    function = plain("torch.nn.GRU", model)
    jacobians = scaled_jacobian(function, x[1], reference)[..., 0]
    squared = jacobians.square().sum(1).T * reference[..., 0].var(correction=0)
    assert_allclose(found["influence"].values[1], by_lag(squared.numpy()), rtol=1e-8, atol=1e-14)


def test_the_error_of_the_probes_is_that_of_the_formula():
    model, x, reference, probes = nn.LSTM(FEATURES, 4), inputs(1), inputs(3, 4), 20_000

    found = linear_influence(model, x, reference=reference, at="last", probes=probes, rows=5000)
    truth = linear_influence(model, x, reference=reference, at="last")

    jacobians = scaled_jacobian(plain("torch.nn.GRU", model), x[0], reference)[-1]
    b = torch.einsum("usf,fg,vsg->suv", jacobians, covariance_of(reference), jacobians)
    variance = 2 * (b.square().sum((1, 2)) - b.diagonal(dim1=1, dim2=2).square().sum(1)) / probes
    error = found["standard_error"].values[0, 0]
    assert_allclose(error**2, variance.numpy()[::-1], rtol=0.05)
    off = (found["influence"] - truth["influence"]).values[0, 0]
    assert (np.abs(off) < 4.5 * error).all() and (error > 0).all()


def test_intervals_of_influence_and_of_shares_cover():
    model, x, reference, probes = nn.LSTM(FEATURES, 6), inputs(1, 4), inputs(3, 4), 16

    found = linear_influence(
        model, x.expand(400, -1, -1), reference=reference, at="last", probes=probes
    )
    truth = linear_influence(model, x, reference=reference, at="last")["influence"].values[0, 0]

    reach = student.ppf(0.975, probes - 1)
    values = found["influence"].values[:, 0]
    error = found["standard_error"].values[:, 0]
    assert (np.abs((np.abs(values - truth) < reach * error).mean(0) - 0.94) < 0.04).all()
    shares, error = values / values.sum(-1, keepdims=True), found["share_standard_error"][:, 0]
    covered = (np.abs(shares - truth / truth.sum()) < reach * error.values).mean(0)
    assert (np.abs(covered - 0.94) < 0.04).all()


def test_the_margin_is_exact_with_one_product_whatever_the_probes():
    model, x, reference = nn.LSTM(FEATURES, 3, batch_first=True), 3 * inputs(), inputs(3, 4)

    found = linear_influence(model, x, reference=reference, margin=[2, 0], probes=5)

    for row, label in enumerate([2, 0]):

        def margin(x, label=label):
            logits = model(x[None])[0][0]
            return 2 * logits[:, label] - torch.stack(
                [logits[:, label] + logits[:, other] for other in range(3) if other != label]
            ).amax(0)

        gradients = jacobian(margin, x[row])  # (time, source, feature)
        squared = torch.einsum("tsf,fg,tsg->st", gradients, covariance_of(reference), gradients)
        assert_allclose(
            found["influence"].values[row], by_lag(squared.numpy()), rtol=1e-8, atol=1e-16
        )
    assert found.attrs["estimator"] == "exact" and found.attrs["draws"] == 0


def test_a_saturated_latch_is_missed():
    def latch(x):
        return (8 * x[:, :1, :1]).tanh() + 0.05 * x[..., :1]

    bits = torch.randint(2, (20, 6, 1)) * 2.0 - 1.0

    seen = replacement_influence(latch, bits, reference=bits, at="last", replacements=30)
    told = linear_influence(latch, bits, reference=bits, at="last")

    # A gradient of 8 (1 − tanh² 8) = 3.6e-6 beside 0.05 for the timestep's own input.
    share = (told["influence"] / told["influence"].sum("lag")).sel(lag=5)
    assert_allclose(share, (8 / np.cosh(8.0) ** 2 / 0.05) ** 2, rtol=1e-5)
    assert float((seen["influence"] / seen["influence"].sum("lag")).sel(lag=5).mean()) > 0.99


def test_a_linear_model_averages_to_the_influence_of_replacement():
    model, reference = Linear(2), inputs(400, 3)

    seen = replacement_influence(model, reference, reference=reference, at="last", replacements=20)
    told = linear_influence(model, reference, reference=reference, at="last")

    ratio = (seen["influence"].mean("sequence") / told["influence"].mean("sequence")).values[0]
    assert_allclose(ratio[:2], 1, atol=0.1)


def test_chosen_timesteps_lengths_and_rows_at_once_change_nothing():
    model, x, reference = cells.RRA(FEATURES, 4, window=2), inputs(2, 6), inputs(2, 4)
    padded = x.clone()
    padded[1, 3:] = np.nan

    for probes in (None, 3):
        whole = linear_influence(model, x, reference=reference, probes=probes, rows=1000)
        small = linear_influence(model, x, reference=reference, probes=probes, rows=5)
        last = linear_influence(model, x, reference=reference, at="last")
        cut = linear_influence(model, Sequences(padded, [6, 3]), reference=reference, probes=probes)
        assert_allclose(small["influence"], whole["influence"], rtol=1e-8, atol=1e-18)
        assert_allclose(cut["influence"][0], whole["influence"][0], rtol=1e-8, atol=1e-18)
        assert_allclose(
            cut["influence"][1, :3, :3], whole["influence"][1, :3, :3], rtol=1e-8, atol=1e-18
        )
        assert np.isnan(cut["influence"][1, 3:]).all()
        if probes is None:
            assert_allclose(
                last["influence"][:, 0], whole["influence"][:, 5], rtol=1e-8, atol=1e-18
            )


def test_frozen_weights_and_calls_without_gradient_are_no_obstacle():
    model, x = nn.GRU(FEATURES, 4).requires_grad_(False), inputs()
    expected = linear_influence(model.requires_grad_(True), x, reference=x)

    with torch.no_grad():
        found = linear_influence(model.requires_grad_(False), x, reference=x)

    assert_allclose(found["influence"], expected["influence"], rtol=1e-10)
    assert all(value.grad is None for value in model.parameters())


def test_a_function_without_gradient_is_refused():
    model = nn.LSTM(FEATURES, 4, batch_first=True)

    with pytest.raises(ValueError, match=r"asks for none\. Does the function detach.*replacement"):
        linear_influence(lambda x: model(x)[0].detach(), inputs(), reference=inputs())
