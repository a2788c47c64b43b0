"""A model is read in eval mode and comes back as it was."""

import random
import threading

import numpy as np
import pytest
import torch
from torch import nn

import attnviz
from attnviz.influence import replacement_influence
from attnviz.models import ModelSettings, build_model
from attnviz.modes import evaluated, undisturbed
from attnviz.recording import Numbers, record_numbers
from attnviz.tasks import load_adding
from attnviz.text import Vocabulary
from attnviz.training import adding_recipe
from attnviz.training.scoring import score

TEXT = "the good film the bad film"


class Noticing(nn.Module):
    """Counts calls of its own `train`."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def train(self, mode=True):
        self.calls += 1
        return super().train(mode)


def partly_trained():
    """Its second part is kept in eval mode, and so is one part inside the third."""
    model = nn.Sequential(
        nn.Dropout(), nn.BatchNorm1d(3), nn.Sequential(nn.Linear(3, 2), Noticing())
    )
    model[1].training = model[2][0].training = False
    return model


def modes(model):
    return {name: part.training for name, part in model.named_modules()}


def states():
    return torch.get_rng_state().numpy().tobytes(), random.getstate()


def draw():
    return torch.rand(3).tolist(), random.random()


def test_parts_kept_in_eval_mode_stay_there():
    model = partly_trained()
    before, calls = modes(model), model[2][1].calls

    with evaluated(model):
        assert not any(modes(model).values())

    assert modes(model) == before
    assert before[""] and not before["1"] and before["2"] and not before["2.0"]
    assert model[2][1].calls == calls  # no `train` of its own was called


def test_parts_kept_in_training_mode_stay_there():
    model = partly_trained().eval()
    model[1].train()

    with evaluated(model):
        assert not any(modes(model).values())

    assert [name for name, training in modes(model).items() if training] == ["1"]


@pytest.mark.parametrize("make", [lambda: evaluated(partly_trained()), undisturbed])
def test_random_states_are_as_they_were(make):
    scope = make()
    before = states()

    with scope:
        first = draw()
        torch.manual_seed(5)

    assert states() == before
    assert draw() == first  # what is drawn inside is what would have been drawn


def test_after_an_exception_all_is_as_it_was():
    model = partly_trained()
    before, random_states = modes(model), states()

    with pytest.raises(ZeroDivisionError), evaluated(model):
        draw()
        model[0].training = True
        _ = 1 / 0

    assert modes(model) == before
    assert states() == random_states


def test_scopes_lie_inside_one_another():
    model = partly_trained()
    before, random_states = modes(model), states()

    with evaluated(model):
        draw()
        with evaluated(model[2]):
            draw()
        assert not any(modes(model).values())

    assert modes(model) == before
    assert states() == random_states


def test_a_plain_function_is_called_as_it_is():
    layer = nn.Dropout().train()
    before = states()

    with evaluated(lambda x: layer(x)):
        assert layer.training
        draw()

    assert states() == before


VOCABULARY = Vocabulary(("<pad>", "<unk>", "good", "bad", "film", "the"))
ADDING = load_adding(10, epoch_size=8, held_out=4)


def reads_texts(cell="rra", **options):
    settings = ModelSettings(
        cell, 4, 2, vocabulary_size=6, embedding_size=3, dropout=0.5, options=options
    )
    model = build_model(settings)
    model.vocabulary = VOCABULARY
    return model


def reads_numbers():
    return build_model(ModelSettings("gru", 4, 1, head="regression", input_size=2, dropout=0.5))


def recorded_numbers(model):
    chosen = ADDING.splits["test"]
    return record_numbers(model, Numbers(chosen.features, chosen.targets))


def measured_influence(model):
    return replacement_influence(
        model, torch.ones(1, 4, 2), reference=torch.arange(24.0).view(3, 4, 2).sin()
    )


READINGS = {
    "record_texts": (reads_texts, lambda model: attnviz.record_texts(model, [TEXT])),
    "ablate": (reads_texts, lambda model: attnviz.ablate(model, [TEXT])),
    "record_numbers": (reads_numbers, recorded_numbers),
    "score": (
        reads_numbers,
        lambda model: score(model, ADDING, "test", adding_recipe("gru", hidden_size=4)),
    ),
    "influence": (reads_numbers, measured_influence),
}


@pytest.mark.parametrize("name", READINGS)
def test_whatever_reads_a_model_leaves_its_modes_and_the_random_state(name):
    make, measure = READINGS[name]
    model = make().train()
    model.layer.eval()
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    # Python's own random state is moved here by the checker of annotations.
    before, random_state = modes(model), torch.get_rng_state()

    measure(model)

    assert model.training and modes(model) == before
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(values, weights[k]) for k, values in model.state_dict().items())


def test_what_a_cell_draws_in_eval_mode_leaves_the_random_state_too():
    model = reads_texts("larnn", preset="stable", eval_honoured=False, hidden_dropout=0.5, window=3)
    before = torch.get_rng_state()

    def attention():
        trace = attnviz.record_texts(model, [TEXT], gradients=False)
        return trace.tree["l0"]["attention"].values

    first, again = attention(), attention()

    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(first, again)
    torch.rand(1)
    assert np.abs(attention() - first).max() > 1e-3  # it does draw


def test_another_thread_does_not_turn_the_random_states_back():
    drawn = []

    def read():
        with undisturbed():
            started.set()
            assert drawing.wait(10)

    started, drawing = threading.Event(), threading.Event()
    worker = threading.Thread(target=read)
    worker.start()
    assert started.wait(10)
    drawn.append(torch.rand(4))
    drawing.set()
    worker.join()
    drawn.append(torch.rand(4))
    assert not torch.equal(*drawn)
