"""What a study chose comes back as the recipe it trained, and as the one that ships."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import attnviz.training
from attnviz.cards import shipped_cards
from attnviz.studies import Job, load_study_task, open_results, parse_study, read_study
from attnviz.studies.choices import chosen_fields, chosen_seed, recipes_to_toml
from attnviz.studies.recipes import recipe_of
from attnviz.tasks import LabelledSplit, LabelledTask, LanguageTask, TextTask, load_adding
from attnviz.training import recipe_for
from attnviz.training.recipe import recipe_from_json
from attnviz.training.recipe_files import read_recipe
from tests.attnviz.studies.made import record, study
from tests.attnviz.studies.small import small

ROOT = Path(__file__).parents[3]
RECIPES = Path(attnviz.training.__file__).parent / "recipes"
MORE = """
recipe.model.hidden_size = 8
recipe.epochs = 9
recipe.rra.model.options.window = 3
search.learning_rate = {choice = [0.1, 0.01]}
"""


def trials(cell, *scores):
    return [
        record(cell, number, None, phase="trial", validation=score, values={"learning_rate": rate})
        for number, (score, rate) in enumerate(zip(scores, (0.1, 0.01), strict=True))
    ]


def test_the_best_trial_stands_over_what_all_share():
    held = trials("rra", 0.4, 0.6) + trials("lstm", 0.8, 0.7)
    made = study(more=MORE)
    shared = {"epochs": 9, "model.hidden_size": 8}
    own = {"model.options.window": 3}
    assert chosen_fields(made, "rra", held) == {**shared, **own, "learning_rate": 0.01}
    assert chosen_fields(made, "lstm", held) == {**shared, "learning_rate": 0.1}
    with pytest.raises(ValueError, match=r"not chosen a setting for rau: of its 2 trials some"):
        chosen_fields(made, "rau", held)
    with pytest.raises(ValueError, match="has no cell 'gru'"):
        chosen_fields(made, "gru", held)


def test_a_file_of_it_is_the_recipe_that_was_trained(tmp_path):
    whole, task = small()
    values = {"learning_rate": 0.004, "model.options.forget_bias": {"chrono": 12}}
    held = [
        record("rra", number, None, phase="trial", values=values)
        for number in range(whole.trials.count)
    ]
    path = tmp_path / "rra.toml"
    path.write_text(recipes_to_toml(whole, ["rra"], held))
    trained = recipe_of(whole, Job("rra", "final", 4, "hidden"), values, task)
    assert dataclasses.replace(read_recipe(path, "rra", "adding"), seed=4) == trained


def terse(task, more=""):
    """A study that leaves to recipes what it can."""
    text = f'cells = ["gru"]\nscore = "accuracy"\ntask.name = "{task}"\ntrials.count = 0\n'
    text += f"final.seeds = [0]\n[recipe.model]\nhidden_size = 8\n{more}"
    return parse_study(text, name="terse", where="terse.toml")


def task_for(model):
    """A task that a model's inputs and outputs fit, with nothing in it."""
    classes = tuple(map(str, range(model.outputs)))
    if model.head == "language_model":
        return LanguageTask("words", classes, {}, {})
    if model.head == "regression":
        return load_adding()
    if model.vocabulary_size is not None:
        return TextTask("texts", classes, {}, {})
    values, whole = np.zeros((1, 2, model.input_size), np.float32), np.zeros(1, np.int64)
    split = LabelledSplit(values, whole, ("one",), whole)
    return LabelledTask("numbers", classes, (), {"train": split}, {})


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.toml")))
def test_what_a_study_leaves_unsaid_does_not_become_what_its_task_has_by_default(name, tmp_path):
    usual = recipe_for("gru", name).model
    words = usual.vocabulary_size is not None
    told = terse(name, f"vocabulary_size = {usual.vocabulary_size}\nembedding_size = 5" * words)
    path = tmp_path / "gru.toml"
    path.write_text(recipes_to_toml(told, ["gru"], []))
    trained = recipe_of(told, Job("gru", "final", 0), {}, task_for(usual))
    assert read_recipe(path, "gru", name) == trained


def test_no_more_is_written_than_what_differs():
    more = "embedding_size = 5\n[recipe]\nepochs = 2"
    assert recipes_to_toml(terse("ptb", more), ["gru"], []) == (
        "[tuned.gru]\nbatch_size = 64\nepochs = 2\nmodel.embedding_size = 5\n"
        "model.hidden_size = 8\nmodel.num_layers = 1\n"
    )
    assert recipes_to_toml(terse("table"), ["gru"], []) == "[tuned.gru]\nmodel.hidden_size = 8\n"


def test_tables_of_several_cells(tmp_path):
    held = trials("rra", 0.4, 0.6) + trials("lstm", 0.8, 0.7)
    text = recipes_to_toml(study(more=MORE), ["rra", "lstm"], held)
    path = tmp_path / "both.toml"
    path.write_text(text)
    assert read_recipe(path, "lstm", "har").learning_rate == 0.1
    assert read_recipe(path, "rra", "har").model.options == {"window": 3}
    with pytest.raises(ValueError, match=r"both.toml has no recipe for gru; it has rra, lstm\."):
        read_recipe(path, "gru", "har")
    assert text == (
        "[tuned.rra]\nepochs = 9\nlearning_rate = 0.01\nmodel.hidden_size = 8\n"
        "model.options.window = 3\n\n"
        "[tuned.lstm]\nepochs = 9\nlearning_rate = 0.1\nmodel.hidden_size = 8\n"
    )


def test_a_cell_is_stood_for_by_its_best_seed_on_validation_whatever_test_says():
    best = [0.6, 0.8, 0.8, 0.7]
    held = [
        record("rra", seed, 1 - score, validation=score, validation_loss=loss)
        for seed, (score, loss) in enumerate(zip(best, (0.1, 0.4, 0.3, 0.2), strict=True))
    ]
    held += [record("rra", 0, 0.9, size="parameters", validation=0.9)]
    assert chosen_seed(study(), "rra", held).job == Job("rra", "final", 2)
    assert chosen_seed(study("loss"), "rra", held).job == Job("rra", "final", 0)
    both = study(more='sizes.equal = ["parameters"]\n')
    with pytest.raises(ValueError, match=r"not run every seed of rra: 1, 2, 3 of 4 missing"):
        chosen_seed(both, "rra", held)
    with pytest.raises(ValueError, match=r"not run every seed of rra: 3 of 4 missing"):
        chosen_seed(study(), "rra", held[:3])
    with pytest.raises(ValueError, match="has no cell 'gru'"):
        chosen_seed(study(), "gru", held)


def test_what_diverged_stands_for_nothing():
    held = [
        record("rra", seed, None, status="diverged", validation=0.9 if seed else 0.1)
        for seed in range(4)
    ]
    with pytest.raises(ValueError, match="no model of rra: every final run diverged"):
        chosen_seed(study(), "rra", held)
    held[0] = record("rra", 0, 0.2, validation=0.1)
    assert chosen_seed(study(), "rra", held).job.number == 0


@pytest.mark.parametrize("name", ["har", "imdb", "ptb-small", "row-fashion-mnist", "row-mnist"])
def test_what_ships_as_tuned_is_what_its_study_chose(name, tmp_path):
    held, records = open_results(ROOT / "notebooks" / "results" / name)
    task, _ = held.task
    for cell in held.cells:
        path = tmp_path / f"{cell}.toml"
        path.write_text(recipes_to_toml(held, [cell], records))
        assert recipe_for(cell, task, "tuned") == read_recipe(path, cell, task)


@pytest.mark.parametrize("name", ["permuted-mnist", "pixel-mnist"])
def test_what_ships_for_long_sequences_is_what_its_study_chose_for_more_epochs(name, tmp_path):
    held, records = open_results(ROOT / "notebooks" / "results" / name)
    for cell in held.cells:
        path = tmp_path / f"{cell}.toml"
        path.write_text(recipes_to_toml(held, [cell], records))
        chosen = read_recipe(path, cell, name)
        assert chosen.epochs == 2
        assert recipe_for(cell, name, "tuned") == dataclasses.replace(chosen, epochs=20)


def test_what_ships_for_adding_is_what_two_studies_chose(tmp_path):
    chosen = {cell: ("adding-100", cell) for cell in ("rra", "rau", "lstm", "gru")}
    chosen["larnn"] = "adding-larnn", "no-norm"
    for cell, (name, variant) in chosen.items():
        held, records = open_results(ROOT / "notebooks" / "results" / name)
        path = tmp_path / f"{cell}.toml"
        path.write_text(recipes_to_toml(held, [variant], records).replace(variant, cell))
        recipe = read_recipe(path, cell, "adding")
        assert recipe_for(cell, "adding", "tuned") == dataclasses.replace(recipe, epochs=20)


@pytest.mark.parametrize("length", [200, 400])
def test_longer_sums_are_learnt_with_what_ships_for_adding(length):
    held = read_study(ROOT / "notebooks" / "results" / f"adding-{length}.toml")
    task = load_study_task(held, None)
    for cell in held.cells:
        given = recipe_of(held, Job(cell, "final", 0), {}, task)
        shipped = recipe_for(cell, "adding", "tuned")
        options = {**shipped.model.options}
        if "forget_bias" in options:
            options["forget_bias"] = {"chrono": length}
        options.pop("gain", None)  # of norms, which LARNN has none of here
        model = dataclasses.replace(shipped.model, options=options)
        assert given == dataclasses.replace(shipped, model=model, epochs=given.epochs)


def of_studies():
    return sorted({card.card["study"]["name"] for card in shipped_cards() if "study" in card.card})


@pytest.mark.parametrize("name", of_studies())
def test_the_models_of_a_study_that_ship_are_those_that_it_chose(name, tmp_path):
    held, records = open_results(ROOT / "notebooks" / "results" / name)
    cards = {card.name: card.card for card in shipped_cards() if card.name.endswith(f"-{name}")}
    assert set(cards) == {f"{cell}-{name}" for cell in held.cells}
    for cell in held.cells:
        chosen, card = chosen_seed(held, cell, records), cards[f"{cell}-{name}"]
        assert card["study"]["run"] == chosen.job.name
        assert card["test"][held.score] == chosen.test
        assert card["validation"][held.score] == chosen.validation
        assert set(card["study"]["seeds"]) == {str(seed) for seed in held.final.seeds}
        path = tmp_path / f"{cell}.toml"
        path.write_text(recipes_to_toml(held, [cell], records))
        recipe = read_recipe(path, cell, card["task"])
        assert recipe_from_json(json.dumps(card["recipe"])) == dataclasses.replace(
            recipe, seed=chosen.job.number
        )


def test_a_study_of_digits_ships_its_models():
    assert "row-mnist" in of_studies()
