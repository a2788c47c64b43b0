"""The adding problem through the training machinery: it learns, goes on exactly, is recorded."""

import dataclasses

import numpy as np
import pytest
import torch

import attnviz
from attnviz.models import build_model
from attnviz.recording import Numbers, record_numbers
from attnviz.tasks import load_adding
from attnviz.tasks.adding import SOLVED
from attnviz.training import (
    adding_recipe,
    default_recipe,
    export_model,
    open_run,
    score,
    score_test,
    train,
)
from attnviz.training.generated import GeneratedData, number_loader
from attnviz.training.module import Regressor, learner_for
from tests.attnviz.training.runs import KilledError, after, result
from tests.attnviz.training.tiny import tiny_recipe, tiny_task

STEPS = 12  # 4 batches an epoch, 3 epochs


def small_task(length=6):
    return load_adding(length, epoch_size=35, held_out=19)


def small_recipe(cell="rra", **changes):
    recipe = adding_recipe(cell, hidden_size=4)
    return dataclasses.replace(recipe, batch_size=8, epochs=3, learning_rate=0.01, **changes)


def test_an_epoch_is_fresh_and_can_be_begun_in_its_middle():
    data = GeneratedData(small_task(), small_recipe(seed=5))
    first = [batch[0] for batch in data.train_dataloader()]
    data.epoch = 1
    whole = [[part.tolist() for part in batch] for batch in data.train_dataloader()]
    data.first = 3
    rest = [[part.tolist() for part in batch] for batch in data.train_dataloader()]

    assert data.steps == len(first) == len(whole) == 4
    assert rest == whole[3:]
    expected = small_task().fresh(8, seed=5, step=4 + 3)
    features, lengths, targets = whole[3]
    np.testing.assert_array_equal(features, expected.features)
    np.testing.assert_array_equal(targets, expected.targets)
    assert lengths == [6] * 8
    batches = [torch.tensor(batch[0]) for batch in whole] + first
    assert len({batch.numpy().tobytes() for batch in batches}) == 8


def test_validation_reads_every_sequence_once():
    split = load_adding(3, held_out=600).splits["validation"]
    read = [torch.cat(parts).numpy() for parts in zip(*number_loader(split), strict=True)]
    np.testing.assert_array_equal(read[0], split.features)
    np.testing.assert_array_equal(read[2], split.targets)


@pytest.mark.parametrize("cell", ["gru", "rra"])
def test_a_small_model_learns_to_add_over_twenty_timesteps(cell, tmp_path):
    recipe = adding_recipe(cell, hidden_size=16)
    recipe = dataclasses.replace(recipe, learning_rate=0.01, epochs=4)
    task = load_adding(20, epoch_size=6400, held_out=1000)

    run = train(recipe, task, tmp_path)

    losses = [row["validation_loss"] for row in run.history]
    assert losses[0] > SOLVED > 5 * losses[-1]
    assert run.best["validation_loss"] == min(losses)
    assert set(run.history[0]) == {
        "epoch",
        "step",
        "train_loss",
        "validation_loss",
        "seconds",
        "processor_seconds",
    }
    found = score(run.model(), task, "validation", recipe)
    assert found == {"loss": pytest.approx(min(losses), rel=1e-4)}
    split = task.splits["test"]
    with torch.no_grad():
        predicted = run.model()(torch.from_numpy(split.features)).numpy()
    error = float(((predicted - split.targets) ** 2).mean())
    assert score_test(run, task) == {"loss": pytest.approx(error, rel=1e-5)}
    assert error < SOLVED / 5
    assert run.model().classes == ("sum",)
    assert attnviz.load_model(tmp_path).card["validation"] == {"loss": min(losses)}
    export_model(run, tmp_path / "half")
    assert attnviz.load_model(tmp_path / "half").name == f"{cell}-adding-20"


@pytest.mark.parametrize("cell", ["rra", "larnn", "rau", "lstm", "gru"])
def test_every_cell_can_be_trained(cell, tmp_path):
    run = train(small_recipe(cell), small_task(), tmp_path)
    assert len(run.history) == 3
    assert open_run(tmp_path).history == run.history
    assert all(np.isfinite(row["validation_loss"]) for row in run.history)


def test_wherever_a_run_ends_it_goes_on_to_the_same(tmp_path):
    train(small_recipe(), small_task(), tmp_path / "whole", checkpoint_every=3)

    for end in range(1, STEPS + 1):
        folder, killed = tmp_path / str(end), after(end, STEPS)
        with pytest.raises(KilledError):
            train(small_recipe(), small_task(), folder, checkpoint_every=3, progress=killed)
        train(small_recipe(), small_task(), folder, checkpoint_every=3)

        assert result(folder) == result(tmp_path / "whole"), end


def test_another_seed_gives_another_run_and_a_task_of_another_length_is_not_gone_on_with(tmp_path):
    train(small_recipe(), small_task(), tmp_path / "one")
    train(small_recipe(seed=1), small_task(), tmp_path / "two")
    assert result(tmp_path / "one")[2] != result(tmp_path / "two")[2]
    with pytest.raises(ValueError, match=r"data.length is 6 there and 7 here"):
        train(small_recipe(), small_task(7), tmp_path / "one")


def test_a_model_for_another_task_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"adding-6 needs a model with head, .* 8000\)"):
        train(default_recipe("gru"), small_task(), tmp_path)
    with pytest.raises(ValueError, match=r"tiny tells classes apart, .* head is 'regression'"):
        train(small_recipe(), tiny_task(), tmp_path)
    assert not list(tmp_path.iterdir())
    texts = build_model(tiny_recipe("gru").model)
    numbers = build_model(small_recipe("gru").model)
    with pytest.raises(ValueError, match=r"gru has no vocabulary"):
        score(numbers, tiny_task(), "test", small_recipe())
    texts.vocabulary = attnviz.load_model("gru-imdb").vocabulary
    with pytest.raises(ValueError, match=r"gru reads text, so it cannot read numbers"):
        score(texts, small_task(), "test", small_recipe())


def test_the_loss_is_the_mean_squared_error():
    model = build_model(small_recipe("gru").model)
    learner = learner_for(model, small_recipe("gru"))
    assert type(learner) is Regressor
    batch = next(iter(number_loader(small_task().splits["test"])))

    loss = learner.training_step(batch, 0).detach()

    expected = (model(batch[0]) - batch[2]).square().mean().detach()
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)
    assert learner.seen == [pytest.approx(19 * float(expected), rel=1e-6), 0.0, 19.0]


def test_a_recording_holds_gradients_predictions_and_no_text(tmp_path):
    torch.manual_seed(0)
    model, split = (
        build_model(small_recipe("rra").model),
        load_adding(6, held_out=70).splits["test"],
    )
    model.classes = ("sum",)

    trace = record_numbers(
        model, Numbers(split.features, split.targets, about={"task": "adding-6"})
    )

    tree = trace.tree
    assert "text" not in tree and "span" not in tree
    assert attnviz.tokens(trace, 0) == list("012345")
    np.testing.assert_array_equal(tree["label"].values, split.targets[:, 0])
    assert tree["prediction"].shape == (70, 1)
    assert tree["prediction"]["class"].values.tolist() == ["sum"]
    last = tree["score"].values[:, -1]
    np.testing.assert_allclose(last, tree["prediction"].values, rtol=1e-5)
    assert (tree.attrs["task"], tree.attrs["loss"]) == ("adding-6", "squared error")
    assert all(parameter.grad is None for parameter in model.parameters()) and model.training

    # The gradient at the last hidden state: only the head stands between it and the loss.
    error = 2 * np.abs(tree["prediction"].values - split.targets)[:, 0]
    norm = error * float(model.head.weight.detach().norm())
    np.testing.assert_allclose(tree["l0"]["hidden_gradient_norm"].values[:, -1], norm, rtol=1e-4)

    path = attnviz.save_trace(trace, tmp_path / "adding.zarr")
    kept = attnviz.open_trace(path)
    np.testing.assert_array_equal(kept.tree["label"].values, split.targets[:, 0])
    assert attnviz.signal(kept, "contribution").shape == (70, 6, 1, 10)


def test_what_record_numbers_cannot_record_is_refused():
    model, split = build_model(small_recipe("gru").model), small_task().splits["test"]
    with pytest.raises(ValueError, match=r"at least one sequence, .* got 19 sequences, 2 rows"):
        Numbers(split.features, split.targets[:2])
    numbers = Numbers(split.features, split.targets)
    with pytest.raises(ValueError, match=r"has the head classification and reads tokens"):
        record_numbers(build_model(tiny_recipe("gru").model), numbers)
    model.layer.requires_grad_(False)
    with pytest.raises(ValueError, match=r"none to follow. Pass gradients=False"):
        record_numbers(model, numbers)
    trace = record_numbers(model, numbers, gradients=False)
    assert "hidden_gradient_norm" not in trace.tree["l0"]
