"""Language models read a running text piece by piece: what ablations and gradients say of it."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import attnviz
import cells
from attnviz.analysis import ablation_effect, measures_of, outcome
from attnviz.influence import Sequences
from attnviz.models import build_model
from attnviz.path_classes import PathOptions, running_gradient_paths
from attnviz.recording import Numbers, Running, record_running
from attnviz.replay import runs
from tests.attnviz.training.tiny import language_recipe, language_task

pytestmark = pytest.mark.usefixtures("double_precision")

WORDS = tuple("abcdefg")
LARNN = {"window": 3, "heads": 2, "preset": "stable"}
OPTIONS = {"rra": {"window": 3}, "larnn": LARNN, "rau": {}, "gru": {}}


def text(count=23, length=9):
    return Running(language_task().splits["test"].ids[:count], WORDS, length, {"task": "circle"})


def language_model(cell):
    """Two layers, with parameters large enough for every edit to be seen."""
    torch.manual_seed(3)
    settings = dataclasses.replace(language_recipe("gru").model, cell=cell, options=OPTIONS[cell])
    model = build_model(settings).double()
    with torch.no_grad():
        for values in model.layer.parameters():
            values.mul_(3)
    model.name = "walker"
    return model


def losses_of(model, running, edited=None, edit=None):
    """The mean loss of each piece's next tokens, one of the pieces read under an edit."""
    model.eval().layer.path = "step"
    state, found = None, []
    with torch.no_grad():
        for number, piece in enumerate(map(torch.from_numpy, running.pieces)):
            before = state
            logits, state = model.go_on(piece[None], before)
            if number == edited:
                with model.layer.register_edit(edit, group="l1"):
                    logits, _ = model.go_on(piece[None], before)
            found.append(float(cross_entropy(logits[0, :-1], piece[1:])))
    model.layer.path = "auto"
    return np.array(found)


def without_lag(place):
    def edit(weights, values, at):
        kept = torch.ones(weights.shape[-1])
        kept[place] = 0
        return weights * kept, values

    return edit


def mean_values(model, running):
    """What stands at each lag of the second layer on the mean over a text read without a break."""
    sums, counts = 0, 0

    def look(weights, values, at):
        nonlocal sums, counts
        there = at.reachable[:, None, :, None]
        sums, counts = sums + (values * there).sum(dim=0), counts + there.sum(dim=0)
        return weights, values

    model.eval().layer.path = "step"
    with torch.no_grad(), model.layer.register_edit(look, group="l1"):
        model(torch.from_numpy(running.tokens).long()[None])
    model.layer.path = "auto"
    return sums / counts


def gradient_at_the_input(model, piece):
    """Of the loss of the last token, the norm at what the second layer reads at each timestep."""
    ids = torch.from_numpy(piece)
    features = model.eval().embedding(ids[None, :-1])
    below, above = (build_layer(model, group) for group in ("l0", "l1"))
    read = below(features)[0].detach().requires_grad_()
    loss = cross_entropy(model.head(above(read)[0][:, -1]), ids[-1:])
    return torch.autograd.grad(loss, read)[0][0].norm(dim=-1).numpy()


def build_layer(model, group):
    """One of a model's layers by itself."""
    alone = cells.Recurrent(
        lambda _: copy.deepcopy(model.layer.groups[group]),
        model.layer.groups[group].input_size,
        batch_first=True,
    )
    return alone.eval()


def test_pieces_cover_the_text_and_each_can_be_predicted_in():
    running = text(20, 9)
    assert running.ids == ["token 0", "token 9", "token 18"]
    assert [len(piece) for piece in running.pieces] == [9, 9, 2]
    np.testing.assert_array_equal(np.concatenate(running.pieces), running.tokens)
    assert [len(piece) for piece in text(19, 9).pieces] == [9, 9]  # one alone predicts nothing


@pytest.mark.parametrize("cell", ["rra", "larnn"])
def test_an_edit_of_a_piece_is_made_on_what_the_unedited_text_has_left(cell):
    model, running = language_model(cell).train(), text()

    effects = attnviz.ablate(model, running, group="l1")

    assert model.training and model.layer.path == "auto"
    assert measures_of(effects) == ["loss"] and "target" not in effects
    assert (effects.attrs["target"], effects.attrs["loss"]) == ("next token", "cross-entropy")
    assert effects["id"].values.tolist() == running.ids
    plain = losses_of(model, running)
    np.testing.assert_allclose(effects["loss"], plain, rtol=1e-12)
    for piece in range(3):
        for place in range(effects.sizes["lag"]):
            edited = losses_of(model, running, piece, without_lag(place))[piece]
            found = float(effects["loss_effect"][piece, place])
            assert found == pytest.approx(edited - plain[piece], abs=1e-12)
            assert abs(found) > 1e-7
    anew = attnviz.ablate(model, dataclasses.replace(running, tokens=running.pieces[1]), group="l1")
    assert abs(float(anew["loss"][0]) - plain[1]) > 1e-4  # the state that came before counts
    statistic = ablation_effect(effects)
    assert (statistic.name, statistic.unit) == ("effect on the loss", "nats")


def test_what_is_ablated_is_what_is_recorded():
    model, running = language_model("rra"), text()

    effects = attnviz.ablate(model, running, group="l1")
    trace = record_running(model, running, gradients=False)

    losses = np.nanmean(trace.tree["loss"].values, axis=1)
    np.testing.assert_allclose(effects["loss"], losses, rtol=1e-6)
    for piece in range(3):
        said = outcome(trace, piece)
        assert said.perplexity == pytest.approx(np.exp(float(effects["loss"][piece])), rel=1e-6)
        assert said.said == f"perplexity {said.perplexity:.1f}" and said.predicted is None
    recorded = trace.tree["l1"]["attention"].values.mean(axis=2)
    np.testing.assert_allclose(effects["attention"], recorded, rtol=1e-5, atol=1e-7)


def test_a_few_copies_at_a_time_are_as_good_as_all(monkeypatch):
    model, running = language_model("larnn"), text()
    whole = attnviz.ablate(model, running, level="step")
    monkeypatch.setattr(runs, "LOGITS", 4 * 9 * len(WORDS))  # four copies of a piece
    copies = []
    hook = model.embedding.register_forward_hook(lambda _, read, __: copies.append(len(read[0])))
    parts = attnviz.ablate(model, running, level="step")
    hook.remove()

    assert max(copies) == 4 * 9 // 5  # of the last piece, which has five tokens
    assert np.isnan(parts["loss_effect"].values[0, 8]).all()  # what follows is not known
    assert np.isnan(parts["loss_effect"].values[2, 4:]).all()
    assert np.isfinite(parts["loss_effect"].values[2, :4]).all()
    np.testing.assert_allclose(parts["loss_effect"], whole["loss_effect"], rtol=0, atol=1e-13)


def test_other_values_come_from_a_running_text_read_without_a_break():
    model, running = language_model("larnn"), text()
    usual = Running(language_task().splits["train"].ids[:60], WORDS, 20)

    means = attnviz.ablate(model, running, method="mean", reference=usual, group="l1")

    usually = mean_values(model, usual)
    for place in range(means.sizes["lag"]):

        def edit(weights, values, at, place=place):
            other = values.clone()
            there = at.reachable[:, place, None, None]
            other[:, :, place] = torch.where(there, usually[:, place], values[:, :, place])
            return weights, other

        edited, plain = losses_of(model, running, 2, edit)[2], losses_of(model, running)[2]
        assert float(means["loss_effect"][2, place]) == pytest.approx(edited - plain, abs=1e-12)
        assert abs(edited - plain) > 1e-6
    rau = language_model("rau")
    even = attnviz.ablate(rau, running, level="head", method="uniform")
    assert even["loss_effect"].shape == (3, 1) and (even["loss_effect"].values != 0).all()


def test_influence_reads_each_piece_to_its_own_end():
    model, running = language_model("gru"), text()
    ids = [torch.from_numpy(piece) for piece in running.pieces]
    words = [[WORDS[token] for token in piece] for piece in running.pieces]
    given = Sequences(torch.nn.utils.rnn.pad_sequence(ids, batch_first=True), [9, 9, 5], words)

    found = attnviz.replacement_influence(model, given, reference=ids[0][None], at="last")
    alone = attnviz.replacement_influence(model, ids[2][None], reference=ids[0][None], at="last")

    assert found["length"].values.tolist() == [9, 9, 5]
    assert found["token"].values[2].tolist() == [*words[2], "", "", "", ""]
    assert "token" not in alone
    assert float(found["influence"][2, 0, 0]) > 0
    with pytest.raises(ValueError, match=r"have \[9, 9, 5\] timesteps, but words for \[9, 9\]"):
        short = dataclasses.replace(given, words=words[:2])
        attnviz.replacement_influence(model, short, reference=ids[0][None])


@pytest.mark.parametrize("cell", ["gru", "rra"])
def test_the_gradient_of_the_last_token_of_a_piece_by_classes_of_paths(cell):
    model, running = language_model(cell), text()

    paths = running_gradient_paths(model, running)

    assert paths["id"].values.tolist() == running.ids
    assert paths["length"].values.tolist() == [8, 8, 4]
    share = paths["input_class_share"].sum("path_class", skipna=False).values
    assert np.isfinite(share).sum() == 8 + 8 + 4
    np.testing.assert_allclose(share[np.isfinite(share)], 1, rtol=1e-9)
    by_hand = gradient_at_the_input(model, running.pieces[0])
    np.testing.assert_allclose(paths["input_gradient_norm"][0, :8], by_hand[::-1], rtol=1e-9)
    whole = running_gradient_paths(model, running, options=PathOptions(labels={}))
    np.testing.assert_allclose(whole["input_gradient_norm"], paths["input_gradient_norm"])


def test_what_does_not_fit_is_refused():
    model, running = language_model("rra"), text()
    with pytest.raises(ValueError, match=r"needs two tokens, .* got 1 in pieces of 100"):
        Running(running.tokens[:1], WORDS)
    with pytest.raises(ValueError, match=r"needs two tokens, .* got 23 in pieces of 1\."):
        Running(running.tokens, WORDS, 1)
    with pytest.raises(ValueError, match=r"text of 3 words numbers them from 0, but its token \d+"):
        Running(running.tokens, ("a", "b", "c"))
    more = dataclasses.replace(running, words=(*WORDS, "h"))
    for read in (record_running, attnviz.ablate, running_gradient_paths):
        with pytest.raises(ValueError, match=r"of 8 words is read by a language model of as many"):
            read(model, more)
        with pytest.raises(ValueError, match=r"gru-imdb has the head classification with 2"):
            read(attnviz.load_model("gru-imdb"), running)
    other = Running(np.arange(60) % 3, ("a", "b", "c"))
    with pytest.raises(ValueError, match=r"of 3 words is read by a language model of as many"):
        attnviz.ablate(model, running, method="mean", reference=other)
    for tokens in (np.zeros((2, 3), int), np.zeros(4), [1, 2, 3]):
        with pytest.raises(TypeError):
            Running(tokens, WORDS)
    with pytest.raises(
        ValueError, match=r"predicts at every one\. Give it attnviz\.recording\.Run"
    ):
        attnviz.ablate(model, Numbers(np.zeros((1, 4, 2)), np.zeros(1, np.int64)))
    model.layer.requires_grad_(False)
    with pytest.raises(ValueError, match=r"none to follow. Pass gradients=False"):
        record_running(model, running)
