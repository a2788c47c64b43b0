import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from attnviz.analysis import age_kernel, lag_kernel
from attnviz.plots import COLUMN, plot_lag_kernel
from tests.attnviz import traces


def curves(ax):
    return [line for line in ax.lines if line.get_gid() in ("kernel", "gate kernel")]


@pytest.fixture
def ax():
    return Figure().add_subplot()


def test_a_static_kernel(ax):
    trace = traces.rra()

    assert plot_lag_kernel(trace, ax=ax) is ax

    (line,) = curves(ax)
    assert line.get_xdata().tolist() == list(range(2, 12))
    assert_allclose(line.get_ydata(), trace.tree["l0"]["lag_kernel"].values[0], rtol=0)
    assert ax.get_title(loc="left") == "Attention of RRA by lag"
    assert ax.get_xlabel() == "lag (timesteps back)"
    assert ax.get_ylabel() == "attention ŵ (weight)"
    assert ax.get_ylim()[0] < 0 < ax.get_ylim()[1]


def test_a_mean_for_each_head_with_its_spread(ax):
    trace = traces.larnn()
    statistic = lag_kernel(trace)

    plot_lag_kernel(trace, ax=ax)

    assert [line.get_label() for line in curves(ax)] == [
        "larnn-imdb, head 0 (n = 2)", "larnn-imdb, head 1 (n = 2)", "larnn-imdb, head 2 (n = 2)",
    ]  # fmt: skip
    for head, (line, band) in enumerate(zip(curves(ax), ax.collections, strict=True)):
        mean, spread = statistic.values.values[head], statistic.uncertainty.values[head]
        assert_allclose(line.get_ydata(), mean, rtol=0)
        assert_allclose(band.get_paths()[0].get_extents().y1, (mean + spread).max())
    assert ax.get_ylabel() == "attention α (weight, mean ± sd)"


def test_gated_cells_are_drawn_by_age(ax):
    trace = traces.gru()

    plot_lag_kernel(trace, ax=ax, logarithmic=True)

    (line,) = curves(ax)
    assert line.get_label() == "gru-imdb (n = 2)"
    assert_allclose(line.get_ydata(), age_kernel(trace).values.values, rtol=0)
    assert ax.get_xlabel() == "age (timesteps since written, 0 = now)"
    assert ax.get_yscale() == "log"


def test_several_traces_in_one_axes(ax):
    plot_lag_kernel(traces.larnn(), head=1, ax=ax)
    plot_lag_kernel(traces.rra(), ax=ax)
    plot_lag_kernel(traces.gru(), ax=ax)

    said = [
        "larnn-imdb, head 1 (n = 2): attention", "rra-imdb: attention",
        "gru-imdb (n = 2): gate attention",
    ]  # fmt: skip
    assert [line.get_label() for line in curves(ax)] == said
    assert [text.get_text() for text in ax.get_legend().get_texts()] == said
    assert len({line.get_color() for line in curves(ax)}) == 3
    assert ax.get_xlabel() == "lag or age (timesteps back)"
    assert ax.get_title(loc="left") == "Attention by lag"


def test_a_reverse_layer_looks_ahead(ax):
    plot_lag_kernel(traces.rra(direction=-1), ax=ax)
    assert ax.get_xlabel() == "lag (timesteps ahead)"

    plot_lag_kernel(traces.gru(), ax=ax)
    assert ax.get_xlabel() == "lag or age (timesteps ahead)"

    plot_lag_kernel(traces.larnn(), head=1, ax=ax)
    assert ax.get_xlabel() == "lag or age (timesteps back or ahead)"


def test_of_several_layers_the_label_names_the_one_drawn(ax):
    trace = traces.rra()
    trace.tree["l0_reverse"] = traces.rra(direction=-1).tree["l0_reverse"]

    plot_lag_kernel(trace, ax=ax)
    plot_lag_kernel(trace, group="l0_reverse", ax=ax)

    assert [line.get_label() for line in curves(ax)] == ["rra-imdb, l0", "rra-imdb, l0_reverse"]
    assert ax.get_xlabel() == "lag (timesteps back or ahead)"


def test_names_from_the_data_are_not_mathematics(ax):
    trace = traces.rra()
    trace.tree.attrs["model"] = "$\\foo$"

    plot_lag_kernel(trace, ax=ax)

    ax.figure.canvas.draw()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["$\\foo$"]


def test_without_axes_pyplot_makes_them():
    ax = plot_lag_kernel(traces.rra())

    assert plt.fignum_exists(ax.figure.number)
    plt.close(ax.figure)


@pytest.mark.parametrize("tilt", [1e-7, 0.02, 0.3, 2.0])
def test_logarithmic_ticks_differ_and_are_few(tilt):
    weights = np.exp(-tilt * np.arange(6))
    weights = np.broadcast_to(weights / weights.sum(), (2, 30, 1, 6))

    ax = plot_lag_kernel(traces.small(weights, range(1, 7)), logarithmic=True)

    ax.figure.canvas.draw()
    low, high = ax.get_ylim()
    labels = [
        label.get_text()
        for label, place in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True)
        if low <= place <= high
    ]
    assert 2 <= len(labels) <= 14
    assert len(set(labels)) == len(labels)
    plt.close(ax.figure)


def test_a_figure_of_its_own_has_the_house_style():
    before = plt.rcParams["font.size"]

    ax = plot_lag_kernel(traces.rra())

    assert not ax.spines["top"].get_visible()
    assert ax.figure.get_figwidth() == COLUMN
    assert plt.rcParams["font.size"] == before
    plt.close(ax.figure)


def test_refusals(ax):
    with pytest.raises(ValueError, match=r"logarithmic axis.*-0.3281"):
        plot_lag_kernel(traces.rra(), ax=ax, logarithmic=True)
    with pytest.raises(KeyError, match="feature-attention"):
        plot_lag_kernel(traces.rau(), ax=ax)
    with pytest.raises(IndexError, match="no head 4"):
        plot_lag_kernel(traces.larnn(), ax=ax, head=4)
    assert not np.any(curves(ax))
