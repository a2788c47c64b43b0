import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import attnviz
from attnviz.models import ModelSettings, build_model
from attnviz.path_classes import PathOptions, gradient_paths, text_gradient_paths
from attnviz.recording import Texts, record_texts
from attnviz.text import encode_text

TEXTS = ["a wonderful film , not a dull minute in it .", "dull .", "the lead mumbles through it ."]


@pytest.fixture(scope="module")
def model():
    return attnviz.load_model("rra-imdb")


def test_texts_are_read_as_the_model_reads_them(model):
    paths = text_gradient_paths(model, Texts(TEXTS, ids=["good", "short", "bad"]))

    assert paths["id"].values.tolist() == ["good", "short", "bad"]
    assert (paths.attrs["model"], paths.attrs["cell"]) == ("rra-imdb", "RRA")
    for row, text in enumerate(TEXTS):
        ids = torch.from_numpy(encode_text(text, model.vocabulary).ids)[None]
        alone = gradient_paths(model, ids)
        length = ids.shape[1]
        assert int(paths["length"][row]) == length
        for name in ("input_class_norm", "hidden_class_share"):
            expected = alone[name].values[0]
            assert_allclose(paths[name][row, :length], expected, rtol=1e-8, atol=1e-13)
            assert np.isnan(paths[name][row, length:]).all()


def test_many_texts_are_read_in_parts(model, monkeypatch):
    whole = text_gradient_paths(model, TEXTS)
    monkeypatch.setattr("attnviz.path_classes.parts._AT_ONCE", 2)

    told = []
    parts = text_gradient_paths(model, TEXTS, progress=lambda *done: told.append(done))
    assert told == [(2, 3), (3, 3)]

    assert parts["id"].values.tolist() == ["0", "1", "2"]
    assert set(parts.variables) == set(whole.variables)
    for name in set(whole.data_vars) - {"id"}:
        assert parts[name].dims == whole[name].dims
        assert_allclose(parts[name], whole[name], rtol=1e-8, atol=1e-13, err_msg=name)


def test_the_gradient_is_that_of_a_recording(model):
    texts = Texts(TEXTS, labels=[0, 1, -1])

    paths = text_gradient_paths(model, texts, options=PathOptions(labels={}))

    trace = record_texts(model, texts)
    recorded = trace.tree["l0"]["hidden_gradient_norm"].values
    for row in range(3):
        length = int(paths["length"][row])
        back = recorded[row, :length][::-1]
        assert_allclose(paths["hidden_gradient_norm"][row, :length], back, rtol=2e-4)
    assert paths["path_class"].values.tolist() == ["direct"]


def test_refusals(model):
    with pytest.raises(TypeError, match="put a single one in brackets"):
        text_gradient_paths(model, "dull")
    with pytest.raises(ValueError, match="at least one text, got none"):
        text_gradient_paths(model, [])
    with pytest.raises(ValueError, match=r"number the model's 2 classes.*between 0 and 2"):
        text_gradient_paths(model, Texts(TEXTS, labels=[0, 2, 1]))
    with pytest.raises(ValueError, match="Text 1: "):
        text_gradient_paths(model, ["good", "  "])
    numbers = build_model(ModelSettings("gru", 4, 2, input_size=3))
    with pytest.raises(ValueError, match="is for classification and has no vocabulary"):
        text_gradient_paths(numbers, ["good"])
