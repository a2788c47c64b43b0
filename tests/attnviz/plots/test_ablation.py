import numpy as np
import pytest
import xarray as xr

from attnviz.plots.ablation import plot_ablation, plot_effect_against

rng = np.random.default_rng(5)


def made(dims, shape, level, **more):
    data = {
        f"{m}_effect": (("sequence", *dims), rng.normal(size=shape)) for m in ("margin", "loss")
    }
    coordinates = {"id": ("sequence", [str(n) for n in range(shape[0])])}
    for axis, size in zip(dims, shape[1:], strict=True):
        if axis in ("lag", "other_lag"):
            coordinates[axis] = np.arange(2, 2 + size)
    attrs = {"model": "a $b$", "group": "l0", "level": level, "method": "zero", "cell": "LARNN"}
    return xr.Dataset({**data, **more}, coordinates, attrs)


def below(ax):
    return " ".join(text.get_text() for text in ax.texts)


def test_points_are_means_over_sequences_with_intervals():
    effects = made(("lag",), (6, 4), "lag")
    ax = plot_ablation(effects)
    (container,) = ax.containers
    line, _, (bars,) = container
    np.testing.assert_array_equal(line.get_xdata(), [2, 3, 4, 5])
    np.testing.assert_allclose(line.get_ydata(), effects["margin_effect"].mean("sequence"))
    lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
    assert all(length > 0 for length in lengths)
    assert "6 sequences" in below(ax) and "intervals, too narrow with 6 sequences" in below(ax)
    enough = below(plot_ablation(made(("lag",), (10, 4), "lag")))
    assert "95 % bootstrap intervals" in enough and "narrow" not in enough
    assert "logits" in ax.get_ylabel() and "lag" in ax.get_xlabel()
    ax.figure.savefig("/dev/null", format="svg")


@pytest.mark.parametrize("dims", [("lag",), ("time", "lag")])
def test_tiny_effects_are_numbered_one_by_one(dims):
    effects = made(dims, (6, 4, 3)[: len(dims) + 1], "lag")
    large = plot_ablation(effects)
    tiny = plot_ablation(effects.map(lambda held: held * 1e-6 if held.dtype == float else held))
    for ax, factor in ((large, 1.0), (tiny, 1e-6)):
        ax = ax if len(dims) == 1 else ax.figure.axes[-1]
        ax.figure.canvas.draw()
        assert ax.yaxis.get_offset_text().get_text() == ""
        numbers = [label.get_text().replace("−", "-") for label in ax.get_yticklabels()]
        np.testing.assert_allclose([float(n) for n in numbers], ax.get_yticks(), rtol=1e-9)
        assert max(abs(float(n)) for n in numbers) < 10 * factor


@pytest.mark.parametrize(("group", "way"), [("l0", "back"), ("l0_reverse", "ahead")])
def test_lags_reach_the_way_that_the_layer_looks(group, way):
    name = f"lag (timesteps {way})"
    single, pairs, steps = (
        plot_ablation(made(dims, (3, 4, 4)[: len(dims) + 1], level).assign_attrs(group=group))
        for dims, level in ((("lag",), "lag"), (("lag", "other_lag"), "pair"),
                            (("time", "lag"), "step"))
    )  # fmt: skip
    assert single.get_xlabel() == name
    assert (pairs.get_xlabel(), pairs.get_ylabel()) == (f"other {name}", name)
    assert (steps.get_xlabel(), steps.get_ylabel()) == ("timestep", name)


def test_heads_have_a_colour_each():
    ax = plot_ablation(made(("head", "lag"), (3, 2, 4), "head"), measure="loss")
    assert len(ax.containers) == 2
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["head 0", "head 1"]
    assert "nats" in ax.get_ylabel()


def test_pairs_are_a_map_of_what_lies_beyond_the_single_effects():
    effects = made(("lag", "other_lag"), (5, 3, 3), "pair")
    ax = plot_ablation(effects)
    values = effects["margin_effect"].values
    expected = (values[:, 0, 2] - values[:, 0, 0] - values[:, 2, 2]).mean()
    assert float(ax.images[0].get_array()[0, 2]) == pytest.approx(expected)
    assert np.ma.getmaskarray(np.ma.masked_invalid(ax.images[0].get_array()))[1, 1]


def test_timesteps_are_a_map():
    effects = made(("time", "lag"), (1, 7, 3), "step")
    ax = plot_ablation(effects)
    np.testing.assert_allclose(ax.images[0].get_array(), effects["margin_effect"].values[0].T)
    assert "1 sequence" in below(ax) and "1 sequences" not in below(ax)
    few = plot_ablation(made(("time", "lag"), (1, 4, 3), "step"))
    assert (few.get_xticks() % 1 == 0).all()


def test_effect_against_contribution():
    size = np.abs(rng.normal(size=(4, 7, 3))) + 0.1
    effects = made(
        ("time", "lag"), (4, 7, 3), "step", contribution=(("sequence", "time", "lag"), size)
    )
    ax = plot_effect_against(effects)
    points = next(line for line in ax.lines if line.get_gid() == "effects")
    np.testing.assert_allclose(np.sort(points.get_xdata()), np.sort(size.ravel()))
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert "ρ" in below(ax) and "4 sequences" in below(ax)
    assert points.get_markersize() > 5.0 and points.get_alpha() > 0.5
    said = below(ax).replace("\n", " ")
    assert said.endswith("95 % bootstrap interval, too narrow with 4 sequences")
    assert ax.get_xlabel() == "contribution (norm, mean over heads)"
    assert ax.get_ylabel() == "|effect on the margin| (logits)"


def test_many_points_are_small_and_faint():
    size = np.abs(rng.normal(size=(4, 250, 3))) + 0.1
    contribution = (("sequence", "time", "lag"), size)
    ax = plot_effect_against(made(("time", "lag"), size.shape, "step", contribution=contribution))
    (points,) = (line for line in ax.lines if line.get_gid() == "effects")
    assert points.get_markersize() == 2.5 and points.get_alpha() == 0.35


@pytest.mark.parametrize(
    ("dims", "title"),
    [
        (("lag",), "One lag taken away at all timesteps"),
        (("head", "lag"), "One lag of a head taken away at all timesteps"),
        (("time", "lag"), "One lag taken away at one timestep"),
        (("lag", "other_lag"), "Pairs of lags beyond their single effects"),
        (("feature",), "One feature taken away at all timesteps"),
        (("head",), "All weights of a head changed at all timesteps"),
        (("time",), "All weights changed at one timestep"),
    ],
)
def test_the_title_goes_by_the_axes(dims, title):
    sizes = {"head": 2, "lag": 3, "other_lag": 3, "time": 7, "feature": 5}
    effects = made(dims, (4, *(sizes[axis] for axis in dims)), "a level of one's own")
    effects.attrs["method"] = "a method of one's own"

    ax = plot_ablation(effects)

    assert ax.get_title(loc="left") == title
    assert "a method of one's own" in below(ax)
    assert ("intervals" in below(ax)) == (not ax.images)


def test_a_cell_with_one_head():
    effects = made(("head", "lag"), (3, 1, 4), "head")

    ax = plot_ablation(effects)

    (container,) = ax.containers
    expected = effects["margin_effect"].mean("sequence")[0]
    np.testing.assert_allclose(container[0].get_ydata(), expected)
    assert container[0].get_xdata().tolist() == [2, 3, 4, 5] and ax.get_legend() is None
