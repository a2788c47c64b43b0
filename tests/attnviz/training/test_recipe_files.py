"""Recipes from files: those that ship can be built, and a mistake is named with its place."""

import tomllib
from pathlib import Path

import pytest

import attnviz.training
from attnviz.models import CELLS, build_model
from attnviz.training import Schedule, read_recipe, recipe_for, recipe_names
from attnviz.training.recipe import recipe_from_json, recipe_to_json

FOLDER = Path(attnviz.training.__file__).parent / "recipes"
TASKS = sorted(path.stem for path in FOLDER.glob("*.toml"))
SHIPPED = [
    (task, cell, name) for task in TASKS for cell in CELLS for name in recipe_names(cell, task)
]


@pytest.mark.parametrize(("task", "cell", "name"), SHIPPED)
def test_every_recipe_that_ships_can_be_built_and_kept(task, cell, name):
    recipe = recipe_for(cell, task, name)

    assert recipe.model.cell == cell
    assert build_model(recipe.model).head.out_features == recipe.model.outputs
    assert recipe_from_json(recipe_to_json(recipe)) == recipe


@pytest.mark.parametrize("task", TASKS)
def test_every_cell_has_a_recipe_of_ours_and_no_table_is_of_another_cell(task):
    for cell in CELLS:
        found = recipe_names(cell, task)
        assert "tuned" in found or "start" in found
        first = "tuned" if "tuned" in found else "start"
        assert recipe_for(cell, task) == recipe_for(cell, task, first)
    kept = tomllib.loads((FOLDER / f"{task}.toml").read_text("utf-8"))
    assert {name for _, _, name in SHIPPED} >= set(kept) - {"defaults"}


def test_published_settings_are_those_of_the_papers():
    larnn = recipe_for("larnn", "har", "paper")
    assert (larnn.learning_rate, larnn.weight_decay, larnn.batch_size) == (0.006027, 6.5e-4, 256)
    assert (larnn.epochs, larnn.schedule, larnn.clip) == (100, Schedule(0.75, every=26), None)
    options = larnn.model.options
    assert (larnn.model.hidden_size, options["heads"], options["window"]) == (81, 27, 38)
    rau = recipe_for("rau", "row-mnist", "paper")
    assert (rau.model.hidden_size, rau.batch_size, rau.optimiser) == (128, 128, "adam")
    # 100,000 steps of 55,000 images
    assert rau.epochs == round(100_000 * 128 / 55_000)
    assert recipe_for("rra", "pixel-mnist", "paper").optimiser == "rmsprop"
    assert recipe_for("rra", "imdb", "paper").optimiser == "adadelta"
    assert recipe_for("larnn", "imdb").model.dropout == 0.3
    assert recipe_for("lstm", "imdb").model.options == {"forget_bias": 3.0}


def test_what_there_is_not_is_refused_with_what_there_is():
    refused = r"no recipe 'paper' for gru on har; there are start, tuned\. A"
    with pytest.raises(ValueError, match=refused):
        recipe_for("gru", "har", "paper")
    with pytest.raises(ValueError, match=r"no recipe 'defaults' for rra on imdb; .* tuned, paper"):
        recipe_for("rra", "imdb", "defaults")
    with pytest.raises(ValueError, match=r"no cell 'rnn'; there are rra, larnn"):
        recipe_for("rnn", "imdb")
    with pytest.raises(ValueError, match=r"no recipes for 'cifar'; there are for adding, har"):
        recipe_for("rra", "cifar")


def test_a_file_of_ones_own_lies_on_the_defaults(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'clip = "none"\nlearning_rate = 1\nschedule = {factor = 0.5, after = 3}\n'
        "[model]\nhidden_size = 7\noptions = {window = 4}\n"
    )
    recipe = read_recipe(path, "rra", "har")
    assert (recipe.clip, recipe.schedule) == (None, Schedule(0.5, after=3))
    assert isinstance(recipe.learning_rate, float) and recipe.learning_rate == 1
    assert (recipe.model.hidden_size, recipe.model.input_size) == (7, 9)
    assert recipe.model.options == {"window": 4}
    assert recipe.batch_size == 64 and recipe.frozen == ()
    path.write_text('frozen = ["layer."]\n[model]\nhidden_size = 7\n')
    assert read_recipe(path, "rra", "har").frozen == ("layer.",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", r"mine.toml has the key 'epoch'; there are model, learning_rate, .*epochs"),
        ("tuned = 3", r"mine.toml has \[tuned\], so it may hold nothing but .* keys are tuned\."),
        ("epochs = 3\n[tuned.rra]\nepochs = 2", "nothing but .* its keys are epochs, tuned, in"),
        ("[tuned]\nepochs = 2", r"nothing but .* in tuned epochs\."),
        ("[tuned.gru]\nepochs = 2", r"mine.toml has no recipe for rra; it has gru\."),
        ("[tuned]\nrra = 2", r"mine.toml has no recipe for rra; it has rra\."),
        ("epochs = 2.5", r"needs epochs to be a whole number, got 2\.5"),
        ("epochs = true", r"needs epochs to be a whole number, got True"),
        ("learning_rate = 'x'", r"needs learning_rate to be a number, got 'x'"),
        ("patience = 'x'", r'needs patience to be a whole number or "none", got \'x\''),
        ("keep = 'middle'", r'needs keep to be "start" or "end", got \'middle\''),
        ("optimiser = 'adamw'", r'needs optimiser to be "adam" or "sgd" or .*, got \'adamw\''),
        ("model = 3", "needs model to be a table, got 3"),
        ("[model]\ncell = 'rra'", r"mine.toml, in model, has the key 'cell'; there are hidden"),
        ("[model]\nhidden_size = '9'", "in model, needs hidden_size to be a whole number"),
        ("[model]\noptions = 3", "in model, needs options to be a table, got 3"),
        ("schedule = {factr = 0.5}", "in schedule, has the key 'factr'; there are factor, every"),
        ("schedule = {factor = 0.5}", "a factor other than 1 and either"),
        ("frozen = 'layer.'", "needs frozen to be a list of words, got 'layer"),
        ("frozen = {a = 1}", "needs frozen to be a list of words, got {'a': 1}"),
        ("epochs = 0", "mine.toml: A recipe needs epochs above 0"),
        ("epochs = ", "mine.toml is no TOML"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_its_place(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_recipe(path, "rra", "har")
    with pytest.raises(FileNotFoundError, match=r"no recipe at .*other\.toml"):
        read_recipe(tmp_path / "other.toml", "rra", "har")
