import numpy as np
import pytest
import torch

from attnviz import Texts, ablate, record_texts, replacement_influence, signal
from attnviz.explorer.background import Outdated
from attnviz.explorer.edits import Edits
from attnviz.explorer.live_shelf import ModelShelf
from attnviz.explorer.panels import Switches
from tests.attnviz.explorer.subjects import (
    LABELS,
    REFERENCE,
    SHORT,
    TEXT,
    TEXTS,
    gru,
    larnn,
    lstm,
    named,
    names,
    rra,
    said_of,
)


def shelf_of(*models, texts=None):
    chosen = Texts(TEXTS, labels=LABELS, ids=list("abcd")) if texts is None else texts
    return ModelShelf({model.name: model for model in models}, chosen, REFERENCE)


def never():
    return False


def test_rows_are_the_texts_as_the_first_model_reads_them():
    shelf = shelf_of(rra(), gru())

    assert (shelf.keys, shelf.layers, shelf.live) == (["rra", "gru"], ["l0"], True)
    assert [(row.id, row.text, row.label, row.prediction, row.length) for row in shelf.rows] == [
        ("a", TEXTS[0], 1, -1, 13), ("b", TEXTS[1], 0, -1, 5), ("c", TEXTS[2], -1, -1, 7),
        ("d", TEXTS[3], 1, -1, 1),
    ]  # fmt: skip
    plain = shelf_of(rra(), texts=Texts(TEXTS))
    assert [(row.id, row.label) for row in plain.rows] == [(str(n), -1) for n in range(4)]


def test_panels_and_sentences_of_all_models():
    models = rra(), gru()
    shelf = shelf_of(*models)
    found = shelf.panels(1, "l0")

    for panel, model in zip(found, models, strict=True):
        assert (panel.key, panel.text, panel.label, panel.edited) == (model.name, SHORT, 0, None)
        np.testing.assert_allclose(panel.prediction, said_of(model, SHORT), atol=1e-12)
        empty = named(panel.lenses, "influence")
        assert (empty.at, empty.values.shape) == ([], (1, 0, 0))
        assert panel.lenses[-1] is empty
    edited = shelf.sentence(TEXT, -1, "l0", Edits(lags=(3,)))
    effect = ablate(models[0], [TEXT])["probability_effect"].sel(lag=3)
    which = int(np.argmax(edited[0].prediction))
    changed = edited[0].edited.prediction[which] - edited[0].edited.unedited[which]
    assert changed == pytest.approx(float(effect.values[0]), abs=1e-10)
    assert edited[1].edited is None


def test_a_complete_text_has_gradients_and_every_edit():
    shelf = shelf_of(larnn(), gru())
    one, other = shelf.complete(shelf.rows[1], "l0")

    assert [variant.edited.label for variant in one.variants] == [
        "lag 1 off", "lag 2 off", "lag 3 off", "head 0 off", "head 1 off", "uniform attention",
    ]  # fmt: skip
    assert list(other.variants) == []
    for panel in (one, other):
        assert {"score", "gates", "gradient", "routes"} <= set(names(panel.tracks))
        assert panel.label == 0 and "influence" not in names(panel.lenses)


def test_layers_are_those_that_all_models_have():
    shelf = shelf_of(lstm(num_layers=2, bidirectional=True), rra(num_layers=2), gru("third"))

    assert shelf.layers == ["l0"]
    assert shelf.switches == [None] * 4 + [Switches([2, 3, 4, 5, 6], 1)] * 2 + [None]


def test_gradients_are_work_for_another_thread():
    models = rra(), gru()
    shelf = shelf_of(*models)
    work = shelf.flow(SHORT, 0, "l0")
    with torch.no_grad():  # the work keeps to the models as they were when it was asked for
        for model in models:
            model.head.weight.zero_()
    found = work(never)

    assert list(found) == ["rra", "gru"]
    torch.manual_seed(0)
    for model in (rra(), gru()):
        trace = record_texts(model, Texts([SHORT], labels=[0]), gradients="exits")
        held = signal(trace, "hidden_gradient_norm").values[0]
        series = named(found[model.name], "gradient").series[0]
        np.testing.assert_allclose(series.values, held, rtol=1e-6)


def test_influence_is_work_for_another_thread():
    model, other = rra(), gru()
    found = shelf_of(model, other).influence(TEXT, {"rra": 4, "gru": 6})(never)

    for one, at in ((model, 4), (other, 6)):
        measured = replacement_influence(one, [TEXT], reference=REFERENCE, at=[at])
        held = measured["influence"].values[0].astype(np.float32)
        np.testing.assert_array_equal(found[one.name].values[0], held)
        assert found[one.name].at == [at]
    only = shelf_of(rra()).influence(TEXT, {"rra": 2})(never)
    assert list(only) == ["rra"]


def test_only_the_models_that_were_asked_are_measured():
    found = shelf_of(rra(), gru()).influence(TEXT, {"gru": 3})(never)

    assert list(found) == ["gru"]


def test_outcomes_are_those_of_the_first_model():
    model = rra()
    rows = shelf_of(model, gru()).outcomes()(never)

    assert [row.prediction for row in rows] == [int(said_of(model, t).argmax()) for t in TEXTS]
    assert [row.text for row in rows] == TEXTS


@pytest.mark.parametrize("after", [0, 1])
def test_work_is_given_up_when_nobody_waits(after):
    shelf = shelf_of(rra(), gru())
    for work in (
        shelf.flow(TEXT, 1, "l0"), shelf.outcomes(), shelf.influence(TEXT, {"rra": 2, "gru": 2}),
    ):  # fmt: skip
        asked = []

        def stale(asked=asked):
            asked.append(1)
            return len(asked) > after

        with pytest.raises(Outdated):
            work(stale)
        assert len(asked) == after + 1


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(ValueError, match="needs a trace or a model, got none"):
        ModelShelf({}, Texts(TEXTS), REFERENCE)
    with pytest.raises(ValueError, match=r"Text 1: .*at least one word"):
        shelf_of(rra(), texts=Texts(["good", " "]))
    with pytest.raises(ValueError, match="has the label 2"):
        shelf_of(rra(), texts=Texts(["good"], labels=[2]))
    with pytest.raises(ValueError, match="at least one text"):
        shelf_of(rra(), texts=Texts([]))
    model = gru()
    model.vocabulary = None
    with pytest.raises(ValueError, match="has no vocabulary"):
        shelf_of(rra(), model)
