import itertools

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from numpy.testing import assert_allclose, assert_array_equal

from attnviz.analysis import token_score
from attnviz.plots import plot_text, save_figure
from attnviz.trace import Trace, tokens
from tests.attnviz import traces


def said(figure):
    return " ".join(text.get_text() for text in figure.texts)


def parts(figure):
    (ax,) = [ax for ax in figure.axes if ax.get_label() == "text"]
    (boxes,) = [child for child in ax.collections if isinstance(child, PolyCollection)]
    return ax, boxes


@pytest.mark.parametrize("kind", ["attention_received", "prediction_change"])
def test_boxes_have_the_colours_of_the_score(kind):
    trace = traces.larnn()

    ax, boxes = parts(plot_text(trace, sequence=1, score=kind))

    expected = token_score(trace, 1, kind=kind).values.values
    assert_array_equal(boxes.get_array().filled(np.nan), expected)
    assert [text.get_text() for text in ax.texts] == tokens(trace, 1)


@pytest.mark.parametrize(("direction", "which"), [(1, "later"), (-1, "earlier")])
def test_a_token_is_read_by_the_timesteps_that_its_layer_comes_to_next(direction, which):
    figure = plot_text(traces.rra(direction=direction), score="attention_received")

    assert f"attention from all {which} timesteps, summed" in figure.texts[0].get_text()


def test_a_range_of_tokens():
    trace = traces.larnn()

    ax, boxes = parts(plot_text(trace, score="attention_received", tokens=(4, 9)))

    assert [text.get_text() for text in ax.texts] == tokens(trace, 0)[4:9]
    assert_allclose(boxes.get_array(), token_score(trace, 0).values.values[4:9])


def test_words_lie_inside_their_boxes_and_boxes_apart_and_on_the_page():
    figure = plot_text(traces.larnn([traces.review(400)]))
    ax, boxes = parts(figure)
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)

    corners = np.array([path.vertices for path in boxes.get_paths()])
    low, high = corners.min(1), corners.max(1)
    assert len(corners) == 400
    assert low.min() >= 0
    assert (high <= [ax.get_xlim()[1] + 1e-9, ax.get_ylim()[0] + 1e-9]).all()
    for a, b in itertools.pairwise(range(400)):
        assert low[b, 1] >= high[a, 1] or low[b, 0] >= high[a, 0] - 1e-9
    inverse = ax.transData.inverted()
    for text, left, right in zip(ax.texts, low[:, 0], high[:, 0], strict=True):
        start, end = inverse.transform(text.get_window_extent(renderer))[:, 0]
        assert left <= start + 0.02
        assert end - 0.02 <= right


def test_blanks_stand_where_the_text_has_them():
    _, boxes = parts(plot_text(traces.larnn(["Well, no!"])))

    (_, well), (comma, after), (no, end), (mark, _) = [
        (path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in boxes.get_paths()
    ]
    assert_allclose([comma, mark], [well, end])
    assert no - after == pytest.approx(0.03)


def test_text_between_the_tokens_is_grey_and_has_no_box():
    trace = traces.rra(["one two three"])
    trace.tree["text"].values[0] = "one <br /> three"
    trace.tree["span"].values[0] = [[0, 3], [11, 16], [-1, -1]]
    trace.tree["length"].values[0] = 2

    ax, boxes = parts(plot_text(trace, score="attention_received"))

    assert [text.get_text() for text in ax.texts] == ["one", "<br />", "three"]
    assert ax.texts[1].get_color() == "0.55"
    assert len(boxes.get_paths()) == 2


def test_right_to_left_text_starts_at_the_right():
    ax, boxes = parts(plot_text(traces.larnn(["שלום עולם זה סרט"])))

    lefts = [path.vertices[:, 0].min() for path in boxes.get_paths()]
    assert lefts == sorted(lefts, reverse=True)
    assert boxes.get_paths()[0].vertices[:, 0].max() == pytest.approx(ax.get_xlim()[1])


def test_dark_boxes_carry_white_words():
    trace = traces.small([[[[0.0]], [[1.0]], [[0.01]], [[0.5]]]], [1])

    ax, _ = parts(plot_text(trace))

    assert [text.get_color() for text in ax.texts] == ["white", "black", "black", "black"]


ODD = "a $\\foo$ _x^2_ 日本語 😀👍🏽 שלום مرحبا हिन्दी \ufeff \u200b naïve é \x00 {x} % & <b>"


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
def test_tokens_of_any_script_are_drawn_without_warnings(tmp_path, suffix):
    trace = traces.larnn([ODD])

    path = save_figure(plot_text(trace), tmp_path / f"a{suffix}", provenance={})

    assert path.stat().st_size > 5000


def test_the_default_score_is_one_the_trace_holds():
    figure = plot_text(traces.gru())

    assert any("gate attention received" in text.get_text() for text in figure.texts)


def test_a_layer_or_head_asked_for_is_never_left_out():
    trace = traces.larnn()
    bare = Trace(trace.tree.copy())
    bare.tree["l0"] = bare.tree["l0"].dataset[["hidden_gradient_norm"]]
    only = Trace(bare.tree.copy())
    only.tree["l0"] = only.tree["l0"].dataset.drop_vars("hidden_gradient_norm")

    assert "what reading the token did" in said(plot_text(bare))
    assert "gradient at h" in said(plot_text(bare, group="l0"))
    with pytest.raises(ValueError, match="'prediction_change' is of the whole model"):
        plot_text(only, group="l0")
    with pytest.raises(KeyError, match="no layer 'l9'"):
        plot_text(bare, group="l9")


def test_refusals():
    with pytest.raises(ValueError, match="no token score 'loudness'"):
        plot_text(traces.larnn(), score="loudness")
    with pytest.raises(KeyError, match="memory_gradient_norm"):
        plot_text(traces.larnn(), score="memory_gradient_norm")
    for choice in ({"group": "l0"}, {"head": 1}):
        with pytest.raises(ValueError, match="'prediction_change' is of the whole model"):
            plot_text(traces.larnn(), score="prediction_change", **choice)
