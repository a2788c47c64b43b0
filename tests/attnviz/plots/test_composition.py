import io

import matplotlib.image
import numpy as np
import pytest
from matplotlib.text import Text

from attnviz.plots import (
    KINDS,
    Panel,
    PlotOptions,
    compose,
    plot_gradient_flow,
    plot_heatmap,
    plot_lag_kernel,
    plot_text,
    save_figure,
    style,
)
from attnviz.plots.curves import draw_ablation, draw_lag_kernels
from attnviz.plots.sizes import LABEL_SIZE
from tests.attnviz import traces
from tests.attnviz.analysis.test_flow import made as made_flow
from tests.attnviz.plots.test_ablation import made as made_effects
from tests.attnviz.plots.test_kinds import MAKERS


def heatmap(trace, **more):
    return lambda limits: plot_heatmap(trace, limits=limits, tokens=(0, 9), **more)


def kernel(trace):
    return lambda limits: draw_lag_kernels({"x": trace}, PlotOptions(limits=limits))


def effects(limits):
    return draw_ablation(made_effects(("lag",), (3, 4), "lag"), PlotOptions(limits=limits))


def stretch(first, last):
    return lambda limits: plot_heatmap(traces.larnn(), limits=limits, tokens=(first, last))


def data_boxes(figure):
    """Left, bottom, right and top of each panel's first Axes with data, in inches."""
    found = []
    for panel, corner in zip(figure.panels, figure.corners, strict=True):
        ax = next(a for a in panel.axes if a.axison and a.get_label() not in ("colour bar", "key"))
        box = ax.get_position()
        size = np.array(panel.get_size_inches())
        found.append(np.concatenate([box.p0 * size + corner, box.p1 * size + corner]))
    return np.array(found)


def test_panels_are_drawn_where_they_stand():
    with style("paper", width="page"):
        panels = [Panel(heatmap(traces.rra()), title=""), Panel(heatmap(traces.larnn(), head=1))]
        figure = compose(panels, columns=2, letters=False)
    assert figure.get_size_inches()[0] == pytest.approx(175 / 25.4)

    # At whole dots, so that letters are set alike wherever they stand.
    figure.set_size_inches(np.ceil(100 * figure.get_size_inches()) / 100)
    for panel in figure.panels:
        panel.set_size_inches(np.round(panel.get_size_inches(), 2))
    figure.corners = tuple((round(x, 2), round(y, 2)) for x, y in figure.corners)

    def pixels(one, dpi=100):
        buffer = io.BytesIO()
        one.savefig(buffer, format="png", dpi=dpi)
        buffer.seek(0)
        return matplotlib.image.imread(buffer)[..., :3]

    whole = np.pad(pixels(figure), ((9, 9), (9, 9), (0, 0)), constant_values=1.0)
    for panel, (left, bottom) in zip(figure.panels, figure.corners, strict=True):
        own = pixels(panel)
        x, y = 9 + round(left * 100), whole.shape[0] - 9 - round(bottom * 100) - own.shape[0]

        def alike(across, down, own=own, x=x, y=y):
            part = whole[y + down : y + down + own.shape[0], x + across : x + across + own.shape[1]]
            return (np.abs(part - own).max(axis=-1) < 0.02).mean()

        # Letters stand at whole dots and hatching goes by the whole figure: most dots are the same
        # at the place, or one dot off, and many fewer three dots off.
        near = max(alike(across, down) for across in (-1, 0, 1) for down in (-1, 0, 1))
        far = max(alike(*off) for off in ((-3, 0), (3, 0), (0, -3), (0, 3)))
        assert near > 0.85 and near > far + 0.04
        assert (own < 0.5).any(axis=-1).mean() > 0.02


def test_axes_begin_at_one_place_in_a_column_and_at_one_height_in_a_row():
    wide = Panel(heatmap(traces.larnn(), head=0), span=2)
    with style("paper", width="page"):
        figure = compose([Panel(kernel(traces.rra())), Panel(effects), wide], columns=2)
    boxes = data_boxes(figure)

    assert boxes[0, 0] == pytest.approx(boxes[2, 0], abs=1e-3)
    assert boxes[0, 3] == pytest.approx(boxes[1, 3], abs=1e-6)
    assert boxes[0, 1] == pytest.approx(boxes[1, 1], abs=1e-6)
    assert boxes[0, 2] < boxes[1, 0] and boxes[2, 3] < boxes[0, 1]
    assert [text.get_text() for text in figure.texts] == ["a", "b", "c"]
    letters = [text.get_position() for text in figure.texts]
    assert letters[0][0] == pytest.approx(letters[2][0]) and letters[0][1] > letters[2][1]


def upper_edges(figure, title):
    """Upper edges of the panels' titles and of the letters, in inches from below."""
    figure.savefig(io.BytesIO(), format="png")

    def edges(within):
        words = [text for text in within.findobj(Text) if text.get_text() in (title, "a", "b")]
        return [word.get_window_extent().y1 / within.get_dpi() for word in words]

    titles = [
        edge + corner[1]
        for panel, corner in zip(figure.panels, figure.corners, strict=True)
        for edge in edges(panel)
    ]
    return titles, edges(figure)


@pytest.mark.parametrize(
    "pair",
    [
        [Panel(kernel(traces.rra()), title="An O"), Panel(effects, title="An O")],
        [Panel(effects, title="An O"), Panel(kernel(traces.rra()), title="")],
        [Panel(kernel(traces.rra()), title="An O"), Panel(heatmap(traces.larnn()), title="An O")],
        [Panel(heatmap(traces.larnn()), title="An O"), Panel(stretch(20, 29), title="An O")],
    ],
    ids=["over notes or none", "one title", "a curve and a map", "over many keys or few"],
)
def test_titles_side_by_side_and_letters_stand_at_one_height(pair):
    with style("paper", width="page"):
        figure = compose(pair, columns=2)
    titles, letters = upper_edges(figure, "An O")

    assert len(titles) == sum(panel.title != "" for panel in pair) and len(letters) == 2
    assert min(titles) == pytest.approx(max(titles), abs=1e-6)
    assert letters[0] == pytest.approx(letters[1], abs=1e-6)
    assert letters[0] == pytest.approx(titles[0], abs=0.02)
    assert max(titles + letters) < figure.get_size_inches()[1]


def test_a_text_keeps_its_width_above_what_has_labels_at_its_left():
    def text(limits):
        return plot_text(traces.rra(), limits=limits)

    with style("paper", width="column"):
        figure = compose([Panel(text), Panel(kernel(traces.rra()))])
    [ax] = [one for one in figure.panels[0].axes if one.get_label() == "text"]

    # Its coordinates are inches, so that words fit the boxes they were measured for.
    inches = ax.get_position().width * figure.panels[0].get_figwidth()
    assert inches == pytest.approx(np.ptp(ax.get_xlim()), rel=1e-6)


def test_panels_may_give_the_axes_of_a_plot():
    with style("paper", width="column"):
        figure = compose([Panel(lambda limits: plot_lag_kernel(traces.rra()))])
    assert figure.panels[0].axes
    with pytest.raises(TypeError, match="a Figure or its Axes, got NoneType"):
        compose([Panel(lambda limits: None)])


def test_a_map_of_few_timesteps_fills_the_columns_of_its_panel():
    wide = Panel(stretch(0, 14), span=2)
    with style("paper", width="page"):
        figure = compose([Panel(effects), Panel(effects), wide], columns=2)
    boxes = data_boxes(figure)
    assert boxes[2, 2] == pytest.approx(boxes[1, 2], abs=0.1)


def test_curves_share_their_axes_and_maps_their_colours():
    vectors = np.random.default_rng(1).normal(size=(2, 9, 4, 2))
    flows = [made_flow(vectors * size, lengths=[9, 7]) for size in (1.0, 300.0)]
    panels = [
        Panel(lambda limits, trace=trace: plot_gradient_flow(trace, limits=limits), share="flow")
        for trace in flows
    ]
    figure = compose(panels)

    for name in ("norm", "share"):
        ends = {
            tuple(ax.get_ylim()) for panel in figure.panels for ax in panel.axes
            if ax.get_label().startswith(name)
        }  # fmt: skip
        assert len(ends) == 1
    highest = max(np.nanmax(ax.lines[0].get_ydata()) for p in figure.panels for ax in p.axes
                  if ax.get_label().startswith("norm"))  # fmt: skip
    assert figure.panels[0].limits[1] >= highest > 100


@pytest.mark.parametrize(
    ("panels", "columns", "message"),
    [
        ([], 1, "1 to 26 panels, but there are 0"),
        ([Panel(effects, span=2)], 1, "spans 1 to 1 of the figure's columns, but span is 2"),
    ],
)
def test_what_cannot_be_composed_is_refused(panels, columns, message):
    with pytest.raises(ValueError, match=message):
        compose(panels, columns=columns)


def test_a_scale_is_not_shared_with_what_has_none():
    def scatter(limits):
        figure = effects(limits)
        figure.limits = None
        return figure

    with pytest.raises(ValueError, match="panel 2 of them has no scale"):
        compose([Panel(effects, share="s"), Panel(scatter, share="s")])


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_the_same_panels_give_the_same_bytes(tmp_path, suffix):
    def saved(name):
        figure = compose([Panel(heatmap(traces.rra())), Panel(kernel(traces.larnn()))])
        return save_figure(figure, tmp_path / f"{name}.{suffix}", provenance={"a": "b"})

    assert saved("one").read_bytes() == saved("two").read_bytes()


def visible_sizes(figure):
    """Type sizes of the words that are drawn, ticks within their Axes alone."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    found = {}
    for ax in [None, *figure.axes]:
        if ax is not None and not ax.axison:
            ticks = set(ax.xaxis.get_ticklabels() + ax.yaxis.get_ticklabels())
        else:
            ticks = set()
        within = figure.texts if ax is None else ax.findobj(Text)
        for text in within:
            if text.get_visible() and text.get_text() and text not in ticks:
                found[text.get_text()] = text.get_fontsize()
    return found


@pytest.mark.parametrize("kind", [*KINDS, "ablation"])
def test_no_text_is_smaller_than_six_points_in_a_column(kind):
    with style("paper", width="column"):
        if kind == "ablation":
            figure = effects(None)
        else:
            figure = KINDS[kind].draw(MAKERS[kind](), PlotOptions(sequence=1))
    assert figure.get_size_inches()[0] <= 85 / 25.4 + 1e-9

    sizes = visible_sizes(figure)

    assert len(sizes) > 5
    assert min(sizes.values()) >= LABEL_SIZE - 1e-9, min(sizes, key=sizes.get)


def test_heads_and_lags_are_those_that_were_asked_for():
    figure = plot_heatmap(traces.larnn(), head=[2, 0], lags=(2, 5))
    maps = [ax for ax in figure.axes if ax.get_label().startswith("head")]
    shown = [ax.images[0].get_array() for ax in maps if ax.get_label().startswith("head 2")]
    assert [ax.get_label().split(",")[0] for ax in maps][:2] == ["head 2", "head 0"]
    attention = traces.larnn().tree["l0"]["attention"].values[0, :, 2, 1:4]
    drawn = np.concatenate([np.asarray(part).T for part in shown])
    np.testing.assert_allclose(drawn, attention[: len(drawn)])
    ax = plot_lag_kernel(traces.rra(), lags=(3, 6), limits=(-1.0, 2.0))
    line = next(line for line in ax.lines if line.get_gid() == "kernel")
    assert list(line.get_xdata()) == [3, 4, 5] and ax.get_ylim() == (-1, 2)
