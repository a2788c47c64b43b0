import matplotlib
import numpy as np
import pytest

import attnviz
from attnviz.plots import PROBE_KINDS, PlotOptions
from tests.attnviz import probes


def panels(figure):
    """Axes that hold weights, and those that hold norms."""
    kinds = {ax: {line.get_gid() for line in ax.lines} for ax in figure.axes}
    return [[ax for ax, held in kinds.items() if kind in held] for kind in ("weight", "norm")]


def weights(ax):
    return [line for line in ax.lines if line.get_gid() == "weight"]


def test_every_lag_is_a_line_of_its_own_colour_with_the_norm_below():
    made = probes.rra()
    figure = attnviz.plot_kernel_evolution(made)
    ((upper,), (lower,)) = panels(figure)
    lines = weights(upper)
    assert len(lines) == 3 and len({tuple(line.get_color()) for line in lines}) == 3
    for n, line in enumerate(lines):
        np.testing.assert_array_equal(line.get_xdata(), probes.STEPS)
        np.testing.assert_array_equal(line.get_ydata(), made["l0/lag_kernel"].values[:, 0, n])
    np.testing.assert_array_equal(lower.lines[0].get_ydata(), made["l0/lag_score_norm"].values)
    (equal,) = [line for line in upper.lines if line.get_gid() == "equal"]
    assert equal.get_ydata()[0] == pytest.approx(1 / 3)
    assert lower.get_xlabel() == "iterations" and lower.get_ylabel() == "‖w‖"
    assert upper.get_title(loc="left") == "Attention of RRA while rra-made was trained"
    assert figure.provenance["seed"] == "4" and figure.provenance["cell"] == "RRA"
    bar = figure.axes[-1]
    assert bar.get_ylabel() == "lag (timesteps back)"
    assert [text.get_text() for text in bar.get_yticklabels()] == ["2", "3", "4"]


def test_two_windows_stand_in_panels_with_one_scale_and_one_colour_a_lag():
    both = {"window 3": probes.rra(3), "window 7": probes.rra(7, steps=[0, 5, 10])}
    figure = attnviz.plot_kernel_evolution(both)
    upper, lower = panels(figure)
    assert [len(weights(ax)) for ax in upper] == [3, 7] and len(lower) == 2
    assert upper[0].get_ylim() == upper[1].get_ylim() == figure.limits
    assert [ax.get_title(loc="left") for ax in upper] == [*both]
    for one, other in zip(*map(weights, upper), strict=False):
        assert one.get_color() == other.get_color()
    apart = panels(attnviz.plot_kernel_evolution(both, share=False))[0]
    assert apart[0].get_ylim() != apart[1].get_ylim()


def test_lags_of_a_layer_that_reads_from_the_end_reach_ahead():
    made = probes.rra()
    made["l0_reverse"] = made["l0"].copy()
    figure = attnviz.plot_kernel_evolution(made, group="l0_reverse")
    assert figure.axes[-1].get_ylabel() == "lag (timesteps ahead)"


def test_means_are_drawn_with_their_spread():
    made = probes.larnn()
    ((upper,), lower) = panels(attnviz.plot_kernel_evolution(made, head=1))
    assert not lower and len(upper.collections) == 4
    values = made["l0/attention"].values[:, 1, 2]
    np.testing.assert_array_equal(weights(upper)[2].get_ydata(), values)
    edges = upper.collections[2].get_paths()[0].vertices
    assert edges[:, 1].max() == pytest.approx((1.1 * values).max(), rel=1e-12)
    ((upper,), _) = panels(attnviz.plot_kernel_evolution(made))
    assert not upper.collections
    np.testing.assert_allclose(
        weights(upper)[0].get_ydata(), made["l0/attention"].values[:, :, 0].mean(axis=1)
    )


def test_cells_without_attention_are_drawn_by_age():
    figure = attnviz.plot_kernel_evolution(probes.gru(), lags=(1, 4), limits=(0.0, 0.6))
    ((upper,), _) = panels(figure)
    assert len(weights(upper)) == 3 and upper.get_ylim() == (0.0, 0.6)
    assert figure.axes[-1].get_ylabel() == "age (timesteps since written)"
    assert not [line for line in upper.lines if line.get_gid() == "equal"]


def test_iterations_can_be_logarithmic():
    ((upper,), (lower,)) = panels(attnviz.plot_kernel_evolution(probes.rra(), logarithmic=True))
    assert upper.get_xscale() == lower.get_xscale() == "log"
    assert upper.get_xlim()[0] == 5


def test_one_probe_is_a_dot():
    figure = attnviz.plot_kernel_evolution(probes.rra(steps=[0]))
    ((upper,), _) = panels(figure)
    assert all(line.get_marker() == "o" for line in weights(upper))


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="at least one training"):
        attnviz.plot_kernel_evolution({})
    with pytest.raises(ValueError, match="some of these kernels are by age and some by lag"):
        attnviz.plot_kernel_evolution({"a": probes.rra(), "b": probes.gru()})


def test_no_setting_changes_and_the_file_is_the_same_every_time(tmp_path):
    before = dict(matplotlib.rcParams)
    for name in ("a", "b"):
        figure = attnviz.plot_kernel_evolution({"x": probes.rra(), "y": probes.rra(5)})
        attnviz.save_figure(figure, tmp_path / f"{name}.pdf")
    assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_the_kind_draws_the_same_and_gives_its_numbers():
    (kind,) = PROBE_KINDS.values()
    made, options = probes.larnn(), PlotOptions(head=0, lags=(2, 4))
    assert len(weights(panels(kind.draw(made, options))[0][0])) == 2
    numbers = kind.numbers(made, options)
    np.testing.assert_array_equal(numbers.values, made["l0/attention"].values[:, :1, 1:3])
