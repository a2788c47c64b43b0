"""What a cell declares about itself is so."""

import pytest
import torch
from torch.testing import assert_close

import cells
from tests.cells.helpers import EXACT, LAYERS, gradients_of, made, ragged, randomise, read

GATED = [kind for kind in LAYERS if kind not in ("LARNN", "own")]
every_layer = pytest.mark.parametrize("kind", LAYERS)


@every_layer
def test_every_parameter_that_can_be_trained_is(kind):
    layer = made(kind, 2, 3, 2, bidirectional=True)
    _, *of_weights = gradients_of(layer, torch.randn(6, 4, 2))
    assert all(gradient.any() for gradient in of_weights)


def test_parameters_that_cannot_be_trained_are_named():
    layer = randomise(cells.RRA(2, 3, window=1))
    layer(torch.randn(6, 2, 2))[0].sum().backward()
    cell = layer.groups["l0"]
    assert cell.untrainable() == {"lag_scores"}
    assert abs(cell.lag_scores.grad).max() < 1e-15
    assert layer.groups["l0"].gates.from_input.weight.grad.any()


@every_layer
def test_signals_obey_their_declaration(kind):
    layer = made(kind, 3, 4)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(4)  # gates near their bounds
    [cell] = layer.groups.values()
    sizes = {"unit": 4, "lag": len(cell.lags), "feature": getattr(cell, "features", None)}
    x, lengths = ragged(9, 4, 3)

    _, _, seen = read(layer, 3 * x, lengths=lengths)

    for name, signal in cell.signals.items():
        values = seen["l0"][name]
        expected = tuple(sizes.get(axis, values.shape[2]) for axis in signal.axes)
        assert values.shape == (9, 4, *expected), name
        inside = values[~values.isnan()]
        if signal.bounds is not None:
            assert signal.bounds[0] <= inside.min() and inside.max() <= signal.bounds[1], name
        if signal.normalised_over:
            total = values.sum(dim=2 + signal.axes.index(signal.normalised_over))
            total = total[~total.isnan()]
            nothing_to_read = getattr(cell, "missing", "zero") == "renormalise"
            assert all(abs(t - 1) < 1e-12 or (nothing_to_read and t == 0) for t in total), name


@pytest.mark.parametrize("kind", GATED)
@pytest.mark.parametrize("given", [False, True])
def test_a_gated_state_is_kept_and_written_as_declared(kind, given):
    layer = made(kind, 3, 4)
    [cell] = layer.groups.values()
    name, write, keep, candidate = cell.gated
    x = torch.randn(9, 2, 3)
    _, state = layer(x[:2]) if given else (None, None)

    _, _, seen = read(layer, x[2:], state=state)

    of = seen["l0"]
    kept = of[keep] if keep else 1 - of[write]
    before = torch.cat([of[f"initial_{name}"][None], of[name][:-1]])
    assert_close(of[name], kept * before + of[write] * of[candidate], **EXACT)


def test_which_cells_write_a_gated_state():
    declared = {kind: made(kind, 3, 4).groups["l0"].gated for kind in LAYERS}
    assert [kind for kind, gated in declared.items() if gated is not None] == GATED


@every_layer
def test_defaults_and_labels_belong_to_signals(kind):
    [cell] = made(kind, 3, 4).groups.values()
    defaults = {name for name, signal in cell.signals.items() if signal.default}
    expected = {"RAU": {"feature_attention"}, "LSTM": set(), "GRU": set()}
    assert defaults == expected.get(kind.split()[0], {"attention", "contribution"})
    axes = {axis for signal in cell.signals.values() for axis in signal.axes}
    assert {label.removesuffix("_kind") for label in cell.coordinates()} <= axes
    assert {route.state for route in cell.routes.values()} <= set(cell.initial_state(1)._fields)
