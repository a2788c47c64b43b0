import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnviz.analysis import feature_summary, one_sequence
from attnviz.plots import KINDS, PlotOptions, plot_feature_attention
from tests.attnviz import traces


def parts(figure):
    return [ax for ax in figure.axes if ax.get_label() not in ("colour bar", "key")]


def test_strips_draw_the_share_and_each_kind():
    trace = traces.rau()
    weights = trace.tree["l0"]["feature_attention"].values[0].astype(float)

    share, inputs, hidden = parts(plot_feature_attention(trace, top=3))

    line, reference = share.get_lines()
    assert_allclose(line.get_ydata(), weights[:, :11].sum(1), rtol=1e-12)
    numbers = KINDS["feature-attention"].numbers(trace, PlotOptions())
    assert_allclose(numbers.values["share"], weights[:, :11].sum(1), rtol=1e-12)
    assert_allclose(reference.get_ydata(), 11 / 24)
    summary = feature_summary(one_sequence(trace, 0), top=3).values.isel(sequence=0)
    assert_array_equal(inputs.images[0].get_array(), summary.values[:, 3::-1].T)
    assert_array_equal(hidden.images[0].get_array(), summary.values[:, :3:-1].T)
    rows = [label.get_text() for label in hidden.get_yticklabels()]
    assert rows == summary["feature"].values.tolist()[:3:-1]
    assert rows[0] == "other 10"
    assert (inputs.get_ylabel(), hidden.get_ylabel()) == ("input", "hidden")


def test_one_is_in_the_middle_of_the_scale():
    _, inputs, hidden = parts(plot_feature_attention(traces.rau()))

    norms = [ax.images[0].norm for ax in (inputs, hidden)]
    assert_allclose([norm(1.0) for norm in norms], 0.5)
    assert norms[0].vmax == norms[1].vmax
    assert_allclose(norms[0].vmin * norms[0].vmax, 1)


def test_attention_over_one_kind_has_no_share():
    trace = traces.rau(inputs=0, hidden=6)

    figure = plot_feature_attention(trace)

    assert [ax.get_ylabel() for ax in parts(figure)] == ["hidden"]
    assert "share" not in KINDS["feature-attention"].numbers(trace, PlotOptions()).values.coords


def test_long_sequences_are_binned():
    trace = traces.rau([traces.review(700)], inputs=2, hidden=3)

    shares = parts(plot_feature_attention(trace))[::3]

    weights = trace.tree["l0"]["feature_attention"].values[0, :, :2].astype(float).sum(1)
    drawn = np.concatenate([ax.get_lines()[0].get_ydata() for ax in shares])
    assert_allclose(drawn, weights.reshape(350, 2).mean(1), rtol=1e-12)


def test_refusal_names_a_plot_that_works():
    with pytest.raises(KeyError, match=r"needs 'feature_attention'.*--kind gate-attention"):
        plot_feature_attention(traces.gru())
