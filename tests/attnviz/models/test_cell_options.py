import pytest

import cells
from attnviz.models import CELLS, ModelSettings, make_layer
from attnviz.models.cell_options import cell_options
from attnviz.training import adding_recipe, default_recipe


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("rra", {"windo": 5}, r"does not take the option 'windo'; it takes .*missing.* window"),
        ("rra", {"window": "abc"}, r"rra cell's option window is a whole number, got 'abc'"),
        ("rra", {"window": 2.5}, r"window is a whole number, got 2\.5"),
        ("rra", {"window": True}, r"window is a whole number, got True"),
        ("rra", {"first_lag": 3}, r"first_lag is one of 1, 2, got 3"),
        ("rra", {"normalization": "max"}, r"normalization is one of sum, softmax, got 'max'"),
        ("rra", {"forget_bias": "high"}, r"forget_bias is a number or a Chrono, got 'high'"),
        ("rra", {"forget_bias": {"chron": 9}}, r"\{'chrono': T\} with .* got \{'chron': 9\}"),
        ("lstm", {"forget_bias": {"chrono": "9"}}, r"in whole timesteps, got \{'chrono': '9'\}"),
        ("rra", {"window": {"chrono": 9}}, r"window is a whole number, got \{'chrono': 9\}"),
        ("gru", {"forget_bias": {"chrono": 9}}, r"does not take the option 'forget_bias'"),
        ("rra", {"preset": "stable"}, r"does not take the option 'preset'"),
        ("rra", {"hidden_size": 3}, r"does not take the option 'hidden_size'"),
        ("larnn", {"norm": "group"}, r"norm is one of batch, layer, none, got 'group'"),
        ("larnn", {"positions": 1}, r"positions is true or false, got 1"),
        ("larnn", {"head": 4}, r"it takes .*heads.* preset.* window"),
        ("larnn", {"preset": "steady"}, r"no LARNN preset 'steady'"),
        ("gru", {"reset": "never"}, r"reset is one of after, before, got 'never'"),
    ],
)
def test_an_option_that_a_cell_does_not_take_is_named(name, given, message):
    with pytest.raises(ValueError, match=message):
        cell_options(name, CELLS[name], given)


def test_options_become_what_the_layer_takes():
    larnn = cell_options(
        "larnn", cells.LARNN, {"window": 3, "preset": "stable", "gain": 1, "forget_bias": 2}
    )
    rra = cell_options("rra", cells.RRA, {"forget_bias": {"chrono": 100}})

    assert larnn["options"].norm == "layer"
    assert larnn["options"].gain == 1
    assert (larnn["window"], larnn["forget_bias"]) == (3, 2)
    assert rra == {"forget_bias": cells.Chrono(100)}


@pytest.mark.parametrize("name", CELLS)
def test_the_options_of_every_recipe_are_taken(name):
    for recipe in (default_recipe(name), adding_recipe(name)):
        assert isinstance(make_layer(recipe.model), CELLS[name])
    assert make_layer(ModelSettings(name, hidden_size=4, outputs=2, input_size=2))
