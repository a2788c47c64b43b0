"""The gradient by class of path of models that read numbers."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import attnviz
import cells
from attnviz.models import SequenceModel
from attnviz.path_classes import (
    PathOptions,
    gradient_paths,
    number_gradient_paths,
    text_gradient_paths,
)
from attnviz.recording import Numbers, Texts, record_numbers
from attnviz.text import encode_text

TEXTS = ["a wonderful film , and not a dull minute", "dull , long , and the lead mumbles through"]


def test_numbers_are_followed_as_the_texts_that_they_are_made_of():
    model = attnviz.load_model("rra-imdb")
    ids = np.stack([encode_text(text, model.vocabulary).ids for text in TEXTS])
    bare = SequenceModel(model.layer, outputs=2).eval()
    bare.head, bare.classes, bare.name = model.head, model.classes, "bare"
    read = model.embedding(torch.from_numpy(ids)).detach().numpy()

    expected = text_gradient_paths(model, Texts(TEXTS, labels=[0, 1]))
    told = []
    found = number_gradient_paths(
        bare, Numbers(read, np.array([0, 1]), ["a", "b"]), progress=lambda *done: told.append(done)
    )

    assert told == [(2, 2)] and found["id"].values.tolist() == ["a", "b"]
    assert set(found.variables) == set(expected.variables)
    for name in set(expected.data_vars) - {"id"}:
        # Float32 embeddings are read in double precision by both.
        assert_allclose(found[name], expected[name], rtol=1e-6, atol=1e-12, err_msg=name)


def test_a_shipped_models_gradient_is_that_of_its_recording():
    model = attnviz.load_model("larnn-row-mnist")
    random = np.random.default_rng(3)
    rows = random.uniform(size=(3, 28, 28)).astype(np.float32)
    numbers = Numbers(rows, np.array([7, 1, 4]))

    paths = number_gradient_paths(model, numbers, options=PathOptions(labels={}))

    trace = record_numbers(model, numbers)
    recorded = trace.tree["l0"]["hidden_gradient_norm"].values
    assert_allclose(paths["hidden_gradient_norm"], recorded[:, ::-1], rtol=2e-3)
    assert paths["id"].values.tolist() == ["0", "1", "2"]


def test_refusals():
    model = attnviz.load_model("rra-imdb")
    numbers = Numbers(np.zeros((1, 4, 64), dtype=np.float32), np.array([1]))
    with pytest.raises(ValueError, match="rra-imdb has the head classification and reads tokens"):
        number_gradient_paths(model, numbers)
    sums = SequenceModel(model.layer, outputs=1, head="regression")
    with pytest.raises(ValueError, match="has the head regression, but the targets are classes"):
        number_gradient_paths(sums, numbers)


def test_of_predicted_numbers_the_squared_error_is_followed():
    torch.manual_seed(4)
    model = SequenceModel(cells.RRA(2, 5, window=3, batch_first=True), outputs=1, head="regression")
    random = np.random.default_rng(7)
    numbers = Numbers(random.normal(size=(11, 6, 2)), random.normal(size=(11, 1)))  # two parts

    found = number_gradient_paths(model.double().eval(), numbers)

    right = torch.from_numpy(numbers.targets)
    expected = gradient_paths(
        model, torch.from_numpy(numbers.features), objective=lambda y: ((y - right) ** 2).sum()
    )
    for name in set(expected.data_vars):
        assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-14, err_msg=name)
