import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from attnviz.plots.axes import (
    axes_to_draw_on,
    columns_for,
    draw_band,
    legend_beside,
    letter_legend,
    write_title,
)
from attnviz.plots.captions import counted, signed
from attnviz.plots.styling import style

LONG = "what a reader must know of these numbers " * 4


@pytest.mark.parametrize("width", [3.0, 4.5, 7.0])
@pytest.mark.parametrize("columns", [1, 2])
def test_title_and_note_stay_inside_the_figure_and_clear_of_one_another(width, columns):
    with style("paper"):
        figure = Figure(figsize=(width * columns, 2.5), layout="constrained")
        axes = figure.subplots(1, columns, squeeze=False)[0]
        for ax in axes:
            write_title(ax, LONG.title(), LONG.strip())
        figure.draw_without_rendering()

    for ax in axes:
        (note,) = ax.texts
        below, above = note.get_window_extent(), ax.title.axes._left_title.get_window_extent()
        assert note.get_text().replace("\n", " ") == LONG.strip()
        assert ax.get_window_extent().y1 < below.y0 < below.y1 <= above.y0
        assert above.y1 <= figure.bbox.y1
        assert max(below.x1, above.x1) <= figure.bbox.x1 + 0.05 * figure.bbox.width
    if columns == 2:
        assert axes[0].texts[0].get_window_extent().x1 < axes[1].get_window_extent().x0


def test_words_from_the_data_are_no_mathematics():
    ax = Figure().add_subplot()
    ax.plot([1, 2], label="$\\one$")
    ax.plot([2, 1], label="two\nρ = $3$")

    write_title(ax, "$\\title$", "$\\note$ 日本")
    legend_beside(ax)
    ax.figure.draw_without_rendering()

    assert ax.get_title(loc="left") == "$\\title$"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "$\\one$", "two\nρ = $3$",
    ]  # fmt: skip
    letter_legend(legend := ax.legend([ax.lines[0]], ["\x00"]))
    assert legend.get_texts()[0].get_text() == "□"


def test_a_legend_stands_beside_wide_axes_and_below_narrow_ones():
    for width in (7.0, 3.35):
        figure = Figure(figsize=(width, 2.5), layout="constrained")
        ax = figure.add_subplot(xlabel="distance (timesteps)")
        lines = [ax.plot([0, n], label=f"_model {n}")[0] for n in range(5)]
        legend_beside(ax, lines, [f"model {n}" for n in range(5)])
        figure.draw_without_rendering()
        box, area = ax.get_legend().get_window_extent(), ax.get_window_extent()
        assert [text.get_text() for text in ax.get_legend().get_texts()][4] == "model 4"
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0
        if width > 4:
            assert box.x0 > area.x1
        else:
            assert box.y1 < ax.xaxis.label.get_window_extent().y0
            assert ax.get_legend()._ncols > 1


def test_columns_of_a_legend_are_as_wide_as_their_own_words():
    words = ["all", "gates", "memory", "gates+memory+shortcut"]
    figure = Figure(figsize=(3.35, 3.0))
    ax = figure.add_subplot()
    lines = [ax.plot([0, 1])[0] for _ in words]

    def width(columns):
        legend = ax.legend(lines, words, ncols=columns, loc="upper left", borderaxespad=0.0)
        figure.draw_without_rendering()
        return legend.get_window_extent().width / figure.dpi

    for columns in (2, 4):
        assert columns_for(words, width(columns) * 1.05) == columns
        assert columns_for(words, width(columns) * 0.9) < columns
    assert columns_for(words, width(3) * 1.05) == 2  # in as few lines as in three
    assert columns_for(words, 0.1) == columns_for([], 9.0) == 1


def test_a_band_is_its_interval():
    ax = Figure().add_subplot()
    ends = np.array([[0.0, 1.0], [1.0, 4.0], [2.0, 3.0]])
    interval = xr.DataArray(ends, {"end": ["low", "high"]}, ("distance", "end"))

    draw_band(ax, xr.DataArray([5, 6, 7], dims="distance"), interval, colour="C3")

    (band,) = ax.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices}
    assert corners == {(x, y) for x, pair in zip((5, 6, 7), ends, strict=True) for y in pair}


def test_axes_of_their_own_are_known_to_pyplot_and_keep_the_house_style():
    with axes_to_draw_on(None, 2.0, 1.5) as ax:
        ax.plot([1, 2])
    ax.figure.draw_without_rendering()

    assert plt.fignum_exists(ax.figure.number)
    assert ax.figure.get_size_inches().tolist() == [2.0, 1.5]
    # Ticks are made when the figure is drawn: in its own style, not in that of the day.
    assert {label.get_fontsize() for label in ax.get_xticklabels()} == {6.0}
    plt.close(ax.figure)
    own = Figure().add_subplot()
    with axes_to_draw_on(own, 2.0, 1.5) as ax:
        assert ax is own and plt.rcParams["font.size"] == 10.0


def test_counts_in_words():
    assert counted(1, "sequence") == "1 sequence"
    assert counted(0, "timestep") == "0 timesteps"
    assert counted([3, 3], "sequence") == "3 sequences"
    assert counted([8, 1, 2], "sequence") == "1–8 sequences"
    assert counted([1, 1], "sequence") == "1 sequence"


@pytest.mark.parametrize(
    ("value", "said"),
    [(-0.5664, "-0.566"), (0.0005001, "+0.001"), (-1.34e-5, "-1.3e-05"), (-0.0, "+0.000")],
)
def test_a_small_number_is_not_told_as_zero(value, said):
    assert signed(value, 3) == said
