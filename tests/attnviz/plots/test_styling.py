import matplotlib
import pytest

from attnviz.plots import plot_heatmap, style
from attnviz.plots.figures import new_figure
from tests.attnviz import traces


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
