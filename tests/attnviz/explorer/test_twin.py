from dataclasses import replace

import numpy as np
import pytest

import attnviz
from attnviz.explorer.panels import Edited
from attnviz.explorer.twin import explorer_figure
from attnviz.plots.wrapped import words_under
from attnviz.trace import SOURCE_INITIAL, SOURCE_MISSING
from tests.attnviz.explorer.subjects import extra, lens, panel, score, spans_of


def strips_of(figure):
    """What is drawn in each row of strips, from top to bottom: arrays `(row, time)`."""
    drawn = []
    for ax in figure.axes:
        if ax.get_label() in ("colour bar", "key"):
            continue
        if ax.images:
            drawn.append(np.ma.filled(ax.images[0].get_array().astype(float), np.nan))
        else:
            drawn.append(np.stack([line.get_ydata() for line in ax.lines]))
    return drawn


def words_of(figure):
    return " ".join(text.get_text() for text in figure.texts)


def bands_by_hand(shown, values, lags, timestep):
    """What a word read, and who read it, cell by cell."""
    read, by = np.zeros(shown.length), np.zeros(shown.length)
    for column, lag in enumerate(lags):
        source, reader = timestep - shown.direction * lag, timestep + shown.direction * lag
        if 0 <= source < shown.length:
            read[source] = values[timestep, column]
        if 0 <= reader < shown.length:
            by[reader] = values[reader, column]
    read[timestep] = by[timestep] = np.nan
    return read[None], by[None]


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("head", [-1, 0, 2])
def test_what_is_drawn_are_the_numbers_of_the_panel(direction, head):
    shown = panel(time=13, heads=3, lags=(1, 2, 5), direction=direction)
    values = shown.lenses[0].values
    chosen = values.astype(float).mean(axis=0).astype(np.float32) if head < 0 else values[head]

    figure = explorer_figure([shown], lens="attention", head=head, timestep=6)

    read, by, mapped, line = strips_of(figure)
    expected = bands_by_hand(shown, chosen, (1, 2, 5), 6)
    np.testing.assert_array_equal(read, expected[0])
    np.testing.assert_array_equal(by, expected[1])
    np.testing.assert_array_equal(mapped, chosen.T)
    np.testing.assert_array_equal(line[0], shown.tracks[0].series[0].values)
    assert np.count_nonzero(np.nan_to_num(read)) == np.count_nonzero(np.nan_to_num(by)) == 3
    said = "mean" if head < 0 else f"head {head}"
    assert f"hand: the attention, {said}, predicted: positive (0.75) · true: positive" in words_of(
        figure
    )
    assert "What Hand read at “w6” (timestep 6), and who read it" in words_of(figure)


def test_hatches_stand_where_no_state_is():
    shown = panel(time=9, lags=(1, 3), direction=-1, history=1)
    figure = explorer_figure([shown], lens="attention")
    (ax,) = [ax for ax in figure.axes if ax.get_label().startswith("lag")]
    found = {
        (patch.get_hatch()[0], patch.get_x(), patch.get_width(), patch.get_y())
        for patch in ax.patches
    }

    marks = {SOURCE_INITIAL: "x", SOURCE_MISSING: "/"}
    # Reading from the end, with one step carried in: lag 1 always has a state, lag 3 at the first
    # step (the last word) has none, and at the second the initial state.
    assert found == {(marks[SOURCE_MISSING], 7.5, 1.0, 0.5), (marks[SOURCE_INITIAL], 6.5, 1.0, 0.5)}


def test_only_the_window_is_drawn():
    shown = panel(time=30, lags=(1, 2, 4))
    whole = strips_of(explorer_figure([shown], lens="attention", timestep=12))
    part = explorer_figure([shown], lens="attention", timestep=12, window=(9, 16))

    for one, other in zip(strips_of(part), whole, strict=True):
        np.testing.assert_array_equal(one, other[:, 9:16])
    last = part.axes[-1]
    assert [text.get_text() for text in words_under(last)] == [f"w{n}" for n in range(9, 16)]
    beyond = strips_of(explorer_figure([shown], lens="attention", timestep=12, window=(25, 99)))
    np.testing.assert_array_equal(beyond[2], whole[2][:, 25:])


@pytest.mark.parametrize("window", [(30, 40), (5, 5), (9, 4)])
def test_a_window_without_a_word_is_refused(window):
    with pytest.raises(ValueError, match="hand has 30 timesteps; none lies in"):
        explorer_figure([panel(time=30)], lens="attention", window=window)


def test_edited_numbers_are_drawn_and_said():
    draw = np.random.default_rng(5)
    changed = lens(draw.random((2, 11, 3)), [1, 2, 4])
    edited = Edited("lag 4 off", [0.5, 0.5], [changed], [score(draw.random(11))], [0.25, 0.75])
    shown = panel(edited=edited)
    figure = explorer_figure([shown], lens="attention", head=1, timestep=8)
    read, by, mapped, lines = strips_of(figure)

    np.testing.assert_array_equal(mapped, changed.values[1].T)
    expected = bands_by_hand(shown, changed.values[1], (1, 2, 4), 8)
    np.testing.assert_array_equal(read, expected[0])
    np.testing.assert_array_equal(by, expected[1])
    for line, held in zip(lines, (shown, edited), strict=True):
        np.testing.assert_array_equal(line, held.tracks[0].series[0].values)
    assert "lag 4 off" in words_of(figure) and "edited" in words_of(figure)


def test_cells_stand_below_one_another_each_with_its_lens():
    draw = np.random.default_rng(6)
    ages = lens(
        draw.random((1, 11, 6)), range(6), "gate_attention", axis="age",
        extras=[extra("left", np.full(11, 0.5))],
    )  # fmt: skip
    other = panel(key="other", cell="Gated", lenses=[ages], tracks=[])
    figure = explorer_figure([panel(), other], lens="attention", head=1, timestep=7)
    read, _, mapped, _, read_too, by_too, mapped_too = strips_of(figure)

    np.testing.assert_array_equal(mapped, panel().lenses[0].values[1].T)
    np.testing.assert_array_equal(mapped_too, ages.values[0].T)
    np.testing.assert_array_equal(read_too[0, 2:7], ages.values[0, 7, 1:6][::-1])
    assert (read_too[0, [0, 1, 8, 9, 10]] == 0).all() and np.isnan(read_too[0, 7])
    np.testing.assert_array_equal(
        by_too[0, 8:], [ages.values[0, 7 + age, age] for age in (1, 2, 3)]
    )
    assert read[0, 3] > 0
    said = words_of(figure)
    assert "What Hand and Gated read at “w7”" in said
    assert "Cells with another lens have colours of their own" in said
    assert "other: the gate_attention, predicted" in said


def test_cells_with_the_same_lens_share_their_colours():
    one, other = panel(), panel(seed=1, key="other")
    other.lenses[0].values[:] *= 3
    figure = explorer_figure([one, other], lens="attention", head=0)

    limits = {ax.images[0].get_clim() for ax in figure.axes if ax.images and "," in ax.get_label()}
    largest = max(shown.lenses[0].values[0, 4:].max() for shown in (one, other))
    assert limits == {(0.0, float(largest))}


def test_cells_that_read_other_words_share_no_figure():
    cut = panel(time=6, key="cut", spans=spans_of([f"w{n}" for n in range(11)])[5:])
    with pytest.raises(ValueError, match="hand and cut read other parts of the text"):
        explorer_figure([panel(), cut], lens="attention")


def test_features_are_a_map_of_the_strongest_of_each_kind():
    values = 2 * np.random.default_rng(7).random((1, 11, 11))
    kinds = ["input"] * 3 + ["hidden"] * 8
    features = lens(values, range(11), "feature_attention", axis="feature", kinds=kinds)
    figure = explorer_figure([panel(lenses=[features])], lens="feature_attention", timestep=4)
    inputs, hidden, line = strips_of(figure)

    means = values[0].mean(axis=0)
    order = sorted(range(3), key=lambda n: means[n])
    np.testing.assert_allclose(inputs, values[0][:, order].T, rtol=1e-6)
    ranked = sorted(range(3, 11), key=lambda n: -means[n])
    rest = values[0][:, ranked[5:]].mean(axis=1)
    np.testing.assert_allclose(hidden[0], rest, rtol=1e-6)
    np.testing.assert_allclose(hidden[1:], values[0][:, ranked[:5][::-1]].T, rtol=1e-6)
    assert line.shape == (1, 11)
    axes = next(ax for ax in figure.axes if ax.get_label().startswith("hidden"))
    said = [tick.get_text() for tick in axes.get_yticklabels()]
    assert said == ["others", *(str(n - 3) for n in ranked[:5][::-1])]


def test_what_has_no_row_to_draw_is_refused():
    many = lens(np.random.default_rng(7).random((1, 11, 41)), range(41), "f")
    with pytest.raises(ValueError, match="hand through the f has too many sources"):
        explorer_figure([panel(lenses=[many], tracks=[])], lens="f")


def test_what_was_not_measured_is_not_drawn_as_zero():
    values = np.full((1, 2, 8), np.nan)
    values[0, 0, :4], values[0, 1] = [0.1, 0.2, 0.3, 0.4], np.arange(1, 9) / 10
    shown = panel(lenses=[lens(values, range(8), "influence", at=[3, 7])])

    read, by, _ = strips_of(explorer_figure([shown], lens="influence", timestep=3))
    np.testing.assert_allclose(read[0, :3], [0.4, 0.3, 0.2], rtol=1e-6)
    assert np.isnan(read[0, 3]) and (read[0, 4:] == 0).all()
    assert by[0, 7] == np.float32(0.5)
    assert np.isnan(by[0, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]]).all()
    figure = explorer_figure([shown], lens="influence", timestep=5)
    read, by, _ = strips_of(figure)
    assert np.isnan(read).all()
    np.testing.assert_allclose(by[0, 7], 0.3, rtol=1e-6)
    assert "and what was not measured" in words_of(figure)


def test_long_texts_are_wrapped_and_nothing_is_lost(tmp_path):
    shown = panel(time=150, lags=(1, 2))
    figure = explorer_figure([shown], lens="attention", timestep=70, provenance={"explorer": "x"})
    drawn = strips_of(figure)
    rows = len(drawn) // 4

    assert len(drawn) == 4 * rows and rows > 2
    held = shown.lenses[0].head(-1).T
    np.testing.assert_array_equal(np.concatenate(drawn[2::4], axis=1), held)
    line = shown.tracks[0].series[0].values
    np.testing.assert_array_equal(np.concatenate(drawn[3::4], axis=1)[0], line)
    assert attnviz.save_figure(figure, tmp_path / "e.pdf").stat().st_size > 5000


def test_a_figure_of_an_edit_tells_the_prediction_before_and_after():
    shown = panel(time=9)
    before, after = score(np.full(9, 0.5)), score(np.full(9, 0.25))
    edited = Edited(
        "lag 1 off", [0.75, 0.25], shown.lenses, [after], [0.4, 0.6], shown.lenses, [before]
    )
    figure = explorer_figure([replace(shown, edited=edited)], lens="attention", timestep=4)
    assert "lag 1 off, predicted: positive (0.60 → 0.25)" in words_of(figure)
    lines = strips_of(figure)[-1]
    np.testing.assert_array_equal(lines, [[0.5] * 9, [0.25] * 9])


def test_a_backward_layer_is_scaled_to_its_whole_windows_too():
    values = np.full((1, 9, 2), 0.25)
    values[0, -2:, 0] = 8.0  # the first that a backward layer reads
    shown = panel(time=9, lenses=[lens(values, [1, 2])], direction=-1)
    figure = explorer_figure([shown], lens="attention", timestep=4)
    bars = [ax for ax in figure.axes if ax.get_label() == "colour bar"]
    assert max(float(tick.get_text()) for tick in bars[0].get_xticklabels()) <= 0.25


@pytest.mark.parametrize(("first", "highest"), [(0.52, 0.52), (0.54, 0.5)])
def test_values_hardly_beyond_those_of_whole_windows_are_not_cut_off(first, highest):
    values = np.full((1, 9, 2), 0.5)
    values[0, 1, 0] = first
    shown = panel(time=9, lenses=[lens(values, [1, 2])])
    figure = explorer_figure([shown], lens="attention", timestep=4)
    images = [ax.images[0] for ax in figure.axes if ax.images and ax.get_label() != "colour bar"]
    expected = pytest.approx([highest] * 3, rel=1e-6)  # two bands and the map
    assert [image.norm.vmax for image in images] == expected
