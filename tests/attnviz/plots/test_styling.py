import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from attnviz.plots import (
    Lettering,
    figure_width,
    plot_feature_attention,
    plot_heatmap,
    plot_lag_kernel,
    plot_path_classes,
    plot_text,
    style,
)
from attnviz.plots.figures import figure_of, new_figure
from attnviz.plots.styling import house_style
from attnviz.plots.wrapped import words_under
from tests.attnviz import traces
from tests.attnviz.path_data import paths

CLASSES = 0.7 ** np.arange(30.0)[None, :, None] * np.ones((3, 1, 2))
DRAWN = {
    "heatmap": lambda: plot_heatmap(traces.larnn(), wrap=200),
    "features": lambda: plot_feature_attention(traces.rau(), wrap=200),
    "text": lambda: plot_text(traces.rra()),
    "kernel": lambda: plot_lag_kernel(traces.larnn()).figure,
    "classes": lambda: plot_path_classes(paths(CLASSES)).figure,
}


def sizes(figure):
    figure.draw_without_rendering()
    return [t.get_fontsize() for t in figure.findobj(Text) if t.get_text() and t.get_visible()]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_the_style_is_left_again():
    before = dict(matplotlib.rcParams)

    with style("paper"):
        assert matplotlib.rcParams["pdf.fonttype"] == 42
        assert matplotlib.rcParams["font.size"] == 7
    assert dict(matplotlib.rcParams) == before
    with pytest.raises(RuntimeError), style("paper"):
        raise RuntimeError
    assert dict(matplotlib.rcParams) == before


def test_unknown_styles_are_refused():
    with (
        pytest.raises(ValueError, match=r"no style 'poster'; choose one of \['paper', 'slides'"),
        style("poster"),
    ):
        pass


def test_a_figure_shows_itself_once():
    figure = plot_heatmap(traces.rra())

    assert figure._repr_png_().startswith(b"\x89PNG")
    assert figure.canvas.manager is None  # pyplot does not know of it, and shows it no second time


def test_the_global_settings_do_not_move_the_layout():
    expected = plot_heatmap(traces.rra()).get_size_inches().tolist()

    with matplotlib.rc_context({"font.size": 20, "figure.figsize": (3, 3)}):
        assert plot_heatmap(traces.rra()).get_size_inches().tolist() == expected
        assert new_figure(2.0, 1.0).get_size_inches().tolist() == [2, 1]


@pytest.mark.parametrize("plot", DRAWN)
@pytest.mark.parametrize(
    ("name", "width", "inches", "least"),
    [
        ("paper", "column", 85 / 25.4, 6.0),
        ("paper", 120, 120 / 25.4, 6.0),
        ("slides", "page", 300 / 25.4, 15.0),
        ("notebook", None, 240 / 25.4, 8.4),
    ],
)
def test_figures_fit_their_width_with_type_that_can_be_read(plot, name, width, inches, least):
    with style(name, width=width):
        figure = DRAWN[plot]()
        found = sizes(figure)

    if width is None:
        assert figure.get_figwidth() <= inches + 1e-9
    else:
        assert figure.get_figwidth() == pytest.approx(inches)
    assert min(found) >= least - 1e-9


def test_a_larger_style_enlarges_the_whole_layout():
    def boxes(name, width):
        with style(name, width=width):
            figure = plot_heatmap(traces.larnn(), sequence=1)
        places = [[*ax.get_position().bounds] for ax in figure.axes]
        words = [t.get_text() for t in words_under(figure.axes[-2])]
        return figure.get_size_inches(), places, words

    paper, slides = boxes("paper", 120), boxes("slides", 300)
    np.testing.assert_allclose(slides[0], 2.5 * paper[0])
    np.testing.assert_allclose(slides[1], paper[1])
    assert slides[2] == paper[2]


def test_a_sheet_of_ones_own_goes_over_the_papers(tmp_path):
    sheet = tmp_path / "thesis.mplstyle"
    sheet.write_text("font.size: 14\nfont.sans-serif: DejaVu Serif\naxes.titlesize: 13\n")

    with style(sheet, width="column"):
        assert matplotlib.rcParams["xtick.labelsize"] == 12  # as far beyond the paper's 6
        assert matplotlib.rcParams["axes.titlesize"] == 13
        assert matplotlib.rcParams["pdf.fonttype"] == 42
        figure = plot_heatmap(traces.larnn(), sequence=1)
        ax = plot_lag_kernel(traces.larnn())
        assert {label.get_fontname() for label in ax.get_xticklabels()} == {"DejaVu Serif"}
    assert figure.get_figwidth() == pytest.approx(85 / 25.4)
    assert min(sizes(figure)) == 12
    assert {text.get_fontfamily()[0] for text in figure.texts} >= {"DejaVu Serif"}

    with (
        pytest.raises(FileNotFoundError, match=r"no file .*none\.mplstyle"),
        style("none.mplstyle"),
    ):
        pass


def test_blocks_stand_inside_one_another():
    with style("slides", width="column"):
        with style("paper"):
            assert matplotlib.rcParams["font.size"] == 7
            assert figure_width("column") == pytest.approx(85 / 25.4)
        assert matplotlib.rcParams["font.size"] == 17.5
        assert figure_width("column") == pytest.approx(200 / 25.4)
        with house_style():  # what plots do by themselves keeps the style in force
            assert matplotlib.rcParams["font.size"] == 17.5
    with house_style():
        assert matplotlib.rcParams["font.size"] == 7


def test_a_figure_keeps_its_style_when_it_is_shown_elsewhere():
    with style("slides"):
        ax = plot_lag_kernel(traces.rra())

    ax.figure.draw_without_rendering()

    assert {label.get_fontsize() for label in ax.get_xticklabels()} == {15.0}


def test_widths():
    assert figure_width("column") == pytest.approx(85 / 25.4)
    assert figure_width("page") == pytest.approx(175 / 25.4)
    assert figure_width(100) == pytest.approx(100 / 25.4)
    with style("notebook"):
        assert figure_width("page") == pytest.approx(240 / 25.4)
    with pytest.raises(ValueError, match=r"between 20 and 2000 mm wide, but width is 3\.35"):
        figure_width(3.35)
    with pytest.raises(ValueError, match="millimetres"), style("paper", width=float("nan")):
        pass
    with pytest.raises(ValueError, match="or a number of millimetres, not 'half'"):
        figure_width("half")
    before = dict(matplotlib.rcParams)
    with pytest.raises(ValueError, match="width is 1"), style("slides", width=1):
        pass
    assert dict(matplotlib.rcParams) == before
    with house_style():
        assert matplotlib.rcParams["font.size"] == 7


@pytest.mark.parametrize("plot", [plot_heatmap, plot_lag_kernel])
def test_a_title_of_ones_own_may_hold_mathematics(plot, tmp_path):
    def title(words):
        with style("paper", lettering=Lettering(title=words)):
            figure = figure_of(plot(traces.rra()))
        figure.draw_without_rendering()
        return next(text for text in figure.findobj(Text) if text.get_text() == words)

    assert title("the kernel $w_k$").get_parse_math()
    assert not title("it costs $5").get_parse_math()
