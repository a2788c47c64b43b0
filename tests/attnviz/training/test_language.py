"""Language models: segments of a running text, the state carried, perplexity, exact resume."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from torchmetrics.functional.text import perplexity

import attnviz
from attnviz.models import build_model
from attnviz.recording import Running, record_running
from attnviz.states import detached, rebuilt, tensors_of, without_windows
from attnviz.tasks import load_ptb, streams
from attnviz.training import recipe_for, score, score_test, train
from attnviz.training.language import NO_TARGET, LanguageData, text_loader
from attnviz.training.module import LanguageLearner, learner_for
from attnviz.training.optimising import begin_uniformly
from tests.attnviz.training.runs import KilledError, after, result
from tests.attnviz.training.tiny import (
    language_recipe,
    language_task,
    number_recipe,
    number_task,
)


def test_segments_follow_each_other_and_can_be_begun_in_the_middle():
    data = LanguageData(language_task(), language_recipe(bptt=7))
    whole = [[part.tolist() for part in batch] for batch in data.train_dataloader()]

    text = streams(language_task().splits["train"].ids, 8)
    assert text.shape == (8, 25)
    assert data.steps == len(whole) == 4
    assert [lengths for _, lengths, _ in whole] == [[7] * 8] * 3 + [[3] * 8]
    inputs, targets = (np.concatenate([batch[n] for batch in whole], axis=1) for n in (0, 2))
    np.testing.assert_array_equal(inputs, text[:, :-1])
    np.testing.assert_array_equal(targets, text[:, 1:])
    data.first = 2
    assert [[part.tolist() for part in batch] for batch in data.train_dataloader()] == whole[2:]


@pytest.mark.parametrize("count", [1, 3, 60, 61])
def test_scoring_has_every_token_but_the_first_once_as_a_target(count):
    ids = language_task().splits["validation"].ids

    batches = list(text_loader(ids, streams=count, segment=4))

    inputs, targets = (torch.cat([batch[n] for batch in batches], dim=1) for n in (0, 2))
    kept = targets != NO_TARGET
    assert targets[kept].tolist() == ids[1:].tolist()
    assert inputs[kept].tolist() == ids[:-1].tolist()
    assert kept.flatten()[:61].all()
    with pytest.raises(ValueError, match=r"62 tokens has 61 to predict, but 62 streams"):
        text_loader(ids, streams=62, segment=4)


@pytest.mark.parametrize("cell", ["gru", "rra", "larnn"])
def test_a_text_read_in_segments_is_the_text_read_whole(cell):
    torch.manual_seed(0)
    model = build_model(language_recipe(cell).model).eval()
    ids = torch.randint(7, (8, 13))

    with torch.no_grad():
        whole = model(ids)
        first, state = model.go_on(ids[:, :5])
        state = rebuilt(model.layer, tensors_of(detached(state)))
        second, _ = model.go_on(ids[:, 5:], state)
        again = model(ids[:, 5:], None, state)

    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, rtol=1e-5, atol=1e-6)
    assert torch.equal(second, again)


def test_windows_that_are_not_carried_are_empty_and_the_rest_stays():
    torch.manual_seed(0)
    model = build_model(language_recipe("rra").model).eval()
    ids = torch.randint(7, (4, 9))
    _, state = model.go_on(ids[:, :5])

    emptied = without_windows(model.layer, state)

    for one, before in zip(emptied, state, strict=True):
        assert torch.equal(one.hidden, before.hidden) and torch.equal(one.memory, before.memory)
        assert all(not slot.any() for slot in one.window) and not one.steps.any()
        assert any(slot.any() for slot in before.window)
    assert not torch.equal(model.go_on(ids[:, 5:], emptied)[0], model.go_on(ids[:, 5:], state)[0])
    gru = build_model(language_recipe("gru").model).eval()
    _, state = gru.go_on(ids)
    assert torch.equal(without_windows(gru.layer, state)[1].hidden, state[1].hidden)


@pytest.mark.parametrize("cell", ["lstm", "rra"])
def test_a_small_model_learns_and_its_perplexity_is_the_exponential_of_the_mean(cell, tmp_path):
    recipe = language_recipe("gru", epochs=15)
    recipe = dataclasses.replace(
        recipe, model=dataclasses.replace(recipe.model, cell=cell, hidden_size=12)
    )
    task = language_task()

    run = train(recipe, task, tmp_path)

    row = run.history[-1]
    assert row["train_perplexity"] < 3 < run.history[0]["train_perplexity"]
    assert row["validation_perplexity"] == math.exp(row["validation_loss"])
    ids = torch.from_numpy(task.splits["test"].ids).long()
    with torch.no_grad():
        logits = run.model()(ids[None, :-1]).double()
    logs = torch.log_softmax(logits[0], dim=-1)[torch.arange(94), ids[1:]]
    found = score_test(run, task)
    assert found["loss"] == pytest.approx(float(-logs.mean()), rel=1e-5)
    assert found["perplexity"] == pytest.approx(float(perplexity(logits, ids[None, 1:])), rel=1e-5)
    held = score(run.model(), task, "validation", recipe)
    best = run.best
    assert held["perplexity"] == pytest.approx(best["validation_perplexity"], rel=1e-5)
    assert best["validation_loss"] == min(row["validation_loss"] for row in run.history)
    assert run.model().classes == tuple("abcdefg") and run.model().vocabulary is None
    kept = attnviz.load_model(tmp_path).card["validation"]["perplexity"]
    assert kept == best["validation_perplexity"]


@pytest.mark.parametrize(
    ("cell", "carry"), [("gru", True), ("rra", True), ("rra", False), ("larnn", True)]
)
def test_wherever_a_run_ends_it_goes_on_to_the_same(cell, carry, tmp_path):
    recipe = language_recipe(cell, carry_windows=carry, epochs=2)
    train(recipe, language_task(), tmp_path / "whole", checkpoint_every=3)

    steps = 2 * LanguageData(language_task(), recipe).steps
    assert steps == 8
    for end in range(1, steps + 1):
        folder = tmp_path / str(end)
        with pytest.raises(KilledError):
            train(recipe, language_task(), folder, checkpoint_every=3, progress=after(end))
        train(recipe, language_task(), folder, checkpoint_every=3)

        assert result(folder) == result(tmp_path / "whole"), end


def test_carrying_windows_changes_what_is_learnt_of_rra_and_not_of_gru(tmp_path):
    for cell in ("rra", "gru"):
        for carry in (True, False):
            recipe = language_recipe(cell, carry_windows=carry, epochs=1)
            train(recipe, language_task(), tmp_path / f"{cell}{carry}")
    weights = {path.name: result(path)[2] for path in tmp_path.iterdir()}
    assert weights["rraTrue"] != weights["rraFalse"]
    assert weights["gruTrue"] == weights["gruFalse"]


@pytest.mark.parametrize("summed", [True, False])
def test_an_epoch_is_truncated_backpropagation_by_hand(summed, tmp_path):
    recipe = language_recipe(
        "gru", optimiser="sgd", learning_rate=0.05, clip=0.7, epochs=1, sum_over_time=summed
    )
    recipe = dataclasses.replace(
        recipe, model=dataclasses.replace(recipe.model, dropout=0.0), initial_range=0.2
    )
    run = train(recipe, language_task(), tmp_path)

    torch.manual_seed(recipe.seed)
    model = build_model(recipe.model)
    begin_uniformly(model, 0.2)
    text = torch.from_numpy(streams(language_task().splits["train"].ids, 8)).long()
    state, losses = None, []
    for at in range(0, 24, 6):
        logits, state = model.go_on(text[:, at : at + 6], state)
        loss = cross_entropy(logits.mT, text[:, at + 1 : at + 7])
        losses.append(float(loss.detach()))
        model.zero_grad()
        (loss * (6 if summed else 1)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.7)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= 0.05 * parameter.grad
        state = tuple(type(one)(*(tensor.detach() for tensor in one)) for one in state)
    last = torch.load(tmp_path / "checkpoint.ckpt", weights_only=True)["model"]
    for name, values in model.state_dict().items():
        torch.testing.assert_close(last[name], values, rtol=1e-5, atol=1e-7)
    told = run.history[0]["train_loss"]
    assert told == pytest.approx(np.mean(losses), rel=1e-5)


def test_weights_begin_evenly_in_their_range_and_vectors_as_the_cell_has_them():
    model = build_model(language_recipe("rra").model)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    begin_uniformly(model, 0.05)
    for name, values in model.named_parameters():
        if values.dim() == 1:
            assert torch.equal(values, before[name])
        else:
            assert 0.04 < values.abs().max() <= 0.05, name
    assert learner_for(model, language_recipe("rra")).__class__ is LanguageLearner


def test_what_does_not_fit_is_refused(tmp_path):
    recipe, task = language_recipe("gru"), language_task()
    few = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, outputs=6))
    with pytest.raises(ValueError, match=r"circle needs a model with head, .* \('language_model'"):
        train(few, task, tmp_path)
    with pytest.raises(ValueError, match=r"but the recipe has \('classification'"):
        train(number_recipe("gru"), task, tmp_path)
    with pytest.raises(ValueError, match=r"rises tells classes apart, .* 'language_model'"):
        train(recipe, number_task(), tmp_path)
    with pytest.raises(ValueError, match=r"gru is for classification, so it cannot predict"):
        score(build_model(number_recipe("gru").model), task, "test", recipe)
    with pytest.raises(ValueError, match="bptt above 0"):
        language_recipe("gru", bptt=0)
    with pytest.raises(ValueError, match=r"205 tokens for 150 streams"):
        train(language_recipe("gru", batch_size=150), task, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cell", ["gru", "rra"])
def test_a_recording_of_pieces_is_one_of_the_whole_text(cell):
    torch.manual_seed(0)
    model, ids = build_model(language_recipe(cell).model), language_task().splits["test"].ids[:23]
    words = ("the", "a", "<unk>", "café", "N", "<eos>", "zoë")

    trace = record_running(model, Running(ids, words, 9, {"task": "circle"}))
    whole = record_running(model, Running(ids, words, 23), gradients=False)

    tree = trace.tree
    assert tree["length"].values.tolist() == [9, 9, 5]
    assert tree["id"].values.tolist() == ["token 0", "token 9", "token 18"]
    assert [word for row in range(3) for word in attnviz.tokens(trace, row)] == [
        words[number] for number in ids
    ]
    name = "attention" if cell == "rra" else "gate_attention"
    signal, expected = (one.tree["l1"][name].values for one in (trace, whole))
    if cell == "rra":
        assert tree["history"].values.tolist() == [0, 9, 18]
        pieces = np.concatenate([signal[0], signal[1], signal[2, :5]])
        np.testing.assert_allclose(pieces, expected[0], rtol=1e-5)
    with torch.no_grad():
        logits = model.eval()(torch.from_numpy(ids).long()[None])[0]
    next_ones = torch.from_numpy(ids[1:]).long()
    losses = cross_entropy(logits[:-1], next_ones, reduction="none").numpy()
    told = tree["loss"].values
    np.testing.assert_allclose(told[0, :8], losses[:8], rtol=1e-5)
    np.testing.assert_allclose(told[1, :8], losses[9:17], rtol=1e-4)
    np.testing.assert_allclose(told[2, :4], losses[18:22], rtol=1e-4)
    assert np.isnan(told[0, 8]) and np.isnan(told[2, 4:]).all()
    surprisal = attnviz.analysis.surprisal(whole, 0).values.values
    np.testing.assert_allclose(surprisal[1:], losses, rtol=1e-5)
    norms = tree["l1"]["hidden_gradient_norm"].values
    assert np.isfinite(norms[0]).all() and (norms[:, :4] > 0).all()
    assert tree.attrs["task"] == "circle" and not model.layer._forward_hooks
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.data
@pytest.mark.slow
def test_a_few_segments_of_the_penn_treebank_are_learnt_from(full_data, tmp_path):
    whole = load_ptb(full_data)
    splits = {
        name: dataclasses.replace(split, ids=split.ids[:4000])
        for name, split in whole.splits.items()
    }
    recipe = recipe_for("gru", "ptb", "start")
    model = dataclasses.replace(recipe.model, hidden_size=16, embedding_size=16, num_layers=1)
    recipe = dataclasses.replace(recipe, model=model, epochs=3, learning_rate=0.02)

    run = train(recipe, dataclasses.replace(whole, splits=splits), tmp_path)

    losses = [row["train_loss"] for row in run.history]
    assert losses[-1] < losses[0] - 0.5
    assert losses[0] < 1.1 * math.log(10_000)
