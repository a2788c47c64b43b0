import itertools
import json
import re

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.testing import assert_allclose

from attnviz.plots import (
    KINDS,
    PlotOptions,
    drawable_kinds,
    plot_contribution,
    plot_feature_attention,
    plot_heatmap,
    plot_lag_kernel,
    plot_text,
    save_figure,
)
from attnviz.plots.lag_map import lag_numbers
from attnviz.plots.lettering import shorten
from attnviz.plots.wrapped import words_under
from attnviz.trace import source_kind, tokens
from tests.attnviz import traces


def maps(figure):
    """The Axes with data, from top to bottom."""
    return [ax for ax in figure.axes if ax.images and ax.get_label() != "colour bar"]


def words(ax):
    return [text.get_text() for text in words_under(ax)]


def test_every_head_and_row_draws_its_own_numbers():
    trace = traces.larnn()
    weights = trace.tree["l0"]["attention"].values[0].astype(float)

    axes = maps(plot_heatmap(trace, wrap=20))

    # 41 tokens in rows of 14: three heads in each.
    assert len(axes) == 9
    for index, ax in enumerate(axes):
        row, head = divmod(index, 3)
        expected = weights[14 * row : 14 * (row + 1), head].T
        assert_allclose(ax.images[0].get_array(), expected, rtol=0)
        assert ax.get_ylabel() == f"head {head}"
    assert words(axes[2]) + words(axes[5]) + words(axes[8]) == tokens(trace, 0)


def test_a_range_and_a_head():
    trace = traces.larnn()

    (ax,) = maps(plot_heatmap(trace, sequence=1, head=2, tokens=(5, 17)))

    expected = trace.tree["l0"]["attention"].values[1, 5:17, 2].T
    assert_allclose(ax.images[0].get_array(), expected, rtol=0)
    assert words(ax) == tokens(trace, 1)[5:17]
    assert [label.get_text() for label in ax.get_yticklabels()] == list("1234567")


def test_the_nearest_lag_is_lowest_and_cells_stand_at_their_labels():
    (ax,) = maps(plot_heatmap(traces.rra()))

    assert ax.images[0].origin == "lower"
    assert ax.images[0].get_extent() == [-0.5, 36.5, -0.5, 9.5]
    assert ax.get_ylim() == (-0.5, 9.5)
    assert (ax.get_yticks()[0], ax.get_yticklabels()[0].get_text()) == (0, "2")
    assert [text.get_position() for text in words_under(ax)] == [(at, 0) for at in range(37)]


def test_panels_share_one_scale_from_zero_to_the_highest_of_full_windows():
    trace = traces.larnn()

    figure = plot_heatmap(trace)

    norms = {(ax.images[0].norm.vmin, ax.images[0].norm.vmax) for ax in maps(figure)}
    attention = trace.tree["l0"]["attention"].values[0].astype(float)
    window = int(trace.tree["l0"]["lag"].values[-1])
    highest = np.nanmax(attention[window:])
    assert norms == {(0.0, highest)}
    assert highest < np.nanmax(attention)
    notes = [text.get_text() for text in figure.texts]
    assert any(f"stands for {highest:.2g} and more: up to 1 at" in note for note in notes)


def test_a_sequence_without_a_full_window_is_scaled_to_what_there_is():
    trace = traces.larnn()

    figure = plot_heatmap(trace, tokens=(0, 2))

    (highest,) = {ax.images[0].norm.vmax for ax in maps(figure)}
    assert highest == np.nanmax(trace.tree["l0"]["attention"].values[0, :2].astype(float))


def test_negative_weights_get_a_scale_with_zero_in_the_middle():
    (ax,) = maps(plot_heatmap(traces.rra()))

    norm = ax.images[0].norm
    assert norm.vmin == -norm.vmax
    assert to_hex(ax.images[0].get_cmap()(norm(0.0))) == "#f6f7f7"


def test_limits_are_kept():
    (ax, *_) = maps(plot_heatmap(traces.larnn(), limits=(0.0, 0.25)))

    assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (0.0, 0.25)
    notes = [text.get_text() for text in ax.figure.texts]
    assert any("The darkest colour stands for 0.25 and more: up to 1" in note for note in notes)


@pytest.mark.parametrize(("first", "clipped"), [(0.52, False), (0.7, True)])
def test_values_hardly_beyond_the_rest_are_not_cut_off(first, clipped):
    weights = np.full((1, 20, 1, 8), 0.5)
    weights[0, 1, 0] = first

    (ax,) = maps(figure := plot_heatmap(traces.small(weights, range(1, 9))))

    notes = [text.get_text() for text in figure.texts]
    assert any("darkest" in note for note in notes) == clipped
    assert ax.images[0].norm.vmax == pytest.approx(0.5 if clipped else first, rel=1e-6)


@pytest.mark.parametrize("tokens", [None, (3, 20)])
def test_initial_and_missing_steps_are_hatched_and_missing_ones_hide_their_weight(tokens):
    trace = traces.rra()
    figure = plot_heatmap(trace, tokens=tokens)
    (ax,) = maps(figure)

    drawn = np.zeros((10, len(words(ax))), int)
    codes = {"xxxxxx": 1, "//////": 2}
    for patch in ax.patches:
        assert isinstance(patch, Rectangle)
        left, row = round(patch.get_x() + 0.5), round(patch.get_y() + 0.5)
        drawn[row, left : left + round(patch.get_width())] = codes[patch.get_hatch()]
        # What holds nothing hides its weight's colour, the initial state does not.
        assert patch.get_alpha() is None
        assert patch.get_facecolor()[3] == (patch.get_hatch() == "//////")
    first, last = tokens or (0, 37)
    assert (drawn == source_kind(trace, "l0", 0).values[first:last].T).all()
    kernel = trace.tree["l0"]["lag_kernel"].values[0]
    assert_allclose(ax.images[0].get_array()[:, 0], kernel, rtol=1e-6)
    written = [text.get_text() for text in figure.texts]
    assert "missing: before the start" in written
    assert "initial state" in written


def test_what_the_figure_says():
    figure = plot_heatmap(traces.rra(), sequence=1, tokens=(2, 12))

    written = [text.get_text() for text in figure.texts]
    assert "Attention of RRA to its past states, by timestep and lag" in " ".join(written)
    said = " ".join(written)
    assert "rra-imdb · layer l0 · sequence 1 (test/pos/1_8.txt)" in said
    assert "timesteps 2–11 of 23 · true: pos · predicted: " in said
    assert "attention ŵ (weight)" in written
    assert "lag (timesteps back)" in written


def test_a_reverse_layer_looks_ahead():
    said = " ".join(text.get_text() for text in plot_heatmap(traces.rra(direction=-1)).texts)

    assert "timesteps ahead" in said
    assert "missing: after the end" in said and "start" not in said


@pytest.mark.parametrize("direction", [1, -1])
def test_low_rows_have_a_short_label_and_a_note_of_what_it_means(direction):
    weights = np.full((1, 30, 1, 2), 0.5)

    figure = plot_heatmap(traces.small(weights, [1, 2], direction=direction))

    written = [text.get_text() for text in figure.texts]
    meaning = "timesteps back" if direction > 0 else "timesteps ahead: this layer reads backwards"
    assert "lag" in written
    assert f"Lag: {meaning}." in written
    assert_nothing_is_cut_off(figure)


@pytest.mark.parametrize("window", range(1, 13))
def test_the_name_of_the_rows_stands_clear_of_the_timesteps(window):
    figure = plot_heatmap(traces.larnn(heads=1, window=window))
    figure.canvas.draw()

    (rows,) = [text for text in figure.texts if text.get_rotation() == 90]
    (name,) = [text for text in maps(figure)[0].texts if text.get_text() == "timestep"]
    assert rows.get_window_extent().y1 <= name.get_window_extent().y0


@pytest.mark.parametrize(
    "limits",
    [(-0.01, 0.01), (-0.025, 0.025), (-1.0, 1.0), (0.0, 0.02), (0.0, 0.25), (0.0, 12345.0)],
)
def test_the_numbers_of_the_colours_stand_apart_and_clear_of_their_name(limits):
    figure = plot_heatmap(traces.larnn(), head=0, limits=limits)
    figure.canvas.draw()

    (bar,) = [ax for ax in figure.axes if ax.get_label() == "colour bar"]
    boxes = [label.get_window_extent() for label in bar.get_xticklabels()]
    (name,) = [text for text in figure.texts if text.get_text().startswith("attention α")]
    assert boxes[0].x0 >= 0 and len(boxes) >= 2
    apart = 0.02 * figure.dpi
    for left, right in itertools.pairwise([*boxes, name.get_window_extent()]):
        assert left.x1 + apart <= right.x0


@pytest.mark.parametrize("length", [1, 2, 9, 15])
@pytest.mark.parametrize(
    "kind",
    ["heatmap", "contribution", "gate-attention", "feature-attention", "text", "lag-kernel"],
)
def test_short_texts_are_whole(kind, length):
    texts = [traces.review(length), traces.review(33)]
    makers = (traces.larnn, traces.rra, traces.gru, traces.rau)
    drawn = 0
    for trace in (maker(texts) for maker in makers):
        if kind in drawable_kinds(trace):
            figure = KINDS[kind].draw(trace, PlotOptions())
            assert_nothing_is_cut_off(figure)
            drawn += 1
    assert drawn


def test_weights_that_are_all_the_same_are_not_the_darkest():
    (ax,) = maps(plot_heatmap(traces.small(np.full((1, 30, 1, 8), 1 / 8), range(1, 9))))

    assert (ax.images[0].norm.vmin, ax.images[0].norm.vmax) == (0.0, 2 / 8)


def assert_nothing_is_cut_off(figure):
    """No text beyond the page, and none over another."""
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    # Matplotlib keeps labels of ticks that lie outside of their axis, and does not draw them.
    hidden = {
        label
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        for label in (tick.label1, tick.label2)
        if not ax.axison or tick not in axis._update_ticks()
    }
    boxes = {text: text.get_window_extent(renderer) for text in texts if text not in hidden}
    page = figure.bbox
    for text, box in boxes.items():
        inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 <= box.y1 <= page.y1
        assert inside, f"{text.get_text()!r} leaves the page"
    for (one, first), (other, second) in itertools.combinations(boxes.items(), 2):
        across = min(first.x1, second.x1) - max(first.x0, second.x0)
        down = min(first.y1, second.y1) - max(first.y0, second.y0)
        assert min(across, down) < 2, f"{one.get_text()!r} lies over {other.get_text()!r}"


def overlaps(boxes):
    ordered = sorted(boxes, key=lambda box: box.x0)
    return [(a, b) for a, b in itertools.pairwise(ordered) if b.x0 < a.x1 - 1e-6]


@pytest.mark.parametrize("head", [None, 1])
def test_a_review_of_400_words_is_legible_at_page_width(head):
    trace = traces.larnn([traces.review(400)], window=10)
    figure = plot_heatmap(trace, head=head)
    renderer = figure.canvas.get_renderer()

    assert figure.get_figwidth() <= 6.9
    spelled = [ax for ax in maps(figure) if words(ax)]
    assert len(spelled) == 7
    page = figure.bbox
    for ax in spelled:
        labels = words_under(ax)
        assert min(label.get_fontsize() for label in labels) >= 4.5
        boxes = [label.get_window_extent(renderer) for label in labels]
        assert overlaps(boxes) == []
        assert all(page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 for box in boxes)
        below = [other for other in figure.axes if other.bbox.y1 < ax.bbox.y0]
        highest = max((other.bbox.y1 for other in below), default=page.y0)
        assert min(box.y0 for box in boxes) > highest


def test_long_tokens_are_shortened():
    (ax,) = maps(plot_heatmap(traces.rra(["short antidisestablishmentarianism"], lags=[2, 3])))

    assert words(ax) == ["short", "antidisesta…"]


def test_long_sequences_get_an_overview_and_say_so():
    trace = traces.larnn([traces.review(1301)], heads=1)

    figure = plot_heatmap(trace)

    weights = trace.tree["l0"]["attention"].values[0, :, 0].astype(float)
    drawn = np.concatenate([ax.images[0].get_array() for ax in maps(figure)], axis=1)
    means = np.stack([weights[at : at + 3].mean(0) for at in range(0, 1301, 3)], axis=1)
    assert_allclose(drawn, means, rtol=1e-12)
    written = " ".join(text.get_text() for text in figure.texts)
    assert "overview" in written
    assert "the mean over 3 consecutive timesteps. Choose a range" in written
    whole = maps(plot_heatmap(trace, tokens=(600, 640)))
    assert words(whole[-1]) == [shorten(word, 12) for word in tokens(trace, 0)[600:640]]


def test_a_symbol_has_its_subscript_below_the_line():
    trace = traces.larnn()
    signals = {name: {"symbol": "‖α W_O V‖"} for name in ("contribution", "attention")}
    trace.tree["l0"].attrs["signals"] = json.dumps(signals)

    maps_of = plot_contribution(trace), plot_text(trace, score="contribution_received")
    for figure in maps_of:
        assert any("‖α Wₒ V‖" in text.get_text() for text in figure.texts)
    assert "‖α Wₒ V‖" in plot_lag_kernel(trace, ax=Figure().add_subplot()).get_ylabel()


def test_more_heads_than_fit_are_drawn_as_their_mean():
    trace = traces.larnn(heads=8)

    (ax,) = maps(plot_heatmap(trace, tokens=(10, 20)))

    expected = trace.tree["l0"]["attention"].values[0, 10:20].astype(float).mean(1).T
    assert_allclose(ax.images[0].get_array(), expected, rtol=1e-12)


def test_contributions():
    trace = traces.rra()

    figure = plot_contribution(trace)

    (ax,) = maps(figure)
    expected = trace.tree["l0"]["contribution"].values[0, :, 0].T
    assert_allclose(ax.images[0].get_array(), expected, rtol=0)
    assert "contribution ‖weight · value‖ (norm)" in [text.get_text() for text in figure.texts]


def test_the_numbers_say_what_stands_at_a_lag():
    values = lag_numbers(traces.rra(), "attention", PlotOptions(tokens=(2, 4))).values

    assert values["timestep"].values.tolist() == [2, 3]
    assert values["token"].values.tolist() == ["into", "this"]
    assert values["holds"].values[0, :3].tolist() == ["real", "initial", "missing"]


def test_without_text_the_timesteps_are_numbered():
    trace = traces.small(np.full((1, 90, 1, 2), 0.5), [1, 2])

    (ax,) = maps(plot_heatmap(trace))

    assert words(ax) == []
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        "0",
        "10",
        "20",
        "30",
        "40",
        "50",
        "60",
        "70",
        "80",
    ]
    assert ax.get_xlabel() == "timestep"


@pytest.mark.parametrize("length", [1, 2])
def test_the_shortest_sequences(length):
    (ax,) = maps(plot_heatmap(traces.rra([traces.review(length)])))

    assert ax.images[0].get_array().shape == (10, length)


@pytest.mark.parametrize("range_", [(5, 5), (-1, 3), (30, 38)])
def test_ranges_that_do_not_fit_are_refused(range_):
    with pytest.raises(ValueError, match="which has 37 timesteps"):
        plot_heatmap(traces.rra(), tokens=range_)


def test_options_that_nothing_can_be_drawn_with_are_refused():
    with pytest.raises(ValueError, match="at least 1 timestep, but wrap is 0"):
        plot_heatmap(traces.rra(), wrap=0)
    with pytest.raises(ValueError, match=r"limits is \(1.0, 0.0\). Give the smaller number first"):
        plot_heatmap(traces.rra(), limits=(1.0, 0.0))
    with pytest.raises(ValueError, match=r"logarithmic: its limits lie above 0.*\(0.0, 2.0\)"):
        plot_feature_attention(traces.rau(), limits=(0.0, 2.0))


def test_refusals_name_a_plot_that_works():
    with pytest.raises(KeyError, match=r"needs 'attention'.* RAU .*--kind feature-attention"):
        plot_heatmap(traces.rau())
    with pytest.raises(KeyError, match="has no layer 'l7'"):
        plot_heatmap(traces.rra(), group="l7")
    with pytest.raises(IndexError, match="no head 5"):
        plot_heatmap(traces.larnn(), head=5)
    with pytest.raises(IndexError, match="no sequence 9"):
        plot_heatmap(traces.larnn(), sequence=9)


def test_vector_files_hold_only_the_maps_as_images(tmp_path):
    trace = traces.larnn([traces.review(400)], window=10)
    figure = plot_heatmap(trace)

    path = save_figure(figure, tmp_path / "a.pdf", provenance={})

    data = path.read_bytes()
    assert len(data) < 200_000
    images = re.findall(rb"/Subtype /Image(.*?)>>", data, re.S)
    width = [int(re.search(rb"/Width (\d+)", image)[1]) for image in images]
    height = [int(re.search(rb"/Height (\d+)", image)[1]) for image in images]
    assert len(images) == 22  # seven rows of three heads, and the colour bar
    # At 300 dots an inch the page is 2070 wide: a map is never higher than its strip.
    assert max(width) < 2000
    assert max(height) < 150
    assert data.count(b"/Subtype /Type0") + data.count(b"/Subtype /TrueType") >= 1
