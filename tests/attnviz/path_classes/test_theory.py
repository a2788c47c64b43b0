"""What theory says of the classes, and how the forget gate's bias decides between the cells."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import cells
from attnviz.analysis.decay import (
    measured_decay_rate,
    predicted_decay_rate,
    predicted_shortcut_norm,
)
from attnviz.analysis.path_classes import class_norm
from attnviz.path_classes import PathOptions, gradient_paths


def test_the_shortcut_of_an_rra_with_constant_gates_decays_as_predicted():
    """Weights of the gates are zero: o is one number, and c and a stay near zero."""
    layer = cells.RRA(3, 6, window=4)
    cell = layer.groups["l0"]
    with torch.no_grad():
        cell.gates.gates_from_hidden.weight.zero_()
        cell.gates.from_input.weight[:18].zero_()
        cell.gates.from_input.weight[18:].mul_(1e-6)
        cell.gates.from_input.bias[12:18] = 1.5
        cell.gates.candidate_from_hidden.weight.mul_(1e-6)
    x = torch.randn(120, 2, 3)

    paths = gradient_paths(layer, x, objective=lambda hidden: hidden.sum())

    o = 1 / (1 + np.exp(-1.5))
    assert_allclose(paths["shortcut_slope"], o, rtol=1e-6)
    predicted = float(predicted_decay_rate(paths).values)
    kernel = cell.lag_kernel().detach().numpy()
    sides = [w * o * predicted**-lag for w, lag in zip(kernel, cell.lags, strict=True)]
    assert_allclose(sum(sides), 1, rtol=1e-6)
    measured = measured_decay_rate(paths, distances=(60, 120))
    assert_allclose(measured.values, predicted, rtol=1e-5)
    norms = class_norm(paths, place="hidden").values.sel(path_class="shortcut")
    assert_allclose(predicted_shortcut_norm(paths).values, norms, rtol=1e-4)


def test_hops_of_an_rra_with_one_lag_are_distances():
    layer = cells.RRA(2, 3, window=1)

    paths = gradient_paths(
        layer, torch.randn(13, 1, 2), objective=lambda hidden: hidden.sum(),
        options=PathOptions(hops=9),
    )  # fmt: skip

    hops = paths["hidden_hop_norm"].values[0]
    for distance, by_hop in enumerate(hops):  # every hop is 2 timesteps
        expected = [distance // 2] if distance % 2 == 0 and distance else []
        assert [n + 1 for n in np.flatnonzero(by_hop)] == expected


# Orders of magnitude at distance 200: RRA by shortcuts alone, LSTM by its memory alone.
HEADLINE = {1.0: ((-14, -9), (-31, -25)), 3.0: ((-22, -15), (-8, -3))}


@pytest.mark.parametrize("bias", HEADLINE)
def test_the_forget_bias_decides_which_cell_remembers(bias):
    x = torch.randn(201, 1, 32)
    found = {}
    for make, path_class, place in (
        (cells.RRA, "shortcut", "hidden"), (cells.LSTM, "memory", "memory")
    ):  # fmt: skip
        layer = make(32, 48, forget_bias=bias)
        paths = gradient_paths(layer, x, objective=lambda h: h.sum() / h.shape[-1] ** 0.5)
        norms = paths[f"{place}_class_norm"].sel(path_class=path_class)
        found[make] = float(np.log10(norms[0, 200]))

    for (low, high), order in zip(HEADLINE[bias], found.values(), strict=True):
        assert low < order < high
    assert (found[cells.RRA] > found[cells.LSTM]) == (bias == 1)
