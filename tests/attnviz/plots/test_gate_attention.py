import numpy as np
import pytest
from numpy.testing import assert_allclose

from attnviz.plots import plot_gate_attention
from attnviz.plots.wrapped import words_under
from attnviz.trace import tokens
from tests.attnviz import traces


def maps(figure):
    return [ax for ax in figure.axes if ax.images and ax.get_label() != "colour bar"]


def test_strips_draw_initial_beyond_and_ages():
    trace = traces.gru()
    node = trace.tree["l0"]

    axes = maps(plot_gate_attention(trace, sequence=1))

    drawn = [ax.images[0].get_array() for ax in axes]
    assert_allclose(drawn[0], node["gate_attention_initial"].values[1:2, :19], rtol=0)
    assert_allclose(drawn[1], node["gate_attention_beyond"].values[1:2, :19], rtol=0)
    assert_allclose(drawn[2], node["gate_attention"].values[1, :19].T, rtol=0)
    rows = [[label.get_text() for label in ax.get_yticklabels()] for ax in axes]
    assert rows == [["initial"], ["beyond"], list("0246")]
    assert len({(ax.images[0].norm.vmin, ax.images[0].norm.vmax) for ax in axes}) == 1
    assert [text.get_text() for text in words_under(axes[2])] == tokens(trace, 1)


def test_more_beyond_than_all_else_has_a_scale_of_its_own():
    trace = traces.gru()
    trace.tree["l0"]["gate_attention_beyond"] = 40 * trace.tree["l0"]["gate_attention_beyond"]
    highest = float(trace.tree["l0"]["gate_attention_beyond"][1].max())

    figure = plot_gate_attention(trace, sequence=1)

    initial, beyond, ages = (ax.images[0] for ax in maps(figure))
    assert (beyond.norm.vmin, beyond.norm.vmax) == (0.0, highest)
    drawn = [np.nanmax(image.get_array()) for image in (initial, ages)]
    assert {initial.norm.vmax, ages.norm.vmax} == {max(drawn)}
    assert beyond.get_cmap().name == "Greys" != ages.get_cmap().name
    written = " ".join(text.get_text() for text in figure.texts)
    assert f"“beyond” is grey: white 0, black {highest:.2g}" in written


def test_ages_before_the_start_are_hatched():
    axes = maps(plot_gate_attention(traces.gru(), tokens=(3, 12)))

    widths = [round(patch.get_width()) for patch in axes[2].patches]
    # At timestep 3 ages 4 to 7 lie before the start, at 4 ages 5 to 7, ...
    assert widths == [1, 2, 3, 4]
    assert not axes[0].patches
    assert not axes[1].patches


def test_the_residual_is_printed():
    trace = traces.gru()

    figure = plot_gate_attention(trace)

    written = " ".join(text.get_text() for text in figure.texts)
    largest = np.nanmax(trace.tree["l0"]["gate_attention_residual"].values[0])
    assert f"to within {largest:.1e} (largest residual" in written
    assert "ages, beyond and initial sum to one" in written
    assert "Age: timesteps since written, 0 = now." in written


def test_refusal_names_a_plot_that_works():
    with pytest.raises(KeyError, match=r"needs 'gate_attention'.*--kind heatmap"):
        plot_gate_attention(traces.larnn())
