from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import attnviz
from attnviz.analysis import StudyCurves
from attnviz.plots import STUDY_KINDS, PlotOptions, style
from attnviz.plots.figures import new_figure
from attnviz.plots.training_kinds import drawable_curves
from tests.attnviz.analysis.test_learning import history, trials

SEEDS = [history([5, 10], [0.2, 0.6]), history([5, 10, 15], [0.4, 0.8, 0.9])]


def means(ax):
    return [line for line in ax.lines if line.get_gid() == "mean"]


def test_a_mean_its_range_and_every_run():
    ax = attnviz.plot_learning_curves({"rra": SEEDS, "gru": history([5, 10, 15], [0.1, 0.2, 0.3])})
    one, other = means(ax)
    np.testing.assert_allclose(one.get_xydata(), [[5, 0.3], [10, 0.7]])
    np.testing.assert_allclose(other.get_ydata(), [0.1, 0.2, 0.3])
    runs = [line for line in ax.lines if line.get_gid() == "run"]
    assert [len(line.get_xdata()) for line in runs] == [2, 3]
    (band,) = ax.collections
    assert band.get_paths()[0].vertices[:, 1].max() == 0.8
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("iterations", "validation accuracy")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["rra", "gru"]
    assert "1–2 runs each · mean and range" in [text.get_text() for text in ax.texts]


def test_the_points_of_a_curve_are_marked_where_they_are_few():
    counts = (1, 3, 10, 11)
    runs = {str(n): history([*range(n)], [*np.linspace(0, 1, n)]) for n in counts}
    marks = [line.get_marker() for line in means(attnviz.plot_learning_curves(runs))]
    assert marks == ["o", "o", "o", ""]


def test_axes_can_be_logarithmic_and_shared():
    first = attnviz.plot_learning_curves({"a": SEEDS}, limits=(0.1, 1.0))
    ax = attnviz.plot_learning_curves(
        {"b": history([5, 10], [0.5, 0.1], "loss")}, logarithmic=True, logarithmic_iterations=True
    )
    assert (ax.get_xscale(), ax.get_yscale(), first.get_ylim()) == ("log", "log", (0.1, 1.0))
    assert ax.get_ylabel() == "loss on fresh sequences"
    with pytest.raises(ValueError, match="scores above 0, but the lowest here is 0"):
        attnviz.plot_learning_curves({"a": history([5], [0.0])}, logarithmic=True)
    with pytest.raises(ValueError, match="at least one run"):
        attnviz.plot_learning_curves({})


def test_scores_stand_at_the_value_that_was_searched():
    ax = attnviz.plot_score_against(trials(), value="model.options.window")
    rra, larnn = means(ax)
    np.testing.assert_allclose(rra.get_xydata(), [[5, 0.7], [20, 0.8]])
    np.testing.assert_allclose(larnn.get_xydata(), [[20, 0.2]])
    ranges = [bar for bars in ax.collections for bar in bars.get_segments()]
    assert [bar[:, 1].tolist() for bar in ranges] == [[0.5, 0.9], [0.8, 0.8], [0.2, 0.2]]
    low, high = ax.get_ylim()
    assert low < 0.2 and high > 0.9 and ax.get_xlim()[0] < 5
    assert ax.get_xlabel() == "window (timesteps)"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["5", "20"]
    # Side by side, by so many points, so that bars at one value can be told apart.
    at = [line.get_transform().transform((20, 0.5))[0] for line in (rra, larnn)]
    assert at[1] - at[0] == pytest.approx(2.5 * ax.figure.dpi / 72)


def test_values_that_are_no_numbers_stand_at_equal_distances():
    table = trials().assign(bias=[0.0, {"chrono": 100}, {"chrono": 100}, 0.0, 0.0])
    ax = attnviz.plot_score_against(table, value="bias")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0.0", '{"chrono": 100}']
    np.testing.assert_allclose(means(ax)[0].get_xdata(), [0, 1])
    with pytest.raises(ValueError, match="numbers above 0, but bias is"):
        attnviz.plot_score_against(table, value="bias", logarithmic=True)
    log = attnviz.plot_score_against(table, value="model.options.window", logarithmic=True)
    assert log.get_xscale() == "log"


RATES = [0.000585, 0.0029, 0.0031, 0.0033, 0.0185]


@pytest.mark.parametrize("logarithmic", [False, True])
def test_numbers_below_the_axis_do_not_touch(logarithmic):
    table = trials().assign(rate=RATES)
    with style("paper", width="column"):
        figure = new_figure(3.35, 2.5)
        ax = figure.add_subplot()
        attnviz.plot_score_against(table, value="rate", logarithmic=logarithmic, ax=ax)
        figure.draw_without_rendering()
        low, high = ax.get_xlim()
        shown = [
            label for label, at in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True)
            if low <= at <= high
        ]  # fmt: skip
        ends = [(box.x0, box.x1) for box in (label.get_window_extent() for label in shown)]
    assert len(shown) > 2
    assert all(left[1] < right[0] for left, right in pairwise(sorted(ends)))


@pytest.mark.parametrize(("rates", "scale"), [(RATES, "log"), ([1, 2, 3, 9, 9], "linear")])
def test_values_of_more_than_a_decade_stand_on_a_logarithmic_axis(rates, scale):
    made = study(("rate",), trials=trials().assign(rate=rates))
    figure = STUDY_KINDS["score-against"].draw(made, PlotOptions())
    assert figure.axes[0].get_xscale() == scale


def study(searched=("model.options.window",), **changes):
    fields = {"histories": {"rra": SEEDS}, "trials": trials(), "searched": searched, **changes}
    return StudyCurves("made", "About.", "accuracy", **fields)


def test_the_kinds_of_a_study_draw_and_give_their_numbers():
    for name, kind in STUDY_KINDS.items():
        figure = kind.draw(study(), PlotOptions(limits=(0.0, 2.0)))
        assert figure.axes[0].get_ylim() == (0.0, 2.0), name
        assert figure.provenance == {"study": "made", "score": "accuracy"}
        assert kind.shows.endswith(".")
    assert STUDY_KINDS["learning-curves"].numbers(study(), PlotOptions()).values.shape == (1, 2)
    numbers = STUDY_KINDS["score-against"].numbers(study(), PlotOptions(score="window"))
    assert numbers.values.shape == (2, 2)


def test_what_scores_are_drawn_against_has_to_be_named_among_several():
    several = study(("learning_rate", "model.options.window"))
    with pytest.raises(ValueError, match=r"searched learning_rate, model\.options\.window, of"):
        STUDY_KINDS["score-against"].draw(several, PlotOptions())
    with pytest.raises(ValueError, match="but score is 'dropout'"):
        STUDY_KINDS["score-against"].draw(several, PlotOptions(score="dropout"))
    STUDY_KINDS["score-against"].draw(several, PlotOptions(score="model.options.window"))


def test_only_what_is_there_can_be_drawn():
    nothing = pd.DataFrame(columns=["cell", "validation"])
    assert drawable_curves(study()) == ["learning-curves", "score-against"]
    assert drawable_curves(study(histories={})) == ["score-against"]
    assert drawable_curves(study(searched=())) == ["learning-curves"]
    assert drawable_curves(study(trials=nothing, histories={})) == []


@pytest.mark.parametrize(
    ("names", "colours"),
    [
        (["LSTM", "rra"], [3, 0]),
        (["rra", "larnn", "rau", "lstm", "gru"], [0, 1, 2, 3, 4]),
        (["gru", "gru, untrained"], [0, 1]),
        (["gru", "GRU"], [0, 1]),
    ],
)
def test_a_cell_has_its_colour_where_only_cells_are_compared(names, colours):
    with style("paper"):
        cycle = plt.rcParams["axes.prop_cycle"].by_key()["color"]
    colours = [to_hex(cycle[number]) for number in colours]
    ax = attnviz.plot_learning_curves({name: history([5, 10], [0.1, 0.2]) for name in names})
    assert [line.get_color() for line in means(ax)] == colours
    rows = [
        {"cell": name, "window": window, "validation": 0.1 * window + number}
        for number, name in enumerate(names)
        for window in (2, 5)
    ]
    drawn = attnviz.plot_score_against(pd.DataFrame(rows), value="window")
    by_height = sorted(means(drawn), key=lambda line: line.get_ydata()[0])
    assert [line.get_color() for line in by_height] == colours


def test_the_history_of_a_run_is_drawn_as_it_is():
    rows = ({"step": 5, "validation_accuracy": 0.2}, {"step": 10, "validation_accuracy": 0.6})
    (line,) = means(attnviz.plot_learning_curves({"mine": rows}))
    np.testing.assert_allclose(line.get_xydata(), [[5, 0.2], [10, 0.6]])
    more = ({"step": 5, "validation_accuracy": 0.4}, {"step": 10, "validation_accuracy": 0.8})
    (line,) = means(attnviz.plot_learning_curves({"mine": [rows, more]}))
    np.testing.assert_allclose(line.get_ydata(), [0.3, 0.7])
    with pytest.raises(ValueError, match="needs the history of at least one run"):
        attnviz.plot_learning_curves({"mine": []})


def test_colours_are_those_of_the_style_in_which_it_was_drawn():
    runs = {"lstm": [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.4}]}
    own = attnviz.plot_learning_curves(runs).lines[0]
    with attnviz.style("paper"):
        drawn = attnviz.plot_learning_curves(runs, ax=plt.figure().add_subplot()).lines[0]

    assert to_hex(drawn.get_color()) == to_hex(own.get_color()) != to_hex("C3")
