"""Ablations on models whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import attnviz
import cells
from attnviz.analysis.ablation import ablation_effect, effect_against, pair_interaction
from attnviz.edits import Ablation, Collector
from attnviz.models import SequenceModel
from attnviz.recording import Numbers, Texts
from attnviz.replay import runs
from attnviz.replay.plan import first_number
from attnviz.text import Vocabulary
from tests.cells.own_cell import GlanceCell

pytestmark = pytest.mark.usefixtures("double_precision")


WORDS = ["good", "bad", "film", "the", "very"]
TEXT = "the very good film the bad film the very very good film"


def reader(layer):
    """A classifier of texts around a layer."""
    vocabulary = Vocabulary(("<pad>", "<unk>", *WORDS))
    model = SequenceModel(layer, outputs=2, vocabulary_size=len(vocabulary))
    model.vocabulary, model.name = vocabulary, "hand"
    return model.eval()


def rra(window=4, units=3, **options):
    return reader(cells.RRA(3, units, window=window, batch_first=True, **options))


def larnn(heads=2):
    return reader(cells.LARNN(3, 4, window=3, heads=heads, options=cells.STABLE, batch_first=True))


@torch.no_grad()
def kernel(model, weights):
    cell = model.layer.groups["l0"]
    cell.lag_scores.copy_(torch.tensor(weights))
    return model


def ids_of(model, text):
    return torch.tensor([[model.vocabulary.words.index(word) for word in text.split()]])


def one_by_one(model, text, edit):
    """The logits under a plain edit of a layer, on its own."""
    ids = ids_of(model, text)
    model.layer.path = "step"
    with torch.no_grad(), model.layer.register_edit(edit):
        logits = model(ids)[0]
    model.layer.path = "auto"
    return logits


def margin(logits, target):
    return float(logits[target] - logits[1 - target])


def test_only_lag_three_matters():
    model = kernel(rra(), [0.0, 1.0, 0.0, 0.0])  # lags 2, 3, 4, 5
    effects = attnviz.ablate(model, [TEXT])
    assert list(effects["lag"].values) == [2, 3, 4, 5]
    found = effects["margin_effect"].values[0]
    assert (found[[0, 2, 3]] == 0).all() and abs(found[1]) > 1e-6
    assert (effects["loss_effect"].values[0][[0, 2, 3]] == 0).all()


@torch.no_grad()
def test_attention_is_the_only_way_back():
    model = kernel(rra(window=2), [1.0, 1.0])
    cell = model.layer.groups["l0"]
    units = cell.hidden_size
    for part in (cell.gates.gates_from_hidden, cell.gates.candidate_from_hidden):
        part.weight.zero_()
    cell.gates.from_input.weight[units : 2 * units] = 0
    cell.gates.from_input.bias[units : 2 * units] = -60  # nothing is kept in the memory
    everything = lambda weights, values, at: (0 * weights, values)  # noqa: E731
    alone = one_by_one(model, "film", lambda weights, values, at: (weights, values))
    assert torch.allclose(one_by_one(model, TEXT, everything), alone, atol=1e-12)
    effects = attnviz.ablate(model, [TEXT], level="pair")
    both = effects["margin_effect"].sel(lag=2, other_lag=3).values[0]
    whole = one_by_one(model, TEXT, lambda weights, values, at: (weights, values))
    target = int(effects["target"][0])
    assert both == pytest.approx(margin(alone, target) - margin(whole, target), abs=1e-12)


@torch.no_grad()
def test_redundant_lags_have_no_single_effect_and_a_large_pair():
    """Either lag alone saturates the output: h = tanh(50 (h_{t-2} + h_{t-3}))."""
    model = rra(window=2, units=1)
    cell = model.layer.groups["l0"]
    for parameter in cell.parameters():
        parameter.zero_()
    kernel(model, [1.0, 1.0])
    cell.gates.from_input.bias[0] = -60  # closed: nothing enters the memory ...
    cell.gates.from_input.bias[2] = 60  # ... and the output is open
    model.head.weight.copy_(torch.tensor([[-5.0], [5.0]]))
    edit_values = lambda weights, values, at: (weights * 1000, values + 1)  # noqa: E731
    with model.layer.register_edit(edit_values):  # both lags hold large values
        effects = attnviz.ablate(model, [TEXT], level="pair", method="zero")
    found = effects["margin_effect"].values[0]
    interaction = pair_interaction(effects).values.values
    assert np.abs(np.diagonal(found)).max() < 1e-12
    assert abs(found[0, 1]) > 5
    assert interaction[0, 1] == pytest.approx(found[0, 1])
    assert np.isnan(np.diagonal(interaction)).all()


def test_a_batch_of_edits_is_each_edit_alone(monkeypatch):
    monkeypatch.setattr(runs, "ROWS", 7)
    model = larnn()
    effects = attnviz.ablate(model, [TEXT], level="step")
    target = int(effects["target"][0])
    plain = one_by_one(model, TEXT, lambda weights, values, at: (weights, values))
    for time, lag in ((2, 1), (5, 3), (11, 2), (0, 1)):

        def edit(weights, values, at, time=time, lag=lag):
            if int(at.timestep[0]) != time:
                return weights, values
            weights = weights.clone()
            weights[..., lag - 1] = 0
            return weights, values

        expected = margin(one_by_one(model, TEXT, edit), target) - margin(plain, target)
        found = float(effects["margin_effect"].sel(lag=lag).values[0, time])
        assert found == pytest.approx(expected, abs=1e-12)
        assert expected != 0 or time == 0
    # At timestep 0 only the initial memory stands in the window.
    assert (effects["margin_effect"].sel(lag=[2, 3]).values[0, 0] == 0).all()


def test_zero_and_minus_infinity_are_different_things():
    weights, values = torch.tensor([[[0.5, 0.3, 0.2]]]), torch.randn(1, 1, 3, 2)
    one = torch.tensor([0])
    at = cells.At(torch.ones(1, 3, dtype=torch.bool), (1, 2, 3), one + 4, one)
    sources, every = torch.tensor([[True, False, False]]), torch.ones(1, 1, dtype=torch.bool)

    def edit(method):
        return Ablation(method, sources, one - 1, every)(weights, values, at)[0]

    torch.testing.assert_close(edit("zero"), torch.tensor([[[0.0, 0.3, 0.2]]]))
    torch.testing.assert_close(edit("remove"), torch.tensor([[[0.0, 0.6, 0.4]]]))
    model = larnn()
    zero, removed = (
        attnviz.ablate(model, [TEXT], method=m)["margin_effect"].values for m in ("zero", "remove")
    )
    assert np.abs(zero - removed).max() > 1e-6


def test_what_is_left_must_not_cancel():
    model = kernel(rra(window=3), [1.0, 1.5, -1.0])
    with pytest.raises(
        ValueError, match=r"change the sign.*\(from 1 to -.*method='zero' or 'mean'"
    ):
        attnviz.ablate(kernel(model, [0.2, 1.5, -1.0]), [TEXT], method="remove")
    assert np.isfinite(attnviz.ablate(model, [TEXT])["margin_effect"]).all()


def test_frozen_changes_nothing_of_a_static_kernel():
    model = rra()
    reference = [TEXT, "the film the film the very bad film"]
    effects = attnviz.ablate(model, [TEXT], level="head", method="frozen", reference=reference)
    assert np.abs(effects["margin_effect"].values).max() < 1e-14
    changed = attnviz.ablate(larnn(), [TEXT], level="head", method="frozen", reference=[TEXT])
    assert np.abs(changed["margin_effect"].values).max() > 1e-9


def test_uniform_and_permuted_weights_keep_their_sum_among_reachable_sources():
    weights = torch.rand(5, 2, 4).softmax(dim=-1)
    reachable = torch.arange(4) < torch.tensor([4, 3, 2, 1, 4])[:, None]
    weights = weights * reachable[:, None]
    at = cells.At(reachable, (1, 2, 3, 4), torch.full((5,), 9), torch.arange(5))
    every = torch.ones(5, 2, dtype=torch.bool)
    every[4] = False
    sources = torch.ones(5, 4, dtype=torch.bool)
    for method in ("uniform", "permute"):
        edit = Ablation(method, sources, torch.full((5,), -1), every)
        found, _ = edit(weights, torch.randn(5, 2, 4, 3), at)
        torch.testing.assert_close(found.sum(dim=-1), weights.sum(dim=-1))
        assert (found.masked_select(~reachable[:, None].expand_as(found)) == 0).all()
        torch.testing.assert_close(found[4], weights[4], rtol=0, atol=0)
        if method == "uniform":
            torch.testing.assert_close(found[2, :, 0], found[2, :, 1])
        else:
            torch.testing.assert_close(found.sort(dim=-1)[0], weights.sort(dim=-1)[0])
            assert not torch.equal(found[:2], weights[:2])
            torch.testing.assert_close(edit(weights, torch.randn(5, 2, 4, 3), at)[0], found)


def test_mean_values_are_those_of_the_reference():
    model, texts = rra(window=2), [TEXT, "the bad bad film the good"]
    collector, seen = Collector(), []

    def watch(weights, values, at):
        seen.append((values, at.reachable))
        return weights, values

    model.layer.path = "step"
    with torch.no_grad():
        for text in texts:
            ids = ids_of(model, text)
            with model.layer.register_edit(collector), model.layer.register_edit(watch):
                model(ids)
    found = collector.references()
    for source in range(2):
        there = torch.stack([v[0, 0, source] for v, reach in seen if reach[0, source]])
        torch.testing.assert_close(found.values[0, source], there.mean(dim=0))
    torch.testing.assert_close(found.weights[0], model.layer.groups["l0"].lag_kernel().detach())
    mean, again, twice = (
        attnviz.ablate(model, [TEXT], method=method, reference=texts)["margin_effect"].values
        for method in ("mean", "resample", "resample")
    )
    assert np.abs(mean).max() > 0 and np.abs(again - mean).max() > 0
    np.testing.assert_array_equal(again, twice)


def test_features_of_rau():
    model = reader(cells.RAU(3, 4, batch_first=True))
    effects = attnviz.ablate(model, [TEXT], level="feature")
    assert effects["margin_effect"].dims == ("sequence", "feature")
    assert effects.sizes["feature"] == 7 and "attention" not in effects
    for feature in (1, 5):

        def edit(weights, values, at, feature=feature):
            weights = weights.clone()
            weights[..., feature] = 0
            return weights, values

        target = int(effects["target"][0])
        plain = one_by_one(model, TEXT, lambda weights, values, at: (weights, values))
        expected = margin(one_by_one(model, TEXT, edit), target) - margin(plain, target)
        assert float(effects["margin_effect"][0, feature]) == pytest.approx(expected, abs=1e-12)
    mean = attnviz.ablate(model, [TEXT], level="feature", method="mean", reference=[TEXT])
    assert np.abs(mean["margin_effect"].values).max() > 0


def test_labels_lengths_and_signals():
    model = larnn()
    texts = Texts([TEXT, "the bad film"], labels=[1, -1], ids=["a", "b"])
    effects = attnviz.ablate(model, texts, level="step")
    assert effects.sizes == {"sequence": 2, "time": 12, "lag": 3}
    assert np.isnan(effects["margin_effect"].values[1, 3:]).all()
    assert int(effects["target"][0]) == 1 and list(effects["id"].values) == ["a", "b"]
    alone = attnviz.ablate(model, Texts(["the bad film"]), level="step")
    np.testing.assert_allclose(
        effects["margin_effect"].values[1, :3], alone["margin_effect"].values[0], atol=1e-12
    )
    np.testing.assert_allclose(
        effects["probability"].values, np.exp(-effects["loss"].values), atol=1e-12
    )
    trace = attnviz.record_texts(model, list(texts.texts), gradients=False)
    recorded = attnviz.signal(trace, "attention").mean("head").values
    np.testing.assert_allclose(effects["attention"].values, recorded, atol=1e-12)


def test_nothing_of_the_model_is_changed():
    model = rra().train()
    before, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    attnviz.ablate(model, [TEXT], method="resample", reference=[TEXT])
    assert model.training and model.layer.path == "auto" and not model.layer.edited
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    with pytest.raises(ValueError, match="nearly cancel"):
        attnviz.ablate(kernel(model, [0.0, 1.0, 0.0, -0.9]), [TEXT], method="remove", level="pair")
    assert model.training and model.layer.path == "auto" and not model.layer.edited


@pytest.mark.parametrize(
    ("make", "arguments", "said"),
    [
        (lambda: reader(cells.LSTM(3, 4, batch_first=True)), {}, "has no attention of its own"),
        (lambda: reader(cells.GRU(3, 4, batch_first=True)), {}, "attnviz.replacement_influence"),
        (lambda: reader(cells.RAU(3, 4, batch_first=True)), {}, "over features, not over lags"),
        (rra, {"level": "feature"}, "does not attend over features"),
        (rra, {"method": "mean"}, "needs reference texts"),
        (rra, {"method": "uniform"}, "Choose level='head'"),
    ],
)
def test_what_is_not_defined_is_refused_with_the_reason(make, arguments, said):
    with pytest.raises(ValueError, match=said):
        attnviz.ablate(make(), [TEXT], **arguments)


def test_effects_are_saved_and_opened(tmp_path):
    effects = attnviz.ablate(larnn(), Texts([TEXT, "the bad film"], labels=[0, 1]), level="head")
    path = attnviz.save_effects(effects, tmp_path / "e.nc")
    back = attnviz.open_effects(path)
    for name in effects.variables:
        np.testing.assert_array_equal(back[name].values, effects[name].values)
    assert dict(back.attrs) == dict(effects.attrs)
    with pytest.raises(ValueError, match="does not end so"):
        attnviz.save_effects(effects, tmp_path / "e.csv")
    (tmp_path / "bad.nc").write_bytes(path.read_bytes()[:40])
    with pytest.raises(attnviz.TraceFormatError, match=r"bad\.nc"):
        attnviz.open_effects(tmp_path / "bad.nc")
    with pytest.raises(FileNotFoundError):
        attnviz.open_effects(tmp_path / "none.nc")


def test_mean_effects_and_rank_correlations_by_hand():
    effects = attnviz.ablate(larnn(), Texts([TEXT, "the bad film the film"]), level="step")
    known = effects.copy(deep=True)
    known["margin_effect"].values[:] = np.nan
    known["contribution"].values[:] = np.nan
    sizes = np.array([1.0, 2.0, 3.0])
    for row in range(2):
        known["contribution"].values[row, :3] = sizes * [[1], [10], [100]]
        known["margin_effect"].values[row, :3] = -sizes * [[1], [10], [100]]
    known["margin_effect"].values[1, :3] *= -1
    rho = effect_against(known)
    np.testing.assert_allclose(rho.values.values, [1.0, 1.0])
    known["margin_effect"].values[1, :3] = 1 / known["contribution"].values[1, :3]
    np.testing.assert_allclose(effect_against(known).values.values, [1.0, -1.0])
    assert effect_against(known).uncertainty.dims == ("sequence", "end")
    mean = ablation_effect(known).values
    np.testing.assert_allclose(mean[0, 0], (-1 + 1) / 2)
    fixed = attnviz.ablate(rra(), [TEXT], level="step")
    with pytest.raises(ValueError, match="is the same at every timestep"):
        effect_against(fixed, against="attention")
    assert np.isfinite(effect_against(fixed).values.values).all()
    with pytest.raises(KeyError, match="level='step'"):
        effect_against(attnviz.ablate(rra(), [TEXT]))
    with pytest.raises(KeyError, match="level='pair'"):
        pair_interaction(fixed)


def test_what_is_drawn_depends_on_seed_and_edit_and_not_on_the_batch(monkeypatch):
    model, texts = larnn(), [TEXT, TEXT]
    found = {}
    for rows in (256, 5):
        monkeypatch.setattr(runs, "ROWS", rows)
        for level, method in (("lag", "resample"), ("head", "permute"), ("step", "permute")):
            effects = attnviz.ablate(model, texts, level=level, method=method, reference=[TEXT])
            found[rows, level] = effects["margin_effect"].values
    for level in ("lag", "head", "step"):
        np.testing.assert_allclose(found[256, level], found[5, level], atol=1e-12)
        # Two texts draw each for itself.
        assert np.abs(found[256, level][0] - found[256, level][1]).max() > 1e-9
    other = attnviz.ablate(model, texts, method="resample", reference=[TEXT], seed=5)
    assert np.abs(other["margin_effect"].values - found[256, "lag"]).max() > 1e-9


def test_no_two_texts_and_seeds_draw_the_same():
    starts = {
        (seed, text): first_number(seed, text)
        for seed in (0, 1, 2, 7, 2**32, 2**64)
        for text in range(40)
    }
    in_order = sorted(starts.values())
    # Every text may have a million edits of its own before it comes to those of another.
    assert min(np.diff(in_order)) > 1e6 and 0 <= in_order[0] and in_order[-1] < 2**62
    assert first_number(1, 3) == starts[1, 3]
    model = larnn()
    zero, one = (
        attnviz.ablate(model, [TEXT, TEXT], method="resample", reference=[TEXT], seed=seed)
        for seed in (0, 1)
    )
    # Once, the second text under seed 0 drew what the first one did under seed 1.
    apart = one["margin_effect"].values[0] - zero["margin_effect"].values[1]
    assert np.abs(apart).max() > 1e-9
    with pytest.raises(ValueError, match="whole number from 0 on, got -1"):
        attnviz.ablate(model, [TEXT], seed=-1)


class TwoHeads(GlanceCell):
    """Its second head reads what the first one avoids, and is half as strong."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.attention = torch.nn.Identity()  # a part that says nothing of heads

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        reached = state.steps[:, None] + 1 >= torch.tensor(self.lags)
        past = torch.stack(state.window, dim=1)
        scores = torch.einsum("bu,blu->bl", self.query(x), past)
        scores = torch.stack([scores, -scores], dim=1).masked_fill(~reached[:, None], -torch.inf)
        attention = scores.softmax(dim=-1)
        values = past[:, None] * torch.tensor([1.0, 0.5])[:, None, None]
        weights, values = edit(attention, values, cells.At(reached, self.lags))
        context = torch.einsum("bhl,bhlu->bu", weights, values)
        hidden = (self.from_input(x) + self.from_hidden(state.hidden) + context).tanh()
        readout = {
            "attention": attention,
            "contribution": weights * torch.linalg.vector_norm(values, dim=-1),
            "hidden": hidden,
        }
        return type(state)(hidden, (hidden, state.window[0]), state.steps + 1), readout


def test_heads_of_a_cell_of_ones_own_are_those_of_its_weights():
    model = reader(cells.Recurrent(lambda size: TwoHeads(size, 5), 3, batch_first=True))
    effects = attnviz.ablate(model, [TEXT], level="head")
    assert effects["margin_effect"].dims == ("sequence", "head", "lag")
    assert effects["margin_effect"].shape == (1, 2, 2)
    target = int(effects["target"][0])
    plain = one_by_one(model, TEXT, lambda weights, values, at: (weights, values))
    found = []
    for head in range(2):
        for source, lag in enumerate((1, 2)):

            def edit(weights, values, at, head=head, source=source):
                weights = weights.clone()
                weights[:, head, source] = 0
                return weights, values

            expected = margin(one_by_one(model, TEXT, edit), target) - margin(plain, target)
            found.append(float(effects["margin_effect"].sel(lag=lag)[0, head]))
            assert found[-1] == pytest.approx(expected, abs=1e-12)
    assert len(np.unique(np.round(found, 9))) == 4


class Deaf(GlanceCell):
    """Attends, but lets nobody edit what it reads."""

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(x, state, via=via)


def test_a_cell_that_hands_nothing_to_its_edit_is_refused():
    model = reader(cells.Recurrent(lambda size: Deaf(size, 5), 3, batch_first=True))
    with pytest.raises(ValueError, match="Deaf declares attention, but its step never hands"):
        attnviz.ablate(model, [TEXT])


def test_methods_that_change_whole_heads_have_no_lags():
    model = larnn()
    by_head = attnviz.ablate(model, [TEXT], level="head", method="uniform")
    assert by_head["margin_effect"].dims == ("sequence", "head")
    by_step = attnviz.ablate(model, [TEXT], level="step", method="uniform")
    assert by_step["margin_effect"].dims == ("sequence", "time")

    def equal(weights, values, at):
        even = at.reachable[:, None].to(weights) / at.reachable.sum(dim=1)[:, None, None]
        return torch.cat([even.expand_as(weights)[:, :1], weights[:, 1:]], dim=1), values

    target = int(by_head["target"][0])
    plain = one_by_one(model, TEXT, lambda weights, values, at: (weights, values))
    expected = margin(one_by_one(model, TEXT, equal), target) - margin(plain, target)
    assert float(by_head["margin_effect"][0, 0]) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(KeyError, match="level='step'"):
        effect_against(by_step)
    rau = reader(cells.RAU(3, 4, batch_first=True))
    found = attnviz.ablate(rau, [TEXT], level="head", method="uniform")
    assert found["margin_effect"].shape == (1, 1) and found["margin_effect"].values.item() != 0


@pytest.mark.parametrize("reading", ["hidden", "hidden_outside"])
def test_the_other_readings_of_rau_have_their_own_features(reading):
    model = reader(cells.RAU(3, 4, batch_first=True, reading=reading))
    effects = attnviz.ablate(model, [TEXT], level="feature")
    assert effects.sizes["feature"] == 4
    assert np.abs(effects["margin_effect"].values).max() > 0


def test_rows_that_depend_on_each_other_are_refused():
    options = replace(cells.STABLE, eval_honoured=False, hidden_dropout=0.5)
    layer = cells.LARNN(3, 4, window=9, heads=2, options=options, batch_first=True)
    with pytest.raises(ValueError, match="alone than in a batch"):
        attnviz.ablate(reader(layer), [TEXT])


def test_a_label_that_is_no_class_is_refused():
    with pytest.raises(ValueError, match="has the label 7"):
        attnviz.ablate(larnn(), Texts([TEXT], labels=[7]))


def as_numbers(model, texts, labels, ids=None):
    """The same model without its embedding, and what the embedding makes of texts."""
    own = SequenceModel(model.layer, outputs=2).eval()
    own.head, own.name, own.classes = model.head, "numbers", model.classes
    rows = [model.embedding(ids_of(model, text))[0].detach().numpy() for text in texts]
    return own, Numbers(np.stack(rows), np.array(labels), ids)


@pytest.mark.parametrize(
    ("level", "method"), [("lag", "zero"), ("head", "resample"), ("step", "frozen")]
)
def test_numbers_are_ablated_as_the_texts_that_they_are_made_of(level, method):
    model, texts = larnn(), [TEXT, " ".join(reversed(TEXT.split())), TEXT.replace("very", "bad")]
    numbers, read = as_numbers(model, texts, [1, 0, 1], ["a", "b", "c"])
    given = Texts(texts, [1, 0, 1], ["a", "b", "c"])
    usual = None if method == "zero" else texts[:2]
    other = None if usual is None else as_numbers(model, usual, [0, 0])[1]

    expected = attnviz.ablate(model, given, level=level, method=method, reference=usual, seed=3)
    found = attnviz.ablate(numbers, read, level=level, method=method, reference=other, seed=3)

    assert set(found.variables) == set(expected.variables) and found.sizes == expected.sizes
    for name in set(expected.data_vars):
        np.testing.assert_allclose(found[name].values, expected[name].values, atol=1e-12)
    assert float(abs(found["margin_effect"]).max()) > 1e-6
    assert found["id"].values.tolist() == ["a", "b", "c"] and found.attrs["model"] == "numbers"
    assert found.attrs["target"] == "label, else predicted class"


def test_numbers_that_a_model_cannot_read_are_refused():
    model = larnn()
    numbers, read = as_numbers(model, [TEXT], [1])
    with pytest.raises(ValueError, match="hand has the head classification and reads tokens"):
        attnviz.ablate(model, read)
    with pytest.raises(ValueError, match=r"tells 2 classes apart, numbered from 0, but .* to 2"):
        attnviz.ablate(numbers, replace(read, targets=np.array([2])))
    with pytest.raises(ValueError, match="has no vocabulary, so it cannot read text"):
        attnviz.ablate(numbers, [TEXT])
    with pytest.raises(ValueError, match="for each, got 1 sequences, 2 rows"):
        replace(read, targets=np.array([0, 1]))
    with pytest.raises(ValueError, match="1 rows and 2 ids"):
        replace(read, ids=["a", "b"])
    with pytest.raises(ValueError, match="at least one sequence"):
        Numbers(np.zeros((0, 5, 3)), np.zeros(0, dtype=int))


@pytest.mark.parametrize("outputs", [1, 2])
def test_of_predicted_numbers_the_squared_error_is_measured(outputs, tmp_path):
    layer = cells.RRA(3, 5, window=4, batch_first=True)
    model = SequenceModel(layer, outputs=outputs, head="regression").eval()
    model.name = "sums"
    random = np.random.default_rng(5)
    read = Numbers(random.normal(size=(2, 9, 3)), random.normal(size=(2, outputs)))

    effects = attnviz.ablate(model, read)

    def error(row, lag=None):
        """Under an edit that is written out here."""

        def without(weights, values, at):
            kept = torch.tensor([other != lag for other in at.lags])
            return weights * kept, values

        layer.path = "step"
        with torch.no_grad(), layer.register_edit(without):
            predicted = model(torch.from_numpy(read.features[row : row + 1]))[0].numpy()
        layer.path = "auto"
        return ((predicted - read.targets[row]) ** 2).sum()

    for row in range(2):
        assert float(effects["loss"][row]) == pytest.approx(error(row), rel=1e-12)
        for lag in layer.groups["l0"].lags:
            found = float(effects["loss_effect"][row].sel(lag=lag))
            assert found == pytest.approx(error(row, lag) - error(row), rel=1e-9)
    assert float(abs(effects["loss_effect"]).max()) > 1e-4
    assert not {"margin", "margin_effect", "probability_effect"} & set(effects.data_vars)
    np.testing.assert_array_equal(effects["target"], read.targets)
    assert effects["target"].dims == ("sequence", "output")
    assert effects.attrs["loss"] == "squared error"
    assert effects.attrs["target"] == "the right numbers"

    mean = ablation_effect(effects)
    assert mean.name == "effect on the squared error" and mean.unit == ""
    np.testing.assert_allclose(mean.values, effects["loss_effect"].mean("sequence"))
    with pytest.raises(KeyError, match="no 'margin_effect'"):
        ablation_effect(effects, measure="margin")
    attnviz.save_effects(effects, tmp_path / "e.nc")
    opened = attnviz.open_effects(tmp_path / "e.nc")
    assert ablation_effect(opened).name == mean.name
    assert attnviz.plot_ablation(opened).get_ylabel() == "effect on the squared error"


def test_a_model_that_predicts_at_every_timestep_is_refused():
    model = SequenceModel(cells.RRA(3, 5, window=4, batch_first=True), outputs=2, head="per_step")
    with pytest.raises(ValueError, match=r"rra is for per_step and predicts at every one\.$"):
        attnviz.ablate(model, Numbers(np.zeros((1, 4, 3)), np.zeros((1, 2))))
