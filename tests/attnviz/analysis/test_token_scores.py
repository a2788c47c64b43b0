import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import attnviz
from attnviz.analysis import (
    contribution_norm,
    gate_attention,
    outcome,
    prediction_change,
    recorded_scores,
    surprisal,
    token_score,
)
from attnviz.outcomes import predicts_words, tells_classes
from tests.attnviz import traces

# Timesteps 0 to 3, lags 1 and 3.
WEIGHTS = [[[[0.7, 0.3]], [[0.6, 0.4]], [[0.5, 0.5]], [[0.2, 0.8]]]]


def test_attention_received_by_hand():
    values = token_score(traces.small(WEIGHTS, [1, 3]), 0).values

    # Token 0 from timestep 1 at lag 1 and from timestep 3 at lag 3, and so on.
    assert values.dims == ("time",)
    assert_allclose(values.values, [0.6 + 0.8, 0.5, 0.2, 0])


def test_attention_received_in_a_reverse_layer():
    values = token_score(traces.small(WEIGHTS, [1, 3], direction=-1), 0).values

    assert_allclose(values.values, [0, 0.7, 0.6, 0.5 + 0.3])


def test_contribution_and_gate_attention_received_by_loop():
    rra, gru = traces.rra(), traces.gru()
    received = np.zeros(23)
    norms = contribution_norm(rra).values.values[1, :23, 0]
    for t in range(23):
        for lag, norm in zip(range(2, 12), norms[t], strict=True):
            if t >= lag:
                received[t - lag] += norm
    kept = np.zeros(19)
    weights = gate_attention(gru).values.values[1, :19]
    for t in range(19):
        for age in range(1, min(t, 7) + 1):
            kept[t - age] += weights[t, age]

    scores = token_score(rra, 1, kind="contribution_received").values.values
    assert_allclose(scores, received, rtol=1e-12)
    scores = token_score(gru, 1, kind="gate_attention_received").values.values
    assert_allclose(scores, kept, rtol=1e-12)


def test_heads_are_averaged_or_chosen():
    trace = traces.larnn()

    single = [token_score(trace, 0, head=head).values.values for head in range(3)]

    assert_allclose(token_score(trace, 0).values.values, np.mean(single, axis=0), rtol=1e-12)
    assert "head 2" in token_score(trace, 0, head=2).name
    with pytest.raises(IndexError, match="no head 3"):
        token_score(trace, 0, head=3)


def test_other_sequences_do_not_matter():
    texts = [traces.review(21), traces.review(35)]
    trace = traces.larnn(texts)
    weights = trace.tree["l0"]["attention"].values
    alone = traces.small(weights[:1, :21], range(1, 8))

    assert_allclose(token_score(trace, 0).values.values, token_score(alone, 0).values.values)


def test_prediction_change_by_hand():
    trace = traces.larnn(["a b c"])
    trace.tree["score"].values[0] = [[1.0, 2.0], [4.0, 3.0], [0.0, 5.0]]

    towards_pos = prediction_change(trace, 0)
    towards_neg = prediction_change(trace, 0, target=0)

    assert_allclose(towards_pos.values.values, [np.nan, -2, 6])
    assert_allclose(towards_neg.values.values, [np.nan, 2, -6])
    assert "“pos”" in towards_pos.name
    with pytest.raises(IndexError, match="2 classes, numbered from 0, and no class 2"):
        prediction_change(trace, 0, target=2)


def test_the_change_of_predicted_numbers_is_their_own():
    trace = traces.larnn(["a b c"])
    trace.tree["score"].values[0] = [[1.0, 2.0], [4.0, 3.0], [0.0, 5.0]]
    trace.tree.attrs["loss"] = "squared error"

    first, second = prediction_change(trace, 0), prediction_change(trace, 0, target=1)

    assert_allclose(first.values.values, [np.nan, 3, -4])
    assert_allclose(second.values.values, [np.nan, 1, 2])
    assert (first.name, first.unit) == ("change of the predicted “neg”", "")


def test_surprisal_is_the_loss_at_the_token_before():
    trace = traces.larnn(["a b c", "d e f g"])
    told = [[2.5, 0.25, np.nan, np.nan], [1.0, 3.0, 0.5, np.nan]]  # of each next token
    losses = ("sequence", "time"), np.array(told, np.float32)
    assert not predicts_words(trace)
    trace.tree.dataset = trace.tree.to_dataset().assign(loss=losses).drop_vars("prediction")
    assert predicts_words(trace)
    assert outcome(trace, 0).perplexity == pytest.approx(np.exp((2.5 + 0.25) / 2))
    trace.tree["loss"].values[1, 1] = np.inf
    assert outcome(trace, 1).said == "perplexity inf"
    trace.tree["loss"].values[1, 1] = 3.0

    statistic = surprisal(trace, 0)

    assert_array_equal(statistic.values.values, [np.nan, 2.5, 0.25])
    assert statistic.unit == "nats"
    assert_array_equal(surprisal(trace, 1).values.values, [np.nan, 1.0, 3.0, 0.5])
    assert "surprisal" in recorded_scores(trace)
    figure = attnviz.plot_text(trace, sequence=1, score="surprisal")
    (ax,) = [ax for ax in figure.axes if ax.get_label() == "text"]
    (boxes,) = [found for found in ax.collections if found.get_array() is not None]
    assert_array_equal(np.ma.filled(boxes.get_array(), np.nan), [np.nan, 1.0, 3.0, 0.5])
    with pytest.raises(KeyError, match="surprisal needs the loss of each next token"):
        surprisal(traces.rra(), 0)


def test_signed_attention_gives_signed_scores():
    trace = traces.small([[[[1.5, -0.5]]] * 4], [1, 3], cell="RRA")

    statistic = token_score(trace, 0)

    assert_allclose(statistic.values.values, [1.0, 1.5, 1.5, 0])
    assert statistic.bounds is None


def test_recorded_norms_are_given_as_they_are():
    trace = traces.larnn()

    values = token_score(trace, 1, kind="hidden_gradient_norm").values.values

    recorded = trace.tree["l0"]["hidden_gradient_norm"].values[1, :29]
    assert_array_equal(values, recorded.astype(np.float64))


def test_refusals():
    with pytest.raises(ValueError, match="no token score 'loudness'; choose one of"):
        token_score(traces.rra(), 0, kind="loudness")
    with pytest.raises(KeyError, match="memory_gradient_norm"):
        token_score(traces.rra(), 0, kind="memory_gradient_norm")
    with pytest.raises(KeyError, match="running score"):
        prediction_change(traces.small(WEIGHTS, [1, 3]), 0)


def test_what_a_trace_has_scores_for():
    assert recorded_scores(traces.gru()) == ["gate_attention_received", "prediction_change"]
    assert recorded_scores(traces.small(WEIGHTS, [1, 3])) == ["attention_received"]


def test_outcome():
    trace = traces.larnn(labels=[1, -1])
    trace.tree["prediction"].values[:] = [[0.0, np.log(3)], [2.0, 2.0 - np.log(4)]]

    assert outcome(trace, 0).true == "pos"
    assert outcome(trace, 0).predicted == "pos"
    assert outcome(trace, 0).probability == pytest.approx(0.75)
    assert outcome(trace, 1).true is None
    assert outcome(trace, 1).predicted == "neg"
    assert outcome(trace, 1).probability == pytest.approx(0.8)
    assert outcome(traces.small(WEIGHTS, [1, 3]), 0).predicted is None


def test_several_predicted_numbers_are_no_classes():
    trace = traces.larnn(labels=[1, -1])
    assert tells_classes(trace) and outcome(trace, 0).predicted is not None
    trace.tree.attrs["loss"] = "squared error"
    assert not tells_classes(trace)
    assert (outcome(trace, 0).predicted, outcome(trace, 0).probability) == (None, None)
