import numpy as np
import pytest
from matplotlib.colors import to_hex
from numpy.testing import assert_allclose

from attnviz.analysis import influence_profile, influence_share
from attnviz.plots import (
    influence_map_numbers,
    plot_influence,
    plot_influence_map,
    save_figure,
    style,
)
from attnviz.plots.styling import Lettering
from attnviz.plots.wrapped import words_under
from tests.attnviz.influences import decaying, influence


def three(rate=0.7, **more):
    heights = (1.0, 2.0, 5.0)
    return influence([decaying(rate, height) for height in heights], [9, 12, 14], **more)


def curves(ax):
    return [line for line in ax.lines if line.get_gid() == "profile"]


def said(figure):
    return " ".join(text.get_text() for text in figure.texts)


def keys(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_influence_stands_beside_its_shares_with_intervals():
    data = three(error=0.1)
    profile = influence_profile(data)

    figure = plot_influence(data)

    for ax, name in zip(figure.axes, ("influence", "share"), strict=True):
        (line,) = curves(ax)
        assert_allclose(line.get_xdata(), profile["lag"])
        assert_allclose(line.get_ydata(), profile[name])
        low, high = profile[f"{name}_interval"].values
        corners = ax.collections[0].get_paths()[0].vertices[:, 1]
        assert set(np.round([*low, *high], 12)) <= set(np.round(corners, 12))
        assert ax.get_yscale() == "log"
        assert ax.get_xlabel() == "lag (timesteps back; 0 = the timestep's own input)"
    left, right = (ax.get_title(loc="left") for ax in figure.axes)
    assert left == "influence V (squared standard deviations, summed over units)"
    assert right == "share of the influence from all reachable lags"


@pytest.mark.parametrize("size", [7.0, 10.0])
def test_the_name_of_an_axis_ends_within_the_figure(size):
    with style("paper", width="column", lettering=Lettering(size=size)):
        figure = plot_influence(three(error=0.1))
    figure.canvas.draw()

    for ax in figure.axes:
        box = ax._left_title.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
        assert not box.overlaps(figure.legends[0].get_window_extent())


def test_what_is_said():
    data = three(error=0.1)
    profile = influence_profile(data, beyond=3)

    figure = plot_influence(data, beyond=3)

    text = said(figure)
    assert "Influence of earlier inputs on the state, by lag" in text
    assert "3 sequences, 20 timesteps with at least 5 timesteps before" in text
    assert "95 % intervals over sequences (bootstrap). With 3 sequences they are too" in text
    error = 100 * float((profile["influence_error"] / profile["influence"]).median())
    assert f"median over lags: toy {error:.2g} % (8 replacements)." in text
    low, high = profile["mean_lag_interval"].values
    assert keys(figure) == [
        "toy: median lag 1 (1–1), "
        f"mean lag {float(profile['mean_lag']):.1f} ({low:.1f}–{high:.1f}), "
        f"half-life 1.9 (1.9–1.9), {float(profile['mass_beyond']):.2f} "
        "({:.2f}–{:.2f}) beyond lag 3".format(*profile["mass_beyond_interval"].values)
    ]


def test_models_in_one_figure_share_their_lags():
    figure = plot_influence(
        {
            "one": three(),
            "$\\two$": three(0.5),
            "gradient": three(0.4, kind="linear", estimator="exact", draws=0),
        }
    )
    longer = plot_influence({"long": three(), "short": influence([decaying(0.5)], [7])})

    assert [line.get_linestyle() for line in curves(figure.axes[0])] == ["-", "-", "--"]
    assert len({to_hex(line.get_color()) for line in curves(figure.axes[1])}) == 3
    assert [key.split(":")[0] for key in keys(figure)] == [
        "one", "$\\two$", "gradient, linearised",
    ]  # fmt: skip
    assert "Dashed: linearised influence" in said(figure)
    assert "gradient none (exact)" in said(figure)
    assert figure.axes[0].get_title(loc="left").startswith("influence V and E² (")
    for line in curves(longer.axes[0]):
        assert line.get_xdata().tolist() == [0, 1, 2, 3]
    assert "A single sequence has no interval" in said(longer)
    figure.canvas.draw()  # a name from the data is no mathematics


def test_axes_on_request():
    figure = plot_influence(three(), logarithmic=False, logarithmic_lags=True, longest=8)

    for ax in figure.axes:
        assert ax.get_yscale() == "linear" and ax.get_xscale() == "symlog"
        assert ax.get_ylim()[0] == 0
        assert curves(ax)[0].get_xdata().tolist() == list(range(9))


def test_the_rounding_floor_is_marked_where_it_shows():
    def floors(figure):
        return [line for line in figure.axes[0].lines if line.get_gid() == "rounding floor"]

    (floor,) = floors(plot_influence(three(0.01, rounding_floor=1e-4)))
    assert floor.get_ydata()[0] == 1e-4
    assert "near 0.0001 or below are rounding" in said(plot_influence(three(rounding_floor=1e-4)))
    assert "rounding" not in said(plot_influence(three(rounding_floor=0.0)))
    assert not floors(plot_influence(three(0.9, rounding_floor=1e-4)))
    assert not floors(plot_influence(three(0.9, rounding_floor=np.nan)))


def test_refusals():
    with pytest.raises(ValueError, match="at least one dataset"):
        plot_influence({})
    with pytest.raises(ValueError, match="some of this influence is on the state"):
        plot_influence({"a": three(), "b": three(of="margin", unit="logits²")})
    with pytest.raises(ValueError, match="Choose longest between 0 and 13"):
        plot_influence(three(), longest=14)


def maps(figure):
    return [ax for ax in figure.axes if ax.images and ax.get_label() != "colour bar"]


def test_a_map_draws_the_shares_of_each_timestep_above_its_word():
    data = three(words=True, error=0.1)
    share = influence_share(data).values

    figure = plot_influence_map(data, sequence=1, longest=4, wrap=6)

    first, second = maps(figure)
    assert_allclose(first.images[0].get_array().filled(np.nan), share[1, :6, :5].T)
    assert_allclose(second.images[0].get_array(), share[1, 6:12, :5].T)
    words = [text.get_text() for text in words_under(first)]
    assert words == [f"w1{step}" for step in range(6)]
    assert [label.get_text() for label in first.get_yticklabels()] == ["0", "1", "2", "3", "4"]
    assert len(first.patches) and not len(second.patches)  # lags before the start are hatched
    text = said(figure)
    assert "Influence of earlier inputs on the state, by timestep and lag" in text
    assert "toy · sequence 1 · timesteps 0–11" in text
    assert "Shares are of the influence from all lags, up to 11" in text
    assert "Standard error over 8 replacements: median" in text
    assert "influence v (share)" in text


def test_the_colours_are_scaled_to_timesteps_that_reach_all_lags(tmp_path):
    data = three(words=True)

    figure = plot_influence_map(data, sequence=2, longest=3)

    (ax,) = maps(figure)
    highest = float(influence_share(data).values[2, 3:, :4].max())
    assert_allclose(ax.images[0].norm.vmax, highest)
    assert (
        f"The darkest colour stands for {highest:.2g} and more: up to 1 at timesteps that do not "
        "reach all lags shown."
    ) in said(figure)
    fixed = plot_influence_map(data, sequence=2, longest=3, limits=(0.0, 0.5))
    assert maps(fixed)[0].images[0].norm.vmax == 0.5
    assert "stands for 0.5 and more: up to 1 at timesteps that do not" in said(fixed)
    low = plot_influence_map(data, sequence=2, longest=3, limits=(0.0, 0.2))
    assert "stands for 0.2 and more: up to 1." in said(low)
    whole = plot_influence_map(data, sequence=2, longest=3, limits=(0.0, 1.0))
    assert "darkest" not in said(whole)
    save_figure(figure, tmp_path / "map.pdf")


def test_the_influence_itself_and_a_range():
    data = three(words=True, of="margin", unit="logits²", kind="linear", estimator="exact")

    numbers = influence_map_numbers(data, sequence=2, longest=3, shares=False, tokens=(4, 9))
    figure = plot_influence_map(data, sequence=2, longest=3, shares=False, tokens=(4, 9))

    assert_allclose(numbers.values, data["influence"][2, 4:9, :4])
    assert numbers.values["token"].values.tolist() == [f"w2{step}" for step in range(4, 9)]
    assert numbers.values["timestep"].values.tolist() == [4, 5, 6, 7, 8]
    assert "linearised influence E² (logits²)" in said(figure)
    assert "on the margin between the classes" in said(figure)
    assert "Exact: nothing was drawn." in said(figure)


def test_a_long_sequence_is_binned():
    data = influence([decaying(0.9)], [1300], error=0.1, words=True)
    share = influence_share(data).values[0]

    found = influence_map_numbers(data, longest=2)

    assert found.values["timestep"].values[:3].tolist() == [0, 3, 6]
    assert_allclose(found.values[1], share[3:6, :3].mean("time"))
    assert found.uncertainty is None and "token" not in found.values.coords
    figure = plot_influence_map(data, longest=2)
    assert maps(figure)[0].images[0].get_array().shape == (3, 145)


def test_maps_that_cannot_be_drawn():
    with pytest.raises(ValueError, match="1 of sequence 0 were looked back from in 0:9"):
        plot_influence_map(three(at="last"))
    with pytest.raises(IndexError, match="3 sequences, numbered 0 to 2; there is no sequence 3"):
        plot_influence_map(three(), sequence=3)
    with pytest.raises(ValueError, match="0 of sequence 0 were looked back from in 20:30"):
        plot_influence_map(three(), tokens=(20, 30))
