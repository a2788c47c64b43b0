import numpy as np
import pytest
from matplotlib.colors import to_hex

from attnviz.plots import KINDS
from attnviz.plots.exit_routes import plot_exit_routes
from attnviz.plots.gradient_flow import gradient_flow_numbers, plot_gradient_flow, route_colour
from attnviz.plots.options import PlotOptions
from attnviz.plots.shortcut import plot_shortcut, shortcut_numbers
from tests.attnviz.analysis.test_flow import made

LENGTHS = [7, 4, 6]


@pytest.fixture
def vectors():
    return np.random.default_rng(4).normal(size=(3, 7, 4, 2)) + np.array([0.5, 1.0])


def words(figure):
    return " ".join(text.get_text() for text in figure.texts)


def axes(figure, label):
    return next(ax for ax in figure.axes if ax.get_label().startswith(label))


def test_bars_are_the_shares_with_lags_added_up(vectors):
    trace = made(vectors, lengths=LENGTHS)
    figure = plot_gradient_flow(trace, sequence=1)
    total = vectors[1, :4].sum(axis=1)
    share = (vectors[1, :4] * total[:, None]).sum(-1) / (total**2).sum(-1)[:, None]
    expected = np.stack([share[:, 0], share[:, 1], share[:, 2] + share[:, 3]], axis=1)

    numbers = gradient_flow_numbers(trace, PlotOptions(1))
    assert list(numbers.values["route"].values) == ["output", "gates", "shortcut"]
    np.testing.assert_allclose(numbers.values, expected)
    norm = numbers.values["gradient_norm"]
    np.testing.assert_allclose(norm, np.linalg.norm(total, axis=1))
    bars = axes(figure, "share").patches
    up = np.array([bar.get_height() for bar in bars[:12]]).reshape(3, 4).T
    down = np.array([bar.get_height() for bar in bars[12:24]]).reshape(3, 4).T
    np.testing.assert_allclose(up + down, expected, atol=1e-12)
    assert (up >= 0).all() and (down <= 0).all()
    assert to_hex(bars[8].get_facecolor()) == route_colour("shortcut", 2).lower()

    (line,) = axes(figure, "norm").lines
    np.testing.assert_allclose(line.get_ydata(), np.linalg.norm(total, axis=1))
    assert axes(figure, "norm").get_yscale() == "log"
    assert "Gradient at the hidden state of RRA, by route" in words(figure)
    assert "κ" in words(figure) and "1e-07" in words(figure)


def test_cancellation_is_said_only_where_routes_cancel(vectors):
    kappa = np.linalg.norm(vectors[0], axis=-1).sum(-1) / np.linalg.norm(vectors[0].sum(1), axis=-1)
    cancelling = words(plot_gradient_flow(made(vectors, lengths=LENGTHS)))
    assert f"norms add up to as much as κ = {kappa.max():.2g} times the gradient's." in cancelling
    agreeing = np.abs(vectors[..., :1]) * np.array([1.0, 2.0])
    for place in ("hidden", "input"):
        figure = plot_gradient_flow(made(agreeing, lengths=LENGTHS, place=place))
        said = words(figure)
        assert "·" not in [text.get_text() for text in figure.texts]  # an empty line
        assert "κ" not in said and ("1e-07" in said) == (place == "hidden")


def test_the_matrix_shows_each_lag_and_nothing_after_the_end(vectors):
    trace = made(vectors, lengths=LENGTHS)
    numbers = shortcut_numbers(trace, PlotOptions(2)).values
    total = vectors[2, :6].sum(axis=1)
    share = (vectors[2, :6] * total[:, None]).sum(-1) / (total**2).sum(-1)[:, None]
    np.testing.assert_allclose(numbers[:4, 0], share[:4, 2])
    np.testing.assert_allclose(numbers[:3, 1], share[:3, 3])
    assert np.isnan(numbers[4:, 0]).all() and np.isnan(numbers[3:, 1]).all()
    figure = plot_shortcut(trace, sequence=2)
    (image,) = axes(figure, "lag").images
    shown = np.ma.masked_invalid(np.asarray(numbers).T)
    np.testing.assert_allclose(np.ma.masked_invalid(image.get_array()), shown)
    assert [label.get_text() for label in image.axes.get_yticklabels()] == ["2", "3"]
    assert image.norm.vmin == -image.norm.vmax
    assert "Gradient that came back by the shortcut of RRA" in words(figure)


@pytest.mark.parametrize(
    ("direction", "came", "end"),
    [(1, "later", "after the end"),
     (-1, "earlier, as this layer reads backwards", "before the start")],
)  # fmt: skip
def test_the_matrix_says_which_way_the_gradient_came(vectors, direction, came, end):
    said = words(plot_shortcut(made(vectors, lengths=LENGTHS, direction=direction)))
    assert f"that many lags {came}; grey: {end}, or no gradient." in said


def test_several_cells_are_compared_by_distance(vectors):
    traces = {"one $x$": made(vectors, lengths=LENGTHS, place="input")}
    traces["two"] = made(vectors * 2, lengths=LENGTHS, place="input")
    figure = plot_exit_routes(traces, longest=4)
    notes = " ".join(text.get_text() for ax in figure.axes for text in ax.texts)
    assert "95 % bootstrap bands, too narrow with 2 sequences" in notes.replace("\n", " ")
    above = figure.axes[0]
    lines = [line for line in above.lines if line.get_gid() == "norm"]
    assert len(lines) == 2 and above.get_yscale() == "log"
    np.testing.assert_allclose(lines[0].get_ydata(), lines[1].get_ydata())
    assert list(lines[0].get_xdata()) == [0, 1, 2, 3, 4]
    assert [text.get_text() for text in above.get_legend().get_texts()] == list(traces)
    panel = figure.axes[1]
    total = np.sum([line.get_ydata() for line in panel.lines if len(line.get_xdata()) == 5], axis=0)
    np.testing.assert_allclose(total, 1.0)
    assert panel.get_title(loc="left") == "one $x$"
    figure.savefig("/dev/null", format="svg")


@pytest.mark.parametrize("count", [1, 2, 4])
def test_panels_stand_below_the_norms_and_measure_the_same_distance(vectors, count):
    trace = made(vectors, lengths=LENGTHS, place="input")
    figure = plot_exit_routes({f"model {number}": trace for number in range(count)})
    figure.canvas.draw()
    above, *panels = figure.axes
    assert len(panels) == count
    boxes = [ax.get_position() for ax in panels]
    assert min(box.x0 for box in boxes) == pytest.approx(above.get_position().x0)
    assert max(box.x1 for box in boxes) == pytest.approx(above.get_position().x1)
    named = [ax.get_xlabel() for ax in panels[-min(count, 3) :]]
    assert {above.get_xlabel(), *named} == {"distance from the end (timesteps)"}
    assert all(not ax.get_xlabel() for ax in panels[: -min(count, 3)])


def test_panels_reach_as_far_as_the_longest(vectors):
    longer, shorter = (
        made(vectors, lengths=lengths, place="input") for lengths in (LENGTHS, [3, 3, 3])
    )
    figure = plot_exit_routes({"one": longer, "two": shorter})
    assert [ax.get_xlim() for ax in figure.axes] == [(0, max(3, sorted(LENGTHS)[1] - 1))] * 3


def test_curves_by_distance_are_of_the_same_sequences(vectors):
    vectors[np.argmin(LENGTHS)] *= 1000  # its end would be seen
    trace = made(vectors, lengths=LENGTHS, place="input")
    figure = plot_exit_routes({"one": trace})
    last = sorted(LENGTHS)[1] - 1
    above, panel = figure.axes
    (curve,) = (line for line in above.lines if line.get_gid() == "norm")
    kept = [row for row, length in enumerate(LENGTHS) if length > last]
    turned = np.stack([vectors[n, : LENGTHS[n]][::-1][: last + 1] for n in kept])
    norms = np.linalg.norm(turned.sum(axis=2), axis=-1).sum(axis=0)
    np.testing.assert_allclose(curve.get_ydata(), norms / norms[0])
    assert above.get_xlim() == panel.get_xlim() == (0, last)
    assert above.texts[0].get_text().startswith("the longest 2 of 3 sequences a model")
    numbers = KINDS["exit-routes"].numbers(trace, PlotOptions())
    drawn = {line.get_label(): line.get_ydata() for line in panel.lines}
    assert numbers.values.sizes["distance"] == last + 1
    routes = drawn.keys() & set(numbers.values["route"].values)
    assert len(routes) > 1
    for route in routes:
        np.testing.assert_allclose(drawn[route], numbers.values.sel(route=route))


def test_nothing_to_compare_is_refused():
    with pytest.raises(ValueError, match="at least one trace"):
        plot_exit_routes({})


def test_a_trace_without_routes_is_refused(vectors):
    trace = made(vectors, lengths=LENGTHS)
    with pytest.raises(KeyError, match="gradients='exits'"):
        plot_exit_routes({"one": trace})
    with pytest.raises(KeyError, match="gradients='routes'"):
        plot_shortcut(made(vectors, lengths=LENGTHS, place="input"))
