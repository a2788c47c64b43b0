import numpy as np
import pytest
import torch

import attnviz
import cells
from attnviz import record_texts, signal
from attnviz.analysis import one_sequence
from attnviz.explorer.reading import panel_of
from attnviz.explorer.shelf import TraceShelf
from attnviz.explorer.tracks import probabilities, tracks
from attnviz.models import SequenceModel
from attnviz.recording import Numbers, record_numbers
from tests.attnviz import traces
from tests.attnviz.explorer.subjects import (
    SHORT,
    TEXT,
    gru,
    larnn,
    lstm,
    named,
    names,
    rau,
    rra,
    said_of,
)

GATES = ["input gate", "forget gate", "output gate"]
UPDATES = ["update gate", "reset gate"]


def tracks_of(model, gradients=False, group="l0", sequence=1):
    """The tracks of the second of two texts, and the trace of both."""
    trace = record_texts(model, [SHORT, TEXT], keep="all", gradients=gradients)
    return tracks(one_sequence(trace, sequence), group), trace


@pytest.mark.parametrize("make", [rra, larnn, gru, rau, lstm])
def test_the_running_prediction_is_what_the_model_says_of_each_prefix(make):
    model = make()
    found, _ = tracks_of(model)
    track, words = named(found, "score"), TEXT.split()
    prefixes = [said_of(model, " ".join(words[: n + 1]))[1] for n in range(len(words))]

    assert [series.label for series in track.series] == ["positive"]
    assert (track.unit, track.limits) == ("probability of positive", (0.0, 1.0))
    np.testing.assert_allclose(track.series[0].values, prefixes, atol=1e-6)
    assert np.ptp(prefixes) > 0.01


def test_of_three_classes_each_has_its_line():
    model = larnn(outputs=3)
    track = named(tracks_of(model)[0], "score")

    assert [series.label for series in track.series] == ["negative", "positive", "neither"]
    assert track.unit == "probability"
    found = np.stack([series.values for series in track.series])
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(found[:, -1], said_of(model, TEXT), atol=1e-6)
    np.testing.assert_allclose(found[:, 0], said_of(model, TEXT.split()[0]), atol=1e-6)


def test_several_predicted_numbers_are_told_as_no_classes():
    model = SequenceModel(cells.RRA(3, 5, window=4, batch_first=True), outputs=2, head="regression")
    random = np.random.default_rng(6)
    numbers = Numbers(random.normal(size=(2, 7, 3)), random.normal(size=(2, 2)))
    trace = record_numbers(model, numbers)
    assert trace.tree["score"].sizes["class"] == 2
    found = {track.name: track.unit for track in tracks(one_sequence(trace, 1), "l0")}
    assert "score" not in found and found["gradient"] == "per unit of loss"
    assert panel_of(trace, 1, key="mine").prediction == []
    assert [row.prediction for row in TraceShelf({"mine": trace}).rows] == [-1, -1]


def test_a_gradient_of_something_else_is_not_said_to_be_of_the_loss():
    layer = cells.RRA(3, 5, window=4, batch_first=True)
    with attnviz.record(layer) as recording:
        output, _ = layer(torch.randn(2, 7, 3))
        output[:, -1, 0].sum().backward()
    found = {track.name: track.unit for track in tracks(one_sequence(recording.trace, 1), "l0")}
    assert found["gradient"] == "of what backward was called on"


def test_a_model_that_reads_from_the_end_has_no_running_prediction():
    for group in ("l0", "l0_reverse"):
        assert names(tracks_of(gru(bidirectional=True), group=group)[0]) == ["gates"]


@pytest.mark.parametrize(
    ("make", "gates"), [(rra, GATES), (larnn, GATES), (lstm, GATES), (gru, UPDATES), (rau, UPDATES)]
)
def test_gates_are_means_over_units(make, gates):
    found, trace = tracks_of(make())
    track = named(found, "gates")

    assert [series.label for series in track.series] == gates
    for series in track.series:
        held = signal(trace, series.label.replace(" ", "_")).values[1]
        assert held.shape == (13, 4)
        expected = [sum(held[timestep]) / 4 for timestep in range(13)]
        np.testing.assert_allclose(series.values, expected, rtol=1e-6)


@pytest.mark.parametrize("make", [rra, larnn, gru, rau, lstm])
def test_gradients_are_those_of_the_trace_and_shares_sum_to_one(make):
    found, trace = tracks_of(make(), gradients="exits")
    norms, routes = named(found, "gradient"), named(found, "routes")

    assert norms.kind == "log" and routes.kind == "stack"
    for series in norms.series:
        place = series.label.removeprefix("at the ")
        held = signal(trace, f"{place}_gradient_norm").values[1]
        np.testing.assert_allclose(series.values, held, rtol=1e-6)
    assert {"at the hidden", "at the input"} <= {series.label for series in norms.series}
    assert routes.label == "share of the gradient at the input by route"
    total = np.sum([series.values for series in routes.series], axis=0)
    np.testing.assert_allclose(total, 1, atol=1e-5)


def test_the_gradient_at_the_input_is_that_of_a_plain_backward():
    model = rra()
    found, _ = tracks_of(model, gradients="exits")
    ids = torch.tensor([[model.vocabulary.words.index(word) for word in TEXT.lower().split()]])
    embedded = model.embedding(ids).detach().requires_grad_()
    logits = model.head(model.last(model.read(embedded, None), None))
    torch.nn.functional.cross_entropy(logits, logits.argmax(dim=-1)).backward()

    at_input = next(s for s in named(found, "gradient").series if s.label == "at the input")
    np.testing.assert_allclose(at_input.values, embedded.grad[0].norm(dim=-1), rtol=1e-5)


def test_lags_of_one_route_are_added_up():
    found, trace = tracks_of(rra(), gradients="routes")
    routes = named(found, "routes")
    held = signal(trace, "hidden_route_projection")
    kinds = held["hidden_route_kind"].values
    norm = signal(trace, "hidden_gradient_norm").values[1]

    assert routes.label == "share of the gradient at the hidden by route"
    assert list(kinds).count("shortcut") == 5
    shares = {series.label: series.values for series in routes.series}
    for kind in dict.fromkeys(kinds):
        expected = np.zeros(13)
        for route in np.flatnonzero(kinds == kind):
            expected += held.values[1, :, route] / norm
        if np.abs(expected).max() == 0:
            assert kind not in shares
        else:
            np.testing.assert_allclose(shares[kind.replace("_", " ")], expected, atol=1e-6)
    np.testing.assert_allclose(sum(shares.values()), 1, atol=1e-5)
    assert np.abs(shares["shortcut"]).max() > 1e-3


def test_each_direction_has_gates_and_gradients_of_its_own():
    model = lstm(num_layers=2, bidirectional=True)
    for group in ("l0", "l1_reverse"):
        found, trace = tracks_of(model, gradients="exits", group=group)
        held = signal(trace, "forget_gate", group).values[1].mean(axis=-1)
        gates = named(found, "gates")
        np.testing.assert_allclose(gates.series[1].values, held, rtol=1e-6)
        held = signal(trace, "hidden_gradient_norm", group).values[1]
        np.testing.assert_allclose(named(found, "gradient").series[0].values, held, rtol=1e-6)


def test_probabilities_of_large_logits():
    found = probabilities(np.array([[1000.0, 1000.0], [-1000.0, 0.0], [0.0, np.log(3)]]))

    np.testing.assert_allclose(found, [[0.5, 0.5], [0, 1], [0.25, 0.75]], atol=1e-15)


def test_a_language_model_has_its_surprisal():
    trace = traces.larnn(["a b c", "d e f g"])
    told = np.array([[2.5, 0.25, np.nan, np.nan], [1.0, 3.0, 0.5, np.nan]], np.float32)
    losses = ("sequence", "time"), told
    trace.tree.dataset = trace.tree.to_dataset().assign(loss=losses).drop_vars("prediction")

    track = named(tracks(one_sequence(trace, 1), "l0"), "surprisal")

    assert (track.unit, track.kind, len(track.series)) == ("nats", "lines", 1)
    np.testing.assert_array_equal(track.series[0].values, [np.nan, 1.0, 3.0, 0.5])
    names_of = [one.name for one in tracks(one_sequence(traces.larnn(), 0), "l0")]
    assert "surprisal" not in names_of
