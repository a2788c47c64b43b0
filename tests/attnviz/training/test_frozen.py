"""Parameters that stay as they were drawn, and epochs that are scored on the test split."""

import dataclasses

import pytest
import torch

from attnviz.models import build_model
from attnviz.training import open_run, score, score_test, train
from attnviz.training.module import learner_for
from tests.attnviz.training.runs import KilledError, after, history_of, result
from tests.attnviz.training.tiny import number_recipe, number_task

DRAWING = {
    "window": 3, "heads": 2, "preset": "released", "hidden_dropout": 0.3, "eval_honoured": False
}  # fmt: skip


def reservoir(**changes):
    recipe = number_recipe("larnn", frozen=("layer.",), weight_decay=0.1, **changes)
    model = dataclasses.replace(recipe.model, mapped_size=4, passes=2, options=DRAWING)
    return dataclasses.replace(recipe, model=model)


def last_weights(folder):
    return torch.load(folder / "checkpoint.ckpt", weights_only=True)["model"]


def test_what_is_frozen_stays_to_the_byte_and_all_else_moves(tmp_path):
    recipe = reservoir()
    torch.manual_seed(recipe.seed)
    model = build_model(recipe.model)
    before = {name: one.detach().numpy().tobytes() for name, one in model.named_parameters()}
    assert sum(name.startswith("layer.") for name in before) > 10
    named = {name for group in learner_for(model, recipe).configure_optimizers().param_groups
             for one in group["params"]
             for name, other in model.named_parameters() if one is other}  # fmt: skip
    assert named == {"input_map.weight", "input_map.bias", "head.weight", "head.bias"}

    train(recipe, number_task(), tmp_path)

    found = last_weights(tmp_path)
    for name, values in before.items():
        assert (found[name].numpy().tobytes() == values) == name.startswith("layer."), name
    assert open_run(tmp_path).recipe == recipe


def test_a_killed_training_of_a_reservoir_goes_on_as_if_it_had_not_been(tmp_path):
    recipe = reservoir(test_every_epoch=True)
    train(recipe, number_task(), tmp_path / "whole", checkpoint_every=3)
    with pytest.raises(KilledError):
        train(recipe, number_task(), tmp_path / "killed", checkpoint_every=3, progress=after(8))
    train(recipe, number_task(), tmp_path / "killed", checkpoint_every=3)
    assert result(tmp_path / "killed") == result(tmp_path / "whole")


def test_part_of_the_layers_can_be_frozen(tmp_path):
    names = [name for name, _ in build_model(number_recipe("gru").model).named_parameters()]
    beginning = next(name for name in names if name.startswith("layer."))
    recipe = number_recipe("gru", frozen=(beginning, "head.bias"))
    torch.manual_seed(recipe.seed)
    before = build_model(recipe.model).state_dict()
    train(recipe, number_task(), tmp_path)
    found = last_weights(tmp_path)
    kept = {name for name in names if torch.equal(found[name], before[name])}
    assert kept == {beginning, "head.bias"}


@pytest.mark.parametrize(
    ("frozen", "said"),
    [
        (("layers.",), "freezes 'layers.', but no parameter's name begins so; there are layer"),
        (("layer.", "head."), "nothing is left to train"),
    ],
)
def test_a_recipe_that_freezes_nothing_or_everything_is_refused(frozen, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        train(number_recipe("gru", frozen=frozen), number_task(), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(ValueError, match="beginnings of parameters' names, got"):
        number_recipe("gru", frozen=("",))


@pytest.mark.parametrize("recipe", [reservoir(), number_recipe("rra")], ids=["released", "rra"])
def test_scoring_each_epoch_on_the_test_split_is_asked_for_and_changes_nothing(recipe, tmp_path):
    task = number_task()
    plain = train(recipe, task, tmp_path / "plain")
    asked = train(dataclasses.replace(recipe, test_every_epoch=True), task, tmp_path / "asked")

    rows = history_of(tmp_path / "asked")
    tested = [float(row.pop("test_accuracy")) for row in rows]
    losses = [float(row.pop("test_loss")) for row in rows]
    assert rows == history_of(tmp_path / "plain") and len(rows) == 3
    plain_weights, asked_weights = (last_weights(run.folder) for run in (plain, asked))
    assert all(torch.equal(plain_weights[name], asked_weights[name]) for name in plain_weights)
    assert not any(name.startswith("test") for row in plain.history for name in row)

    # The chosen epoch's score is that of the chosen model, loaded; the last one's of the last.
    found = score_test(asked, task)
    chosen = asked.best["epoch"] - 1
    assert (found["accuracy"], found["loss"]) == (tested[chosen], pytest.approx(losses[chosen]))
    last = build_model(recipe.model)
    last.load_state_dict(last_weights(asked.folder))
    assert score(last, task, "test", recipe)["accuracy"] == tested[-1]
    assert open_run(asked.folder).recipe.test_every_epoch


def test_a_model_that_draws_in_evaluation_is_scored_the_same_each_time():
    model, task = build_model(reservoir().model).eval(), number_task()
    numbers = torch.from_numpy(task.splits["test"].features(slice(40)))
    assert not torch.equal(model(numbers), model(numbers))
    torch.manual_seed(5)
    first = score(model, task, "test", reservoir())
    state = torch.get_rng_state()
    assert score(model, task, "test", reservoir()) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert score(model, task, "test", reservoir(seed=1))["loss"] != first["loss"]
