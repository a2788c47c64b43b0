import numpy as np
import pytest
import xarray as xr

from attnviz import Texts, record_texts
from attnviz.explorer.reading import panel_of
from attnviz.models import Reading
from attnviz.trace import Trace
from tests.attnviz import traces
from tests.attnviz.explorer.subjects import (
    SHORT,
    TEXT,
    gru,
    larnn,
    lstm,
    names,
    rau,
    rra,
    said_of,
)


def test_a_panel_says_what_the_trace_says():
    model = larnn()
    texts = Texts([SHORT, f"  {TEXT}!"], labels=[0, 1])
    trace = record_texts(model, texts, gradients="exits")
    panel = panel_of(trace, 1, key="mine")

    assert (panel.key, panel.cell, panel.layer, panel.layers) == ("mine", "LARNN", "l0", ["l0"])
    assert panel.text == f"  {TEXT}!"
    assert panel.tokens() == [*TEXT.split(), "!"]
    assert (panel.classes, panel.label) == (["negative", "positive"], 1)
    assert (panel.direction, panel.history, panel.initial_state) == (1, 0, True)
    assert (panel.notes, panel.edited, panel.variants) == ([], None, ())
    assert names(panel.lenses) == ["attention", "contribution"]
    assert names(panel.tracks) == ["score", "gradient", "routes"]
    assert panel.spans.dtype == np.int32


@pytest.mark.parametrize("make", [rra, larnn, gru, rau, lstm])
def test_the_prediction_is_that_of_a_plain_call(make):
    model = make()
    trace = record_texts(model, [SHORT, TEXT], gradients=False)

    for sequence, text in enumerate((SHORT, TEXT)):
        panel = panel_of(trace, sequence, key="k")
        np.testing.assert_allclose(panel.prediction, said_of(model, text), atol=1e-12)
        assert panel.label == -1


@pytest.mark.parametrize(
    ("make", "lags", "heads"),
    [
        (rra, [2, 3, 4, 5, 6], 1),
        (larnn, [1, 2, 3], 2),
        (rau, [], 1),
        (gru, None, 0),
        (lstm, None, 0),
    ],
)  # fmt: skip
def test_what_can_be_switched_off(make, lags, heads):
    switches = panel_of(record_texts(make(), [SHORT], gradients=False), 0, key="k").switches

    assert switches is None if lags is None else (switches.lags, switches.heads) == (lags, heads)


@pytest.mark.parametrize(("keep", "part"), [("start", "first"), ("end", "last")])
def test_a_text_that_was_cut_says_so(keep, part):
    model = rra()
    model.reading = Reading(6, keep)
    trace = record_texts(model, [SHORT, TEXT], gradients=False)
    whole, cut = panel_of(trace, 0, key="k"), panel_of(trace, 1, key="k")

    assert whole.notes == []
    expected = f"The model reads at most the {part} 6 tokens; what it did not read is grey."
    assert cut.notes == [expected]
    words = TEXT.split()
    assert cut.tokens() == (words[:6] if keep == "start" else words[-6:])
    assert cut.text == TEXT


def test_layers_and_directions():
    trace = record_texts(lstm(num_layers=2, bidirectional=True), [TEXT], gradients=False)
    layers = ["l0", "l0_reverse", "l1", "l1_reverse"]

    for layer, direction in zip(layers, [1, -1, 1, -1], strict=True):
        panel = panel_of(trace, 0, key="k", layer=layer)
        assert (panel.layer, panel.layers, panel.direction) == (layer, layers, direction)
    assert panel_of(trace, 0, key="k").layer == "l0"
    with pytest.raises(KeyError, match=r"k has no layer 'l2'; it has .*l1_reverse"):
        panel_of(trace, 0, key="k", layer="l2")
    with pytest.raises(IndexError, match="has no sequence 5"):
        panel_of(trace, 5, key="k")


def test_history_and_no_initial_state_are_told():
    carried = panel_of(traces.rra(history=[0, 4]), 1, key="k")
    assert (carried.history, carried.initial_state) == (4, True)
    trace = traces.small(np.ones((1, 5, 2, 3)) / 3, [1, 2, 3])
    trace.tree["l0"].attrs["initial_state"] = False
    assert panel_of(trace, 0, key="k").initial_state is False


def test_a_trace_without_text_counts_its_timesteps():
    panel = panel_of(traces.small(np.ones((2, 11, 1, 3)), [1, 2, 4], lengths=[11, 4]), 0, key="k")

    assert panel.tokens() == [str(number) for number in range(11)]
    assert panel.text == "0 1 2 3 4 5 6 7 8 9 10"
    assert (panel.prediction, panel.classes, panel.tracks) == ([], [], [])


def test_a_number_to_predict_is_no_class():
    trace = traces.small(np.ones((2, 5, 1, 2)), [1, 2])
    root = trace.tree.dataset.assign(
        label=("sequence", np.array([0.5, 2.0])),
        prediction=(("sequence", "class"), np.array([[0.4], [1.9]])),
    )
    held = {"/": root, "/l0": trace.tree["l0"].dataset}
    panel = panel_of(Trace(xr.DataTree.from_dict(held)), 0, key="k")

    assert (panel.label, panel.prediction) == (-1, [])
