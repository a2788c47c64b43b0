"""Equal numbers of parameters, found against trying every size."""

import dataclasses

import pytest

from attnviz.models import ModelSettings
from attnviz.studies.jobs import Job
from attnviz.studies.recipes import count_parameters, equal_parameters, recipe_of
from tests.attnviz.studies.small import TEXT, small

LARNN = {"heads": 3, "preset": "stable", "window": 4}


@pytest.mark.parametrize("wanted", [1, 60, 700, 2345])
@pytest.mark.parametrize(("cell", "options"), [("gru", {}), ("rra", {}), ("larnn", LARNN)])
def test_the_nearest_of_all_sizes(cell, options, wanted):
    settings = ModelSettings(cell, hidden_size=6, outputs=2, input_size=3, options=options)
    every = [
        dataclasses.replace(settings, hidden_size=size)
        for size in range(1, 41)
        if cell != "larnn" or size % 3 == 0
    ]
    nearest = min(every, key=lambda one: abs(count_parameters(one) - wanted))
    assert equal_parameters(settings, wanted) == nearest


def test_parameters_of_a_gru_by_hand():
    settings = ModelSettings("gru", hidden_size=7, outputs=2, input_size=3)
    # Three gates with a bias each, and the candidate's second, which the reset gate scales.
    assert count_parameters(settings) == 3 * 7 * (3 + 7 + 1) + 7 + 2 * (7 + 1)


def test_finals_at_equal_parameters_are_nearest_to_the_reference():
    study, task = small()
    values = {"learning_rate": 0.01, "model.dropout": 0.0}
    sizes = {
        size: recipe_of(study, Job("gru", "final", 0, size), values, task).model
        for size in ("hidden", "parameters")
    }
    lstm = 4 * 6 * (2 + 6 + 1) + 6 + 1
    counts = {
        size: count_parameters(dataclasses.replace(sizes["hidden"], hidden_size=size))
        for size in range(1, 20)
    }
    assert sizes["hidden"].hidden_size == 6
    best = min(counts, key=lambda size: abs(counts[size] - lstm))
    assert sizes["parameters"].hidden_size == best == 7


def test_a_recipe_is_what_the_study_says():
    study, task = small()
    values = {"learning_rate": 0.01, "model.options.forget_bias": {"chrono": 5}}
    recipe = recipe_of(study, Job("rra", "trial", 1), values, task)
    assert (recipe.learning_rate, recipe.epochs, recipe.seed, recipe.limit) == (0.01, 2, 7, None)
    assert recipe.model.options == {"window": 2, "forget_bias": {"chrono": 5}}
    assert (recipe.model.head, recipe.model.input_size, recipe.model.outputs) == (
        "regression",
        2,
        1,
    )
    final = recipe_of(study, Job("rra", "final", 1), values, task)
    assert (final.epochs, final.seed) == (3, 1)


def test_none_is_said_in_a_word():
    study, task = small(TEXT.replace("batch_size = 8", 'batch_size = 8\nclip = "none"'))
    values = {"learning_rate": 0.01}
    assert recipe_of(study, Job("gru", "trial", 0), values, task).clip is None
    study, _ = small(TEXT.replace("batch_size = 8", 'batch_size = "none"'))
    with pytest.raises(ValueError, match="batch_size has to be a whole number, got 'none'"):
        recipe_of(study, Job("gru", "trial", 0), values, task)
