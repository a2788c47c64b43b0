import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from attnviz.analysis.decay import predicted_decay_rate, predicted_shortcut_norm
from attnviz.analysis.path_classes import class_norm
from attnviz.plots import plot_path_classes, plot_vanishing
from attnviz.plots.options import PlotOptions
from attnviz.plots.result_kinds import PATH_KINDS
from tests.attnviz.path_data import paths, rra

KERNEL, LAGS = [0.5, 0.2, 0.3], [2, 3, 4]
NAMES = ("direct", "gates", "memory", "gates+memory")


def small(sequences=2):
    """Classes of other heights, the first of them at distance 0 only."""
    distance = np.arange(12)[None, :, None]
    rates = np.array([0.0, 0.3, 0.8, 0.6])
    heights = np.array([1.0, 2.0, 0.7])[:sequences, None, None]
    return paths(heights * rates**distance * (1 - 0.9 * (rates > 0)), names=NAMES)


def by(ax, gid):
    return [line for line in ax.lines if line.get_gid() == gid]


@pytest.mark.parametrize("sequences", [1, 2])
def test_the_numbers_are_those_of_every_line(ax, sequences):
    data = small(sequences)
    plot_path_classes(data, floor=1e-5, ax=ax)
    numbers = PATH_KINDS["path-classes"].numbers(data, PlotOptions())
    assert numbers.values["path_class"].values.tolist() == ["all", *NAMES]
    assert numbers.values.dims == ("distance", "path_class")
    (whole,) = by(ax, "whole")
    assert_allclose(numbers.values.sel(path_class="all"), whole.get_ydata())
    drawn = [line for line in ax.lines if line.get_label() in NAMES]
    assert len(drawn) >= 3
    for line in drawn:
        assert_allclose(numbers.values.sel(path_class=line.get_label()), line.get_ydata())
    assert (numbers.uncertainty is None) == (sequences == 1)
    if sequences > 1:
        assert numbers.uncertainty.dims == ("distance", "path_class", "end")


@pytest.fixture
def ax():
    return Figure().add_subplot()


def test_a_line_for_each_class_that_rises_above_the_floor(ax):
    data = small()

    assert plot_path_classes(data, ax=ax, floor=1e-4) is ax

    lines = by(ax, "class")
    assert [line.get_label() for line in lines] == ["gates", "memory", "gates+memory"]
    expected = class_norm(data).values
    for line in lines:
        assert_allclose(line.get_ydata(), expected.sel(path_class=line.get_label()))
        assert line.get_xdata().tolist() == list(range(12))
    assert len({line.get_color() for line in lines}) == 3
    (whole,) = by(ax, "whole")
    assert_allclose(whole.get_ydata()[0], 1)
    assert ax.get_yscale() == "log" and ax.get_ylim()[0] == 1e-4
    assert ax.get_xlim() == (0, 11)


@pytest.mark.parametrize("count", [8, 9, 12])
def test_of_many_classes_the_smallest_are_added_up(ax, count):
    heights = np.random.default_rng(1).permutation(np.arange(1.0, count + 1))
    heights[heights == 1] = 1e-9  # below the floor
    names = [f"one+{n}" for n in range(count + 1)]
    data = paths(np.ones((2, 6, 1)) * np.array([count + 1.0, *heights]), names=names)

    plot_path_classes(data, ax=ax)

    norms, lines = class_norm(data).values, by(ax, "class")
    most = count if count == 8 else 7
    kept = [name for name, h in zip(names, [count + 1.0, *heights], strict=True) if h > 1]
    if count > 8:
        kept = [names[0], *(n for n, h in zip(names[1:], heights, strict=True) if h > count - 6)]
    assert [line.get_label() for line in lines] == kept and len(kept) == most
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == most
    note = ax.texts[0].get_text().replace("\n", " ")
    assert "below 1e-06, not drawn: one+" in note
    if count == 8:
        assert not by(ax, "others") and "others" not in note
        return
    assert len({line.get_color() for line in lines}) == 7
    (others,) = by(ax, "others")
    rest = [name for name, h in zip(names[1:], heights, strict=True) if 1 < h <= count - 6]
    assert_allclose(others.get_ydata(), norms.sel(path_class=rest).sum("path_class"))
    assert f"others: {len(rest)} classes, their norms added" in note
    assert "others" in [text.get_text() for text in ax.get_legend().get_texts()]
    kinds = PATH_KINDS["path-classes"].numbers(data, PlotOptions())
    assert kinds.values["path_class"].values.tolist() == ["all", *names]


def test_title_axes_and_notes(ax):
    plot_path_classes(small(), place="memory", ax=ax)

    assert ax.get_title(loc="left") == "Gradient of LSTM by class of path, at the memory c"
    (note,) = ax.texts
    assert note.get_text().replace("\n", " ") == (
        "small, l0, 2 sequences · 95 % bootstrap bands, too narrow with 2 sequences · κ ≤ 1 · "
        "residual ≤ 3e-16 · below 1e-06, not drawn: direct"
    )
    assert ax.get_xlabel() == "distance from the loss (timesteps)"
    assert ax.get_ylabel() == "‖gradient‖ (of the whole at distance 0)"


def test_bands_are_the_interval(ax):
    data = small(3)
    data["input_class_norm"][1, 3, 2] *= 2

    plot_path_classes(data, ax=ax)

    spread = class_norm(data).uncertainty.sel(path_class="memory", distance=3)
    band = ax.collections[1]
    heights = [y for x, y in band.get_paths()[0].vertices if x == 3]
    assert_allclose([min(heights), max(heights)], spread)


def test_a_curve_does_not_fall_where_a_sequence_ends(ax):
    norms = np.ones((3, 9, 2)) * np.array([1000.0, 1.0, 1.0])[:, None, None]
    norms[0, 5:] = np.nan

    plot_vanishing({"one": paths(norms)}, ax=ax)
    plot_path_classes(paths(norms), ax=(classes := Figure().add_subplot()))

    for line in [*by(ax, "vanishing"), *by(classes, "whole")]:
        assert_allclose(line.get_ydata(), np.ones(9))
    assert ax.texts[0].get_text().startswith("the longest 2 of 3 sequences a model · ")
    assert "l0, the longest 2 of 3 sequences · 95 %" in classes.texts[0].get_text()


def test_the_axis_ends_where_the_curves_end(ax):
    norms = np.ones((3, 12, 2))
    norms[0, 5:], norms[1, 9:] = np.nan, np.nan

    plot_path_classes(paths(norms), ax=ax)

    assert ax.get_xlim() == (0, 8)
    assert [line.get_xdata()[-1] for line in by(ax, "whole") + by(ax, "class")] == [8, 8, 8]


def test_one_sequence_has_no_bands(ax):
    plot_path_classes(small(1), ax=ax)

    assert not ax.collections
    assert ax.texts[0].get_text().startswith("small, l0, 1 sequence · κ")


def test_theory_stands_beside_the_measured_shortcut(ax):
    slopes = [[0.3, 0.8, 0.9], [0.2, 0.9, 0.9]]
    data = rra(KERNEL, LAGS, slopes, [[1, 2, 2], [3, 0, 1]], 60)

    plot_path_classes(data, place="hidden", ax=ax)

    fitted, by_unit, by_mean = by(ax, "rate")
    (measured,) = by(ax, "class")
    assert_allclose(by_unit.get_ydata(), predicted_shortcut_norm(data).values[8:])
    assert_allclose(by_unit.get_ydata(), measured.get_ydata()[8:], rtol=1e-12)
    rate = float(predicted_decay_rate(data).values)
    start, end = by_mean.get_ydata()
    assert by_mean.get_xdata().tolist() == [8, 59]
    assert_allclose(end / start, rate**51)
    assert f"ρ = {rate:.3f} [" in by_mean.get_label()
    assert fitted.get_label().startswith("shortcut, fitted\nρ = 0.")
    plot_path_classes(data, place="hidden", rates=False, ax=(bare := Figure().add_subplot()))
    plot_path_classes(data, place="input", ax=(elsewhere := Figure().add_subplot()))
    assert not by(bare, "rate") and not by(elsewhere, "rate")


def test_sequences_too_short_for_a_fit_are_drawn_without(ax):
    data = rra(KERNEL, LAGS, [[0.3, 0.8]], [[1, 2]], 9)

    plot_path_classes(data, place="hidden", ax=ax)

    assert by(ax, "class") and not by(ax, "rate")


def test_models_side_by_side(ax):
    faster = paths(0.5 ** np.arange(6.0)[None, :, None] * np.ones((3, 1, 2)))

    assert plot_vanishing({"$\\slow$": small(), "fast": faster}, ax=ax) is ax

    slow, fast = by(ax, "vanishing")
    assert_allclose(fast.get_ydata(), 0.5 ** np.arange(6))
    assert len(slow.get_ydata()) == 12 and slow.get_color() != fast.get_color()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["$\\slow$", "fast"]
    ax.figure.canvas.draw()
    assert ax.get_title(loc="left") == "Gradient at the input x by distance"
    assert ax.texts[0].get_text() == (
        "2–3 sequences a model · 95 % bootstrap bands, too narrow with 2 sequences · "
        "residual ≤ 3e-16"
    )
    assert ax.get_ylabel() == "‖gradient‖ (of that at distance 0)"
    assert ax.get_xlim() == (0, 11)


def test_without_axes_pyplot_makes_them():
    for ax in (plot_path_classes(small()), plot_vanishing({"one": small(1)})):
        assert plt.fignum_exists(ax.figure.number)
        plt.close(ax.figure)


def test_refusals(ax):
    with pytest.raises(ValueError, match=r"between 0 and 1.*not 2"):
        plot_path_classes(small(), floor=2.0, ax=ax)
    with pytest.raises(ValueError, match="at least one model, got none"):
        plot_vanishing({}, ax=ax)
    gru = small().drop_vars("memory_gradient_norm")
    with pytest.raises(KeyError, match="memory_gradient_norm"):
        plot_vanishing({"gru": gru}, place="memory", ax=ax)
    assert not ax.lines
