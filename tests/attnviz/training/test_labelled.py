"""Labelled sequences of numbers through the training machinery."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
from torchmetrics.functional.classification import multiclass_accuracy

import attnviz
from attnviz.models import build_model
from attnviz.recording import Numbers, record_numbers
from attnviz.training import Schedule, open_run, score, score_test, train
from attnviz.training.labelled import LabelledData, labelled_loader
from tests.attnviz.training.runs import KilledError, after, history_of, result
from tests.attnviz.training.tiny import number_recipe, number_task, tiny_recipe, tiny_task

STEPS = 15  # 5 batches an epoch (the last has 19 sequences), 3 epochs


def read(data):
    return [[part.tolist() for part in batch] for batch in data.train_dataloader()]


def test_the_order_is_a_function_of_seed_and_epoch_and_every_sequence_is_read_once():
    data = LabelledData(number_task(), number_recipe(seed=4))
    first = read(data)
    assert first == read(LabelledData(number_task(), number_recipe(seed=4)))
    assert first != read(LabelledData(number_task(), number_recipe(seed=5)))
    data.epoch = 1
    second = read(data)
    assert data.steps == len(first) == len(second) == 5
    assert first != second

    split = number_task().splits["train"]
    for epoch in (first, second):
        rows = [(x, label) for xs, _, labels in epoch for x, label in zip(xs, labels, strict=True)]
        assert sorted(rows) == sorted(
            zip(split.values.tolist(), split.labels.tolist(), strict=True)
        )
        assert min(len(xs) for xs, _, _ in epoch) >= 8
        assert all(lengths == [5] * len(xs) for xs, lengths, _ in epoch)

    data.first = 3
    assert read(data) == second[3:]


def test_bytes_stay_bytes_until_a_batch_is_read():
    task = number_task(np.uint8)
    data = LabelledData(task, number_recipe())
    features, _, _ = next(iter(data.train_dataloader()))

    assert data.task.splits["train"].values.dtype == np.uint8
    assert features.dtype == torch.float32
    rows = data.order()[0]
    np.testing.assert_array_equal(
        features, task.splits["train"].values[rows].astype(np.float32) / np.float32(255)
    )
    held = torch.cat([batch[0] for batch in labelled_loader(task.splits["test"])])
    np.testing.assert_array_equal(held, task.splits["test"].features())


@pytest.mark.parametrize("cell", ["gru", "rra"])
def test_a_small_model_learns_and_its_accuracy_is_the_share_of_right_classes(cell, tmp_path):
    task = number_task(np.uint8)

    run = train(number_recipe(cell, epochs=12), task, tmp_path)

    assert run.history[-1]["train_loss"] < 0.6 * run.history[0]["train_loss"]
    split = task.splits["test"]
    with torch.no_grad():
        logits = run.model()(torch.from_numpy(split.features())).double()
    labels = torch.from_numpy(split.labels)
    right = np.mean(logits.argmax(dim=-1).numpy() == split.labels)
    chosen = torch.log_softmax(logits, dim=-1)[torch.arange(301), labels]
    found = score_test(run, task)
    assert found["accuracy"] == pytest.approx(right, abs=1e-9)
    assert found["accuracy"] == pytest.approx(
        float(multiclass_accuracy(logits, labels, 3, average="micro")), abs=1e-6
    )
    assert found["loss"] == pytest.approx(float(-chosen.mean()), rel=1e-5)
    assert 0.5 < right < 1
    assert score(run.model(), task, "validation", run.recipe)["accuracy"] == pytest.approx(
        run.best["validation_accuracy"], abs=1e-6
    )
    assert run.model().classes == ("x", "y", "z")
    assert attnviz.load_model(tmp_path).card["data"]["fold"] == 2
    assert open_run(tmp_path).recipe == run.recipe


@pytest.mark.parametrize("cell", ["gru", "larnn"])
def test_wherever_a_run_ends_it_goes_on_to_the_same(cell, tmp_path):
    recipe = number_recipe(cell, input_noise=0.1, schedule=Schedule(0.5, after=1))
    train(recipe, number_task(), tmp_path / "whole", checkpoint_every=2)

    for end in range(1, STEPS + 1, 3):
        folder = tmp_path / str(end)
        with pytest.raises(KilledError):
            train(recipe, number_task(), folder, checkpoint_every=2, progress=after(end))
        train(recipe, number_task(), folder, checkpoint_every=2)

        assert result(folder) == result(tmp_path / "whole"), end


@pytest.mark.parametrize("optimiser", ["sgd", "rmsprop", "adadelta"])
def test_every_optimiser_is_torchs_and_goes_on_exactly(optimiser, tmp_path):
    recipe = number_recipe("gru", optimiser=optimiser)
    recipe = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, dropout=0.0))
    recipe = dataclasses.replace(recipe, clip=None, weight_decay=0.1, epochs=1)
    task = number_task()
    train(recipe, task, tmp_path / "whole", checkpoint_every=2)
    with pytest.raises(KilledError):
        train(recipe, task, tmp_path / "cut", checkpoint_every=2, progress=after(3))
    train(recipe, task, tmp_path / "cut", checkpoint_every=2)
    assert result(tmp_path / "cut") == result(tmp_path / "whole")

    torch.manual_seed(recipe.seed)
    model = build_model(recipe.model)
    kinds = {"sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}
    kind = kinds.get(optimiser, torch.optim.Adadelta)
    own = kind(model.parameters(), lr=0.02, weight_decay=0.1)
    for features, _, labels in LabelledData(task, recipe).train_dataloader():
        own.zero_grad()
        torch.nn.functional.cross_entropy(model(features), labels).backward()
        own.step()
    last = torch.load(tmp_path / "whole" / "checkpoint.ckpt", weights_only=True)["model"]
    for name, values in model.state_dict().items():
        torch.testing.assert_close(last[name], values, rtol=1e-6, atol=1e-7)


def test_the_rate_of_each_epoch_is_the_schedules():
    assert [Schedule().share(epoch) for epoch in range(3)] == [1, 1, 1]
    every = Schedule(0.75, every=2)
    assert [every.share(epoch) for epoch in range(5)] == [1, 1, 0.75, 0.75, 0.5625]
    after_two = Schedule(0.5, after=2)
    assert [after_two.share(epoch) for epoch in range(4)] == [1, 1, 0.5, 0.25]
    for wrong in ({"factor": 0.5}, {"every": 3}, {"factor": 0.5, "every": 1, "after": 1}):
        with pytest.raises(ValueError, match="either `every` or `after`"):
            Schedule(**wrong)
    with pytest.raises(ValueError, match="factor above 0"):
        Schedule(-1.0, every=2)


def test_the_schedule_reaches_the_optimiser(tmp_path):
    recipe = number_recipe("gru", schedule=Schedule(0.25, after=1), optimiser="sgd")
    rates = []
    handle = register_optimizer_step_post_hook(
        lambda optimiser, *_: rates.append({group["lr"] for group in optimiser.param_groups})
    )
    try:
        train(recipe, number_task(), tmp_path)
    finally:
        handle.remove()
    assert rates == [{0.02}] * 5 + [{0.005}] * 5 + [{0.00125}] * 5


def test_training_ends_when_nothing_has_been_better_for_long_and_stays_ended(tmp_path):
    # So small a rate that no epoch changes an answer: the first stays the best.
    recipe = number_recipe("gru", learning_rate=1e-9, patience=2, epochs=9)
    run = train(recipe, number_task(), tmp_path / "whole")
    assert [row["epoch"] for row in run.history] == [1, 2, 3]

    said = []
    assert train(recipe, number_task(), tmp_path / "whole", say=said.append).history == run.history
    assert said == ["This run is finished: nothing is left to train."]
    with pytest.raises(KilledError):
        train(recipe, number_task(), tmp_path / "cut", progress=after(12))
    train(recipe, number_task(), tmp_path / "cut")
    assert history_of(tmp_path / "cut") == history_of(tmp_path / "whole")
    patient = dataclasses.replace(recipe, patience=None, epochs=4)
    assert len(train(patient, number_task(), tmp_path / "patient").history) == 4


def test_noise_is_added_in_training_alone(tmp_path):
    noisy = number_recipe("gru", input_noise=5.0, epochs=1)
    without = number_recipe("gru", epochs=1)
    first = train(noisy, number_task(), tmp_path / "noisy")
    second = train(without, number_task(), tmp_path / "without")
    assert first.history[0]["train_loss"] != second.history[0]["train_loss"]
    found = score(first.model(), number_task(), "validation", noisy)
    assert found == score(first.model(), number_task(), "validation", without)
    with pytest.raises(ValueError, match="added to numbers, but the recipe's model reads words"):
        tiny_recipe("gru", input_noise=0.1)


def test_what_is_no_task_is_refused(tmp_path, unchecked):
    with pytest.raises(TypeError, match=r"a task of one of the kinds TextTask, .* got 'har'"):
        train(number_recipe("gru"), "har", tmp_path)
    with pytest.raises(ValueError, match="no optimiser 'adamw'; there are adam, sgd, rmsprop"):
        number_recipe("gru", optimiser="adamw")


def test_what_does_not_fit_is_refused(tmp_path):
    recipe = number_recipe("gru")
    wide = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, input_size=9))
    with pytest.raises(ValueError, match=r"rises has 3 numbers a timestep, .* input_size 9"):
        train(wide, number_task(), tmp_path)
    two = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, outputs=2))
    with pytest.raises(ValueError, match=r"2 classes apart, but the task has 3: \['x'"):
        train(two, number_task(), tmp_path)
    three = dataclasses.replace(tiny_recipe("gru").model, outputs=3)
    with pytest.raises(ValueError, match=r"vocabulary_size 50"):
        train(tiny_recipe("gru", model=three), number_task(), tmp_path)
    with pytest.raises(ValueError, match=r"tiny is of texts, but the recipe's model reads numbers"):
        train(dataclasses.replace(two), tiny_task(), tmp_path)
    with pytest.raises(ValueError, match=r"gru reads tokens, so it cannot read numbers"):
        score(build_model(tiny_recipe("gru").model), number_task(), "test", recipe)
    with pytest.raises(ValueError, match="patience above 0, got 0"):
        number_recipe("gru", patience=0)
    with pytest.raises(ValueError, match="weight_decay of 0 or more"):
        number_recipe("gru", weight_decay=-1.0)
    assert not list(tmp_path.iterdir())


def test_batch_norm_with_batches_of_fewer_than_eight_is_refused_by_the_cell(tmp_path):
    with pytest.raises(ValueError, match="at least 8"):
        train(number_recipe("larnn", batch_size=4), number_task(), tmp_path)


def test_a_run_of_an_earlier_version_goes_on(tmp_path):
    recipe = number_recipe("gru")
    whole = train(recipe, number_task(), tmp_path)
    path = tmp_path / "recipe.json"
    described = json.loads(path.read_text())
    for name in ("optimiser", "schedule", "patience", "input_noise"):
        del described["recipe"][name]
    path.write_text(json.dumps(described))

    assert open_run(tmp_path).recipe == recipe
    assert train(recipe, number_task(), tmp_path).history == whole.history


def test_a_recording_holds_labels_ids_and_the_gradients_of_the_cross_entropy(tmp_path):
    torch.manual_seed(0)
    model, split = build_model(number_recipe("rra").model), number_task().splits["test"]

    numbers = Numbers(split.features(slice(70)), split.labels[:70], split.ids[:70], {"task": "x"})
    trace = record_numbers(model, numbers)

    tree = trace.tree
    assert tree["id"].values.tolist() == list(split.ids[:70])
    np.testing.assert_array_equal(tree["label"].values, split.labels[:70])
    assert tree["prediction"].shape == (70, 3)
    assert (tree.attrs["loss"], tree.attrs["task"]) == ("cross-entropy", "x")
    # At the last hidden state only the head stands between it and the loss.
    logits = torch.from_numpy(tree["prediction"].values)
    error = torch.softmax(logits, -1) - torch.nn.functional.one_hot(
        torch.from_numpy(split.labels[:70]), 3
    )
    norm = (error @ model.head.weight.detach()).norm(dim=-1)
    np.testing.assert_allclose(tree["l0"]["hidden_gradient_norm"].values[:, -1], norm, rtol=1e-4)

    with pytest.raises(ValueError, match="has the head classification, but the targets are numb"):
        record_numbers(model, Numbers(split.features(slice(2)), np.zeros((2, 3))))
    with pytest.raises(ValueError, match=r"3 classes apart, .* run from 1 to 3"):
        record_numbers(model, Numbers(split.features(slice(2)), np.array([1, 3])))
