import copy
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional as F

import attnviz
import cells
from attnviz.models import ModelSettings, build_model
from attnviz.path_classes import PathOptions, gradient_paths
from cells import Route, Slot
from tests.cells.helpers import LAYERS, made, ragged
from tests.cells.own_cell import GlanceCell

NAMES = {"key": "query", "value": "candidate"}


def summed(predicted):
    weights = torch.linspace(0.5, 1.5, predicted.shape[-1], dtype=predicted.dtype)
    return (predicted * weights).sum()


def norms(gradient):
    return torch.linalg.vector_norm(gradient, dim=-1).detach().numpy()


@pytest.mark.parametrize("kind", LAYERS)
def test_numbers_of_every_class(kind):
    layer = made(kind, 3, 4)
    x, lengths = ragged(8, 3, 3)

    paths = gradient_paths(layer, x, lengths=lengths, objective=summed)

    x.requires_grad_()
    output, _ = layer(x, lengths=lengths)
    (expected,) = torch.autograd.grad(summed(output[lengths - 1, torch.arange(3)]), x)
    assert_array_equal(paths["length"], lengths)
    for row, length in enumerate(lengths.tolist()):
        back = norms(expected[:length, row])[::-1]
        assert_allclose(paths["input_gradient_norm"][row, :length], back, rtol=1e-10)
        assert np.isnan(paths["input_gradient_norm"][row, length:]).all()
        assert np.isnan(paths["input_class_share"][row, length:]).all()
    for place in ("hidden", "memory", "input"):
        if f"{place}_class_norm" in paths:
            there = np.isfinite(paths[f"{place}_residual"].values)
            shares = paths[f"{place}_class_share"].sum("path_class").values
            assert_allclose(shares[there], 1, rtol=1e-10)
            assert paths[f"{place}_residual"].max() < 1e-12 * (100 if kind == "LARNN" else 1)
            sums = paths[f"{place}_class_norm"].sum("path_class") / paths[f"{place}_gradient_norm"]
            assert_allclose(sums.values[there], paths[f"{place}_cancellation"].values[there])
    # At distance 0 nothing has passed an edge.
    assert_allclose(paths["hidden_class_share"][:, 0, 0], 1)
    assert paths["path_class"].values[0] == "direct"


def test_both_methods_and_hops():
    layer = made("RRA", 3, 4)
    x, lengths = ragged(10, 4, 3)

    paths = gradient_paths(layer, x, lengths=lengths, objective=summed, options=PathOptions(hops=2))
    by_doors = gradient_paths(
        layer, x, lengths=lengths, objective=summed, options=PathOptions(method="doors")
    )

    for name in by_doors.data_vars:
        assert_allclose(paths[name], by_doors[name], rtol=1e-9, atol=1e-12, err_msg=str(name))
    assert paths["hidden_hop_norm"].dims == ("sequence", "distance", "hop")
    longest = int(lengths.argmax())
    one, more = paths["hidden_hop_norm"].values[longest, 2:5].T
    alone = paths["hidden_class_norm"].sel(path_class="shortcut").values[longest, 2:5]
    assert_allclose(one[:2], alone[:2], rtol=1e-12)  # two hops reach back 4 timesteps at least
    assert more[:2].max() == 0
    assert more[2] > 0
    assert (paths.attrs["method"], by_doors.attrs["method"]) == ("recursion", "doors")


@pytest.mark.parametrize("group", ["l0", "l0_reverse", "l1", "l1_reverse"])
def test_each_layer_and_direction_of_a_model(group):
    settings = ModelSettings(
        "rra", 4, 3, input_size=2, num_layers=2, bidirectional=True, options={"window": 3}
    )
    model = build_model(settings).eval()
    x, lengths = torch.randn(3, 9, 2), torch.tensor([9, 4, 7])

    paths = gradient_paths(model, x, lengths=lengths, group=group, objective=summed)

    # Independently: the loss's gradient at what this group emits last, and back through it alone.
    layer, reverse = model.layer, group.endswith("_reverse")
    seen = {}
    handle = layer.groups[group].register_forward_hook(
        lambda _, given, found: seen.setdefault("steps", []).append((given[0], found[0].hidden))
    )
    layer.path = "step"
    predicted = model(x, lengths)
    handle.remove()
    emitted = [hidden for _, hidden in seen["steps"]]
    at = torch.autograd.grad(
        summed(predicted), emitted, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    rows = lengths.argsort(descending=True).tolist()
    for place, row in enumerate(rows):
        last = int(lengths[row]) - 1
        back = torch.autograd.grad(
            emitted[last][place], emitted[: last + 1], at[last][place], retain_graph=True
        )
        expected = [float(torch.linalg.vector_norm(g[place])) for g in back[::-1]]
        assert_allclose(paths["hidden_gradient_norm"][row, : last + 1], expected, rtol=1e-9)
        assert_allclose(paths["injected"][row], at[last][place], rtol=1e-10)
    assert paths.attrs["direction"] == (-1 if reverse else 1)
    assert float(paths["hidden_residual"].max()) < 1e-11


def test_a_layer_goes_on_from_a_carried_state():
    layer = made("RRA", 3, 4, batch_first=True)
    x = torch.randn(2, 12, 3)
    whole = gradient_paths(layer, x, objective=summed)
    _, state = layer(x[:, :5])

    rest = gradient_paths(layer, x[:, 5:], state=state, objective=summed)

    for name in ("hidden_class_norm", "memory_class_share", "input_class_norm"):
        assert_allclose(rest[name], whole[name][:, :7], rtol=1e-9, atol=1e-13)


def test_a_shorter_length_asks_from_an_earlier_timestep():
    layer = made("LSTM", 3, 4)
    x = torch.randn(10, 2, 3)

    paths = gradient_paths(layer, x, lengths=[6, 6], objective=summed)

    expected = gradient_paths(layer, x[:6], objective=summed)
    assert paths.sizes["distance"] == 6
    assert_allclose(paths["input_class_norm"], expected["input_class_norm"])


def test_models_are_asked_for_the_predicted_class():
    settings = ModelSettings("gru", 4, 3, vocabulary_size=11, embedding_size=5, dropout=0.3)
    model = build_model(settings).float()
    ids = torch.randint(11, (4, 7))

    paths = gradient_paths(model, ids)

    double = copy.deepcopy(model).double().eval()
    features = double.embedding(ids).detach().requires_grad_()
    output, _ = double.layer(features)
    logits = double.head(output[:, -1])
    loss = F.cross_entropy(logits, logits.argmax(-1), reduction="sum")
    (expected,) = torch.autograd.grad(loss, features)
    assert_allclose(paths["input_gradient_norm"], norms(expected)[:, ::-1], rtol=1e-12)
    assert model.training  # and read in eval mode all the same


@pytest.mark.parametrize("head", ["per_step", "language_model"])
def test_models_that_predict_at_every_step_are_asked_at_the_last(head):
    settings = ModelSettings("lstm", 4, 5, head=head, vocabulary_size=5, embedding_size=3)
    model = build_model(settings).eval()
    ids, lengths = torch.randint(5, (3, 6)), [6, 2, 4]

    paths = gradient_paths(model, ids, lengths=lengths)

    for row, length in enumerate(lengths):
        alone = gradient_paths(model, ids[row : row + 1, :length])
        assert_allclose(
            paths["input_class_norm"][row, :length], alone["input_class_norm"][0], rtol=1e-9,
            atol=1e-14,
        )  # fmt: skip


def test_the_model_is_left_as_it_was_and_nobody_hears_of_it():
    model = build_model(ModelSettings("rra", 4, 2, vocabulary_size=9, embedding_size=3)).float()
    heard = []
    model.layer.register_readout_hook(lambda *_: heard.append("readout"), ["attention"])
    model.layer.register_gradient_hook(lambda *_: heard.append("gradient"))
    model.register_forward_hook(lambda *_: heard.append("forward"))
    model.layer.groups["l0"].requires_grad_(False)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    random = torch.get_rng_state()

    with attnviz.record(model), torch.no_grad():
        gradient_paths(model, torch.randint(9, (2, 6)), objective=summed)
        assert not heard
        model(torch.randint(9, (2, 6)))

    assert heard
    assert torch.equal(random, torch.get_rng_state()) is False  # randint moved it, not the paths
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    assert all(values.grad is None for values in model.parameters())
    assert model.layer.path == "auto" and model.layer.last_path != "step"


def test_a_cell_of_ones_own():
    layer = made("own", 3, 4, num_layers=2)

    paths = gradient_paths(layer, torch.randn(9, 2, 3), objective=summed)

    assert paths["path_class"].values.tolist()[:4] == ["direct", "key", "value", "key+value"]
    assert (paths.attrs["cell"], paths.attrs["group"]) == ("Glance", "l1")
    assert "memory_class_norm" not in paths


def test_small_gradients_keep_their_shares():
    layer = made("LSTM", 3, 4)
    x = torch.randn(9, 2, 3)

    paths = gradient_paths(layer, x, objective=lambda hidden: 1e-200 * summed(hidden))

    expected = gradient_paths(layer, x, objective=summed)
    assert_allclose(
        paths["input_class_share"], expected["input_class_share"], rtol=1e-9, atol=1e-15
    )
    assert_allclose(paths["input_class_norm"], 1e-200 * expected["input_class_norm"], rtol=1e-9)


def test_an_objective_of_each_sequence_is_summed():
    layer = made("GRU", 3, 4)
    x = torch.randn(5, 2, 3)

    each = gradient_paths(layer, x, objective=lambda hidden: hidden[:, 0])

    whole = gradient_paths(layer, x, objective=lambda hidden: hidden[:, 0].sum())
    assert_array_equal(each["input_class_norm"], whole["input_class_norm"])


def test_an_objective_of_several_numbers_is_refused(unchecked):
    layer, x = made("GRU", 3, 4), torch.randn(5, 2, 3)
    with pytest.raises(ValueError, match=r"one number for each, got shape \(2, 4\)\. Choose"):
        gradient_paths(layer, x, objective=lambda hidden: hidden)
    with pytest.raises(ValueError, match="one number for each, got float"):
        gradient_paths(layer, x, objective=lambda hidden: 3.0)


def test_a_module_that_holds_a_layer_is_told_which(unchecked):
    opened = attnviz.open_model(torch.nn.Sequential(torch.nn.GRU(3, 4)))
    x = torch.randn(5, 2, 3)
    with pytest.raises(TypeError, match=r"got OpenGRU\. Give the recurrent layer of it, \.layer, "):
        gradient_paths(opened[0], x, objective=summed)
    with pytest.raises(TypeError, match=r"got Sequential\. Give .* of it, \.0\.layer, and what"):
        gradient_paths(opened, x, objective=summed)
    with pytest.raises(TypeError, match=r"got GRU\. attnviz\.open_model opens torch\.nn\.LSTM"):
        gradient_paths(torch.nn.GRU(3, 4), x, objective=summed)
    assert gradient_paths(opened[0].layer, x, objective=summed).attrs["cell"] == "GRU"


class StateAlone(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(x, state, edit=edit, via=via)[0]


def test_a_step_that_returns_no_readout_is_named(unchecked):
    layer = cells.Recurrent(lambda features: StateAlone(features, 4), 3)
    with pytest.raises(TypeError, match=r"A step of StateAlone must return .*got GlanceState\."):
        gradient_paths(layer, torch.randn(5, 2, 3), objective=summed)


def test_refusals():
    layer = made("RRA", 3, 4)
    x = torch.randn(5, 2, 3)
    with pytest.raises(ValueError, match="A layer has no loss of its own"):
        gradient_paths(layer, x)
    with pytest.raises(KeyError, match=r"no group 'l3'; there are \['l0'\]"):
        gradient_paths(layer, x, objective=summed, group="l3")
    with pytest.raises(ValueError, match="does not depend on the last hidden states of l0"):
        gradient_paths(layer, x, objective=lambda hidden: 0 * hidden.sum())
    with pytest.raises(ValueError, match="does not depend on the last hidden states of l0"):
        gradient_paths(layer, x, objective=lambda hidden: torch.zeros(()))
    with layer.register_edit(cells.same), pytest.raises(ValueError, match="An edit is registered"):
        gradient_paths(layer, x, objective=summed)
    numbers = build_model(ModelSettings("gru", 4, 1, head="regression", input_size=3))
    with pytest.raises(ValueError, match="predicts numbers"):
        gradient_paths(numbers, x)
    with pytest.raises(ValueError, match="takes no state"):
        gradient_paths(numbers, x, state=layer(x)[1], objective=summed)


class NamedAsOurs(GlanceCell):
    """Its routes have names that the package's own cells join; `sees` is what goes through via."""

    routes: Mapping[str, Route] = {
        "gates": Route("hidden"), **{n: Route("hidden", lagged=True) for n in NAMES.values()}
    }  # fmt: skip
    sees = ("gates", "query", "candidate")

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        def renamed(slot, value):
            name = {"carry": "gates", **NAMES}[slot.route]
            return via(Slot(name, slot.lag), value) if name in self.sees else value

        return super().forward(x, state, edit=edit, via=renamed)


def test_routes_of_ones_own_cell_are_labels_by_their_names():
    layer = cells.Recurrent(lambda features: NamedAsOurs(features, 4), 3).double()
    paths = gradient_paths(layer, torch.randn(6, 2, 3).double(), objective=summed)
    assert {"gates", "query", "candidate"} <= set(paths["path_class"].values)
    assert len(paths["path_class"]) == 8


def test_a_use_of_a_state_outside_via_is_warned_of():
    layer = cells.Recurrent(lambda features: NamedAsOurs(features, 4), 3).double()
    next(iter(layer.groups.values())).sees = ("gates", "query")
    with pytest.warns(UserWarning, match=r"miss a share .* at input\. .* through via"):
        gradient_paths(layer, torch.randn(6, 2, 3).double(), objective=summed)
