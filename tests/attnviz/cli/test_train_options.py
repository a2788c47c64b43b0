"""Options of cells as they are typed, and what they make of a recipe."""

import json
import math
import shlex
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import cells
from attnviz.cli.train_options import with_options
from attnviz.models import make_layer
from attnviz.training import adding_recipe

NOTEBOOKS = Path(__file__).parents[3] / "notebooks"


def taken(*typed):
    """What is added to a recipe without options."""
    recipe = adding_recipe("gru")
    bare = replace(recipe, model=replace(recipe.model, options={}))
    return dict(with_options(bare, list(typed)).model.options)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("20", 20),
        ("-3", -3),
        ("+3", 3),
        ("1_000", 1000),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1e-3", 1e-3),
        ("inf", math.inf),
        ("true", True),
        ("false", False),
        ("null", None),
        ("stable", "stable"),
        ('"stable"', "stable"),
        ("True", "True"),
        ("", ""),
        ("a=b", "a=b"),
        ('{"chrono": 220}', {"chrono": 220}),
        ('[1, 2.5, "x", {"y": false}]', [1, 2.5, "x", {"y": False}]),
    ],
)
def test_a_value_is_json_or_a_number_or_a_word(typed, value):
    found = taken(f"name={typed}")["name"]
    assert found == value and type(found) is type(value)


def test_the_last_of_several_counts_and_the_recipes_own_stay():
    recipe = adding_recipe("rra")
    found = with_options(recipe, ["window=3", "first_lag=1", "window=4"]).model.options
    assert found == {**recipe.model.options, "window": 4, "first_lag": 1}


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("window", "takes NAME=VALUE, such as window=20, got 'window'"),
        ("=3", "takes NAME=VALUE, such as window=20, got '=3'"),
        (
            "forget_bias={chrono: 220}",
            r"value of --option forget_bias begins like JSON, but \{chrono: 220\} is none: .*"
            r"column 2.*as in --option 'forget_bias=\{\"chrono\": 220\}'",
        ),
        ("window=[1, 2", r"window begins like JSON, but \[1, 2 is none"),
        ('preset="stable', "preset begins like JSON"),
    ],
)
def test_what_is_neither_is_explained(typed, message):
    with pytest.raises(ValueError, match=message):
        taken(typed)


@pytest.mark.parametrize("cell", ["rra", "lstm"])
def test_the_command_of_the_notebook_gives_the_models_beside_it(cell):
    notebook = json.loads((NOTEBOOKS / "gradient_flow.ipynb").read_text())
    texts = [" ".join(part["source"]) for part in notebook["cells"]]
    (cut,) = [text for text in texts if "attnviz train rra adding" in text]
    (chrono,) = [part for part in cut.split("`") if part.startswith("--option 'forget_bias={")]
    typed = shlex.split(chrono)[1]

    recipe = with_options(adding_recipe(cell, hidden_size=32), [typed])
    kept = json.loads((NOTEBOOKS / "adding-models" / f"{cell}-chrono-0/model.json").read_text())

    assert "--length 220 --hidden 32 --epochs 14" in " ".join(cut.split())
    assert json.loads(json.dumps(asdict(recipe.model)))["options"] == kept["settings"]["options"]
    assert isinstance(make_layer(recipe.model), cells.RRA | cells.LSTM)
