"""Models with a map before their layers, and layers that read a sequence several times."""

import dataclasses

import pytest
import torch
from torch import nn

import attnviz
import cells
from attnviz.checkup import examples
from attnviz.models import ModelSettings, SequenceModel, build_model, load_folder, save_folder
from attnviz.recording import Numbers, record_numbers
from attnviz.training import recipe_for
from attnviz.training.optimising import trained

OPTIONS = {
    "lstm": {},
    "larnn": {
        "preset": "released", "window": 4, "heads": 3, "forget_bias": 0.0, "attention_dropout": 0.0
    },
}  # fmt: skip


def settings(cell="lstm", **changes):
    made = ModelSettings(
        cell, hidden_size=6, outputs=4, input_size=3, mapped_size=6, passes=3, options=OPTIONS[cell]
    )
    return dataclasses.replace(made, **changes)


def by_hand(model, numbers):
    """Cell 0 over the same numbers three times, step by step, on rows of one length."""
    weights, cell = model.state_dict(), model.layer.groups["l0"]
    mapped = numbers @ weights["input_map.weight"].T + weights["input_map.bias"]
    mapped = torch.where(mapped > 0, mapped, mapped.exp() - 1)
    state = cell.initial_state(len(numbers), dtype=numbers.dtype)
    output = mapped[:, -1]
    for _ in range(3):
        for x in mapped.unbind(1):
            state, _ = cell(x, state)
        output = output + state.hidden
    return output @ weights["head.weight"].T + weights["head.bias"]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("cell", ["lstm", "larnn"])
def test_passes_are_the_cell_run_again_on_what_it_read_with_its_state(cell, training):
    torch.manual_seed(1)
    model = build_model(settings(cell)).double().train(training)
    numbers = torch.randn(9, 5, 3, dtype=torch.float64)
    expected = by_hand(model, numbers).detach()
    torch.testing.assert_close(model(numbers), expected, rtol=1e-12, atol=1e-12)

    once = build_model(settings(cell, passes=1)).double().train(training)
    once.load_state_dict(model.state_dict())
    assert (once(numbers) - expected).abs().max() > 0.01


def test_each_sequence_is_read_again_from_its_own_end():
    torch.manual_seed(2)
    model = build_model(settings()).double().eval()
    numbers = torch.randn(4, 7, 3, dtype=torch.float64)
    lengths = torch.tensor([7, 2, 5, 1])
    expected = [
        by_hand(model, row[None, :length]) for row, length in zip(numbers, lengths, strict=True)
    ]
    found = model(numbers, lengths)
    torch.testing.assert_close(model(numbers, lengths.tolist()), found, rtol=0, atol=0)
    torch.testing.assert_close(found, torch.cat(expected), rtol=1e-12, atol=1e-12)
    time_first = cells.LSTM(6, 6)
    other = SequenceModel(time_first, outputs=4, mapped_from=3, passes=3).double().eval()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other(numbers, lengths), found, rtol=1e-12, atol=1e-12)


def test_a_mapped_model_is_saved_recorded_examined_and_goes_on(tmp_path):
    torch.manual_seed(3)
    wanted = settings("lstm", passes=1)
    model = build_model(wanted).eval()
    save_folder(model, wanted, tmp_path)
    numbers = torch.randn(5, 8, 3)
    again = load_folder(tmp_path)
    assert torch.equal(again(numbers), model(numbers))

    _, state = model.go_on(numbers[:, :5])
    torch.testing.assert_close(model.go_on(numbers[:, 5:], state)[0], model(numbers))

    trace = record_numbers(model, Numbers(numbers.numpy(), torch.arange(5).numpy() % 4))
    torch.testing.assert_close(torch.from_numpy(trace.tree["prediction"].values), model(numbers))

    layers = {"layer": model.layer}
    shown, axis = next(examples._candidates(model, layers, 8))
    assert (shown.shape[-1], axis) == (3, 1)
    assert model(shown).shape[-1] == 4


def test_several_passes_are_no_single_reading_to_record_or_to_go_on_from():
    model = build_model(settings()).eval()
    with pytest.raises(RuntimeError, match=r"called twice .* Record the layer itself"):
        with attnviz.record(model):
            model(torch.randn(2, 5, 3))
    with pytest.raises(ValueError, match="reads each sequence 3 times, so it cannot go on"):
        model.go_on(torch.randn(2, 5, 3))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"passes": 0}, "at least once, got passes 0"),
        ({"head": "per_step"}, "knows what comes. Got the head 'per_step'"),
        ({"bidirectional": True}, "reads forwards.*bidirectional True"),
        ({"mapped_size": None}, "read 3 features and return 6. Map .* mapped_size=6"),
        ({"mapped_size": 5}, "read 5 features and return 6"),
        ({"mapped_size": 6, "input_size": 0}, "got mapped_from 0 and vocabulary_size None"),
        ({"vocabulary_size": 9, "embedding_size": 6}, "mapped_size 6 maps numbers, but .* words"),
    ],
)
def test_what_cannot_be_read_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        build_model(settings(**changes))
    with pytest.raises(ValueError, match="numbers, at least one a timestep, not words"):
        SequenceModel(cells.LSTM(6, 6), outputs=2, vocabulary_size=5, mapped_from=3)


def test_the_released_model_trains_1302_parameters_and_leaves_113643():
    recipe = recipe_for("larnn", "har", "released")
    model = build_model(recipe.model)
    left = trained(model, recipe)
    assert sum(one.numel() for one in left.values()) == 1_302
    assert sum(one.numel() for one in model.parameters()) - 1_302 == 113_643
    assert {name.split(".")[0] for name in left} == {"input_map", "head"}
    cell = model.layer.groups["l0"]
    assert list(model.layer.groups) == ["l0"] and model.passes == 3
    assert not cell.options.eval_honoured and cell.options.hidden_dropout == 0.089
    spread = 1 / 9  # of every parameter, biases too
    for parameter in model.layer.parameters():
        assert 0.9 * spread < parameter.abs().max() <= spread
    bound = (6 / (9 + 81)) ** 0.5
    assert isinstance(model.input_map, nn.Linear)
    assert 0.98 * bound < model.input_map.weight.abs().max() <= bound
